"""The threads that show metrics, on streams and on a real terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cstalk_bridge.dashboard.screen import open_monitor
from cstalk_bridge.monitor.status_lines import PlainMonitor
from tests.monitor.faces import metrics

ROOT = Path(__file__).parents[2]
PROGRAM = """
import time
from cstalk_bridge.dashboard.screen import open_monitor
from tests.monitor.faces import metrics, play
running = metrics()
with open_monitor(running, dashboard=True, now=time.monotonic):
    play(running, start_s=time.monotonic() - 3)
    time.sleep(0.7)
"""


def test_without_a_terminal_plain_lines_are_shown() -> None:
    assert isinstance(open_monitor(metrics(), dashboard=True), PlainMonitor)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_dashboard_leaves_the_terminal_as_it_was() -> None:
    import pty

    master, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    environment |= {"COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert process.wait(30) == 0
    enter, leave, hide, show = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"
    assert shown.count(enter) == shown.count(leave) == 1
    assert shown.rindex(show) > shown.rindex(hide)
    picture, after = shown.split(leave)
    assert "Built-in Microphone" in picture.decode()
    assert "packets/s" in after.decode()
