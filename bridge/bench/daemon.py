"""The whole daemon with one face and one target: what it costs, and how soon it begins."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bridge.audio.opening import SPEECH_PATH
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import bound_port, resident_mb
from bridge.bench.receiver import ReceiverProcess
from bridge.clock.host import host_now

if TYPE_CHECKING:
    from bridge.bench.options import Options

LIMIT_MB = 160.0
LIMIT_SHARE = 7.0
"""Per cent of one core."""
FIRST_PACKET_S = 1.5
SETTLING_S = 3.0
RUNS = 3
PATIENCE_S = 30.0


def measure(options: Options) -> list[Figure | Remark]:
    """Run one subject on the test sound for a third of `options.seconds`; begin some more."""
    seconds = options.seconds / 3
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(SETTLING_S)
        running.measured()
        time.sleep(seconds)
        held_mb = resident_mb(running.process_id)
        measured = running.stop()
    share = 100.0 * measured.cpu_s / seconds
    first_s = statistics.median(first_packet_s() for _ in range(RUNS))
    return [
        Figure("processor, one subject, 60 fps", share, "% of a core", maximum=LIMIT_SHARE),
        *(
            [Remark("resident memory cannot be read on this system")]
            if held_mb is None
            else [Figure("resident memory, one subject", held_mb, "MB", maximum=LIMIT_MB)]
        ),
        Figure("first packet after the command", first_s, "s", maximum=FIRST_PACKET_S),
    ]


def first_packet_s() -> float:
    """Return the time from the command to the first packet of the bundled recording, in s."""
    with bound_port() as (listening, port):
        listening.settimeout(PATIENCE_S)
        command = [sys.executable, "-m", "bridge", "run", "--no-ui", "--audio", str(SPEECH_PATH)]
        command += ["--link", f"livelink-face://127.0.0.1:{port}"]
        start_s = host_now()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )
        try:
            listening.recv(2048)
            return host_now() - start_s
        finally:
            process.kill()
            process.wait()
