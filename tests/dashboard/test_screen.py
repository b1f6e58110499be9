"""Keys of a real pseudo-terminal, which is afterwards as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.control.controller import Controller
from cstalk_bridge.control.keys import EMOTION_KEYS
from cstalk_bridge.dashboard.picture import draw
from cstalk_bridge.dashboard.screen import (
    SEQUENCE,
    KeyBindings,
    Keyboard,
    open_monitor,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.monitor.status_lines import PlainMonitor
from tests.control.running import RunningBridge, running_bridge
from tests.monitor.faces import metrics
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


fcntl = pytest.importorskip("fcntl", reason="needs a pseudo-terminal")
termios = pytest.importorskip("termios", reason="needs a pseudo-terminal")


IN_BACKGROUND = """
import os, sys, termios, fcntl
from cstalk_bridge.dashboard.screen import Keyboard
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if not (child := os.fork()):
    os.setpgid(0, 0)
    with Keyboard(0) as keyboard:
        os._exit(40 + keyboard.is_open)
with Keyboard(0) as keyboard:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), keyboard.is_open)
"""


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def test_keys_are_read_at_once_without_echo_and_the_terminal_is_restored() -> None:
    with terminal() as (master, slave):
        before = termios.tcgetattr(slave)
        with Keyboard(slave) as keyboard:
            assert keyboard.is_open
            assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON)
            os.write(master, b"2")
            assert keyboard.read(5.0) == "2"
            assert keyboard.read(0.0) == ""
        assert termios.tcgetattr(slave) == before


def test_an_error_restores_the_terminal() -> None:
    with terminal() as (_, slave):
        before = termios.tcgetattr(slave)
        with pytest.raises(RuntimeError), Keyboard(slave):
            raise RuntimeError
        assert termios.tcgetattr(slave) == before


def unread_bytes(descriptor: int) -> int:
    """Return how much of what was typed nobody has read."""
    count = bytearray(4)
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return int.from_bytes(count, sys.byteorder)


def test_arrow_keys_are_not_read_as_letters() -> None:
    with terminal() as (master, slave), Keyboard(slave) as keyboard:
        pressed = b"\x1b[A\x1bOPm\x1b[15;2~\x1bq-\x1b"
        os.write(master, pressed)
        wait_until(lambda: unread_bytes(slave) == len(pressed))
        assert keyboard.read(5.0) == "m-"
    assert SEQUENCE.sub("", "\xe0Hm\x00;") == "m"


def test_without_a_terminal_there_are_no_keys() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"q")
    for descriptor in (reading, -1):
        with Keyboard(descriptor) as keyboard:
            assert not keyboard.is_open
            assert keyboard.read(0.0) == ""
    os.close(reading)
    os.close(writing)


def test_a_closed_terminal_gives_no_keys() -> None:
    master, slave = os.openpty()
    with Keyboard(slave) as keyboard:
        os.close(master)
        assert keyboard.read(0.1) == ""
    os.close(slave)


def test_in_the_background_no_read_stops_the_bridge() -> None:
    with terminal() as (_, slave):
        process = subprocess.run(
            [sys.executable, "-c", IN_BACKGROUND],
            stdin=slave, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    assert process.stdout.split() == ["40", "True"]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("keys"), "One", "Two") as running:
        yield running


def test_every_emotion_has_a_key_that_the_help_names(bridge: RunningBridge) -> None:
    keys = KeyBindings(bridge.controller)
    assert list(EMOTION_KEYS.values()) == list(EMOTIONS)
    for key, name in EMOTION_KEYS.items():
        keys.press(key)
        assert bridge.controller.subject("One").mix == {name: 1.0}
        assert f"{key} {name}" in keys.lines[0]
    assert bridge.controller.subject("Two").mix == {}


def test_intensity_changes_in_steps_within_its_range(bridge: RunningBridge) -> None:
    keys, subject = KeyBindings(bridge.controller), bridge.controller.subject("One")
    for _ in range(3):
        keys.press("+")
    assert subject.factor == pytest.approx(1.3)
    for _ in range(30):
        keys.press("-")
    assert subject.factor == 0.0
    for _ in range(10):
        keys.press("=")
    assert subject.factor == pytest.approx(1.0)


def test_the_voice_chooses_the_emotion_until_a_digit_or_the_same_key(bridge: RunningBridge) -> None:
    keys, subject = KeyBindings(bridge.controller), bridge.controller.subject("One")
    keys.press("a")
    assert (subject.mix, subject.voice_weights.auto) == ({}, 1.0)
    keys.press("1")
    assert subject.mix == {"happy": 1.0}
    keys.press("a")
    assert subject.voice_weights.auto == 0.0


def test_tab_cycles_through_the_subjects(bridge: RunningBridge) -> None:
    keys = KeyBindings(bridge.controller)
    names = [keys.name]
    for _ in range(2):
        keys.press("\t")
        names.append(keys.name)
    assert names == ["One", "Two", "One"]


def test_muting_and_pausing_toggle(bridge: RunningBridge) -> None:
    keys, subject = KeyBindings(bridge.controller), bridge.controller.subject("One")
    for expected in (True, False):
        keys.press("m")
        keys.press("p")
        assert (subject.is_muted, subject.is_paused) == (expected, expected)


def test_a_take_is_started_and_stopped(bridge: RunningBridge) -> None:
    keys = KeyBindings(bridge.controller)
    keys.press("r")
    bridge.wait_for_take()
    keys.press("r")
    assert not bridge.controller.takes.is_recording
    assert [text for text in bridge.notices if "recorded take" in text]


def test_help_shows_all_keys_and_hides_them(bridge: RunningBridge) -> None:
    keys = KeyBindings(bridge.controller)
    assert len(keys.lines) == 1
    keys.press("?")
    text = " ".join(keys.lines)
    assert all(key in text for key in ("+ -", "Tab", "m mute", "p pause", "r record", "q quit"))
    assert max(map(len, keys.lines)) < 79
    keys.press("?")
    assert len(keys.lines) == 1


def test_other_keys_and_keys_without_a_bridge_do_nothing() -> None:
    keys = KeyBindings(Controller())
    for number in range(256):
        if chr(number) != "?":
            keys.press(chr(number))
    assert keys.name == ""
    keys.press("?")
    assert "now 1.0" in keys.lines[1]


@pytest.mark.parametrize("height", [1, 2, 3, 12, 40])
def test_the_key_help_is_the_last_line_at_any_height(bridge: RunningBridge, height: int) -> None:
    keys = KeyBindings(bridge.controller)
    lines = draw(bridge.metrics, bridge.now(), 80, height, guide=keys).plain.split("\n")
    assert len(lines) <= height
    assert lines[-1].startswith(" One  0 neutral")


def test_q_ends_the_run(bridge: RunningBridge) -> None:
    """The last test of this bridge."""
    KeyBindings(bridge.controller).press("q")
    bridge.unreal.all_waiting()
    bridge.wait_for(lambda: bridge.unreal.all_waiting() == [])


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
def test_the_dashboard_restores_the_terminal() -> None:
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
