"""A running bridge whose gate only voices open."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.bench.daemon_process import bound_port
from cstalk_bridge.bench.gate import at_level, sounds_without_speech
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.rig.curves import ARKIT_CURVES

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

JAW, YAW = ARKIT_CURVES.index("JawOpen"), ARKIT_CURVES.index("HeadYaw")


@pytest.fixture
def servers() -> Iterator[FakeMicrophones]:
    try:
        microphones = FakeMicrophones()
    except UserError as error:
        pytest.skip(str(error))
    with microphones:
        yield microphones


def faces(receiver: socket.socket, seconds: float) -> np.ndarray:
    """Return the curves that arrive from now on, [packets, curves]."""
    receiver.settimeout(10.0)
    received = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        values = decode(receiver.recv(2048)).values
        if values is not None:
            received.append(values)
    return np.array(received)


def test_keys_leave_the_lips_at_rest_while_the_head_lives_and_a_voice_opens_them(
    servers: FakeMicrophones,
) -> None:
    keys = at_level(np.repeat(sounds_without_speech(seed=2)["keys"], 3), -25.0)
    recorded, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    spoken = soxr.resample(recorded, rate_hz, servers.rate_hz)
    with bound_port() as (receiver, port):
        command = [
            *(sys.executable, "-m", "cstalk_bridge", "run", "--no-ui", "--audio", "mic_a"),
            *("--gate", "voice", "--link", f"livelink-face://127.0.0.1:{port}"),
        ]
        bridge = subprocess.Popen(command, env=servers.environment, stdout=subprocess.DEVNULL)
        try:
            servers.play("mic_a", np.asarray(32767 * keys, dtype=np.int16), is_loop=True)
            faces(receiver, 3.0)
            typed = faces(receiver, 5.0)
            servers.play("mic_a", np.asarray(32767 * spoken, dtype=np.int16), is_loop=True)
            talked = faces(receiver, 6.0)
        finally:
            bridge.send_signal(signal.SIGINT)
            assert bridge.wait(20.0) == 0
    assert typed[:, JAW].max() < 0.03
    assert np.ptp(typed[:, YAW]) > 0.001
    assert talked[:, JAW].max() > 0.15
