"""The command on a fake microphone, its packets read by programs written by others."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr
from pylivelinkface import FaceBlendShape, PyLiveLinkFace

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.models import load_generator
from tests.conformance.test_osc_peers import free_port, oscdump
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.outputs.receiving import Receiver

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux")
    or not (shutil.which("pulseaudio") and shutil.which("oscdump")),
    reason="needs PulseAudio and liblo-tools on Linux",
)

LOOKAHEAD_MS = 80
START_S = 60.0
"""How long the daemon may take to its first packet on a busy machine."""


class Unreal(threading.Thread):
    """Keeps what arrives until nothing does any more."""

    def __init__(self, listening: Receiver) -> None:
        super().__init__(daemon=True)
        self._listening = listening
        self.datagrams: list[bytes] = []

    def run(self) -> None:
        give_up_s = time.monotonic() + START_S
        while self.datagrams or time.monotonic() < give_up_s:
            try:
                self.datagrams.append(self._listening.one())
            except TimeoutError:
                if self.datagrams:
                    return

    def faces(self) -> list[PyLiveLinkFace]:
        decoded = [PyLiveLinkFace.decode(datagram) for datagram in self.datagrams]
        assert all(found for found, _ in decoded)
        return [face for _, face in decoded]


def test_microphone_speech_arrives_as_that_face_at_third_party_decoders(
    tmp_path: Path,
) -> None:
    spoken, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    osc_port = free_port()
    lines: list[str] = []
    with FakeMicrophones() as microphones, receiver() as listening, oscdump(osc_port) as dump:
        reading = threading.Thread(target=lambda: lines.extend(dump.stdout or ()))
        reading.start()
        unreal = Unreal(listening)
        unreal.start()
        links = [f"livelink-face://{listening.target}", f"osc://127.0.0.1:{osc_port}/face"]
        command = [sys.executable, "-m", "cstalk_bridge", "run", "--audio", "mic_a", "--no-ui"]
        command += [
            "--subject",
            "Ada",
            *(part for link in links for part in ("--link", link)),
        ]
        environment = {**os.environ, **microphones.environment, "PYTHONPATH": str(Path.cwd())}
        with subprocess.Popen(command, cwd=tmp_path, env=environment) as daemon:
            wait_until(lambda: unreal.datagrams or not unreal.is_alive() or daemon.poll())
            assert unreal.datagrams
            sound = soxr.resample(spoken, rate_hz, microphones.rate_hz)
            microphones.play("mic_a", np.rint(32767 * sound).astype(np.int16))
            time.sleep(len(spoken) / rate_hz + 1.0)
            daemon.send_signal(signal.SIGINT)
            assert daemon.wait(10) == 0
        unreal.join()
        dump.terminate()
        reading.join()
        faces = unreal.faces()
    assert {face.name for face in faces} == {"Ada"}
    assert set(np.diff([face._frames for face in faces])) == {1}
    jaw = np.array([face.get_blendshape(FaceBlendShape.JawOpen) for face in faces])
    assert not any(faces[-1].get_blendshape(shape) for shape in FaceBlendShape)
    assert likeness(jaw, spoken, rate_hz) > 0.98
    received = {
        name
        for name, kind in re.findall(r"(/face/CTRL_expressions_\w+) (\w) ", "".join(lines))
        if kind == "f"
    }
    assert len(received) == 251


def likeness(jaw: np.ndarray, spoken: np.ndarray, rate_hz: int) -> float:
    """Return r between the packets' jaw and the offline generator's, at their best lag."""
    generator = load_generator(device="cpu")
    rows = generator.generate(spoken, rate_hz, lookahead_ms=LOOKAHEAD_MS)
    offline = rows[:, generator.channels.index("CTRL_C_jaw.ty")]
    at_60 = np.interp(
        np.arange(0, len(offline) / 50, 1 / 60), np.arange(len(offline)) / 50, offline
    )
    lags = range(len(jaw) - len(at_60))
    return max(float(np.corrcoef(jaw[lag : lag + len(at_60)], at_60)[0, 1]) for lag in lags)
