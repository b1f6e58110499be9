"""The sound that a running bridge plays on a virtual cable, and the face beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.bench.daemon_process import ChildProcess, read_columns
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.passthrough import claps, offsets, openings
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDER = "cstalk_bridge.bench.passthrough"


@pytest.fixture
def microphones() -> Iterator[FakeMicrophones]:
    try:
        microphones = FakeMicrophones(cables=("cable",))
    except UserError as error:
        pytest.skip(str(error))
    with microphones:
        yield microphones


def run_bridge(microphones: FakeMicrophones, port: int, *flags: str) -> subprocess.Popen[str]:
    command = [
        *(sys.executable, "-m", "cstalk_bridge", "sync-test", "--no-ui", "--audio", "mic_a"),
        *("--passthrough", "cable", "--link", f"livelink-face://127.0.0.1:{port}", *flags),
    ]
    return subprocess.Popen(
        command,
        env=microphones.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(bridge: subprocess.Popen[str]) -> str:
    bridge.send_signal(signal.SIGINT)
    output, _ = bridge.communicate(timeout=20.0)
    assert bridge.returncode == 0, output
    return output


def wait_for_line(bridge: subprocess.Popen[str], text: str) -> str:
    """Return what the bridge prints up to a line with that text."""
    assert bridge.stdout is not None
    impatient = threading.Timer(60.0, bridge.kill)
    impatient.start()
    printed = ""
    while text not in printed:
        line = bridge.stdout.readline()
        assert line, f"the bridge ended with {printed}"
        printed += line
    impatient.cancel()
    return printed


def received_claps(microphones: FakeMicrophones, seconds: float) -> np.ndarray:
    """Record the cable for a while, and return when claps began."""
    with ChildProcess(RECORDER, "cable_monitor", environment=microphones.environment) as recorder:
        assert recorder.read_line() == "ready"
        time.sleep(seconds)
        times_s, _ = read_columns(recorder.close())
    return times_s


def wait_for_claps(microphones: FakeMicrophones) -> None:
    """Record again and again until there is a clap; a busy machine starts slowly."""
    for _ in range(15):
        if len(received_claps(microphones, 4.0)):
            return
    pytest.fail("no clap was played on the cable")


def test_cable_sound_is_in_sync_with_the_face_and_delayed_as_configured(
    microphones: FakeMicrophones,
) -> None:
    later_s = {}
    for delay_ms in (0, 150):
        with ReceiverProcess() as receiver:
            bridge = run_bridge(microphones, receiver.port, "--passthrough-delay-ms", str(delay_ms))
            try:
                microphones.play("mic_a", claps(), is_loop=True)
                wait_for_claps(microphones)
                received_s = received_claps(microphones, 8.0)
                seen_s = openings(receiver.stop())
            finally:
                end(bridge)
        _, distances_s = offsets(received_s, seen_s)
        assert len(distances_s) >= 3
        later_s[delay_ms] = float(np.median(distances_s))
    # A busy machine receives packets late by some ms; `bench passthrough` has the exact figure.
    assert later_s[0] == pytest.approx(0.0, abs=0.025)
    assert later_s[150] - later_s[0] == pytest.approx(0.15, abs=0.025)


def test_playback_resumes_on_a_cable_that_returns(microphones: FakeMicrophones) -> None:
    with ReceiverProcess() as receiver:
        bridge = run_bridge(microphones, receiver.port)
        try:
            microphones.play("mic_a", claps(), is_loop=True)
            wait_for_claps(microphones)
            microphones.kill()
            lost = wait_for_line(bridge, "the sound cannot be played on cable")
            microphones.restart()
            wait_for_claps(microphones)
        finally:
            output = end(bridge)
    assert "the sound is played on cable" in lost
    assert "again" in output.rpartition("the sound is played on cable")[2]


def test_a_missing_cable_is_named_and_the_run_continues(microphones: FakeMicrophones) -> None:
    with ReceiverProcess() as receiver:
        bridge = run_bridge(microphones, receiver.port, "--passthrough", "no such cable")
        try:
            refused = wait_for_line(bridge, "the sound cannot be played on no such cable")
            time.sleep(1.0)
        finally:
            end(bridge)
        assert len(receiver.stop().times_s)
    assert "cable, ALSA" in refused
