"""A microphone that disconnects and returns while the whole daemon runs."""

from __future__ import annotations

import shutil
import sys
import time

import numpy as np
import pytest

from cstalk_bridge.bench.daemon_process import DaemonProcess
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import ReceiverProcess, vowel

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("pulseaudio") is None,
    reason="fake microphones need PulseAudio on Linux",
)


def test_a_lost_microphone_leaves_a_rest_face_and_is_reopened() -> None:
    with FakeMicrophones() as microphones, ReceiverProcess() as receiver:
        spoken = np.zeros(microphones.rate_hz // 2)
        sound = vowel(microphones.rate_hz)
        spoken[: len(sound)] = sound
        vowels = np.rint(32767 * spoken).astype(np.int16)
        with DaemonProcess("mic_a", receiver.port, microphones.environment) as running:
            microphones.play("mic_a", vowels, is_loop=True)
            time.sleep(2.0)
            killed_s = time.monotonic()
            microphones.kill()
            time.sleep(2.5)
            restarted_s = time.monotonic()
            microphones.restart()
            time.sleep(3.5)
            over_s = time.monotonic()
            running.stop()
            arrivals = receiver.stop()
    assert set(np.diff(arrivals.frames)) == {1.0}
    times_s, jaws = arrivals.times_s, arrivals.jaws
    spoke = jaws[times_s < killed_s].max()
    assert spoke > 0.1
    # Held for 0.25 s, then falling with a time constant of 0.3 s.
    assert jaws[(times_s > killed_s + 2.0) & (times_s < restarted_s)].max() < 0.05 * spoke
    assert jaws[(times_s > restarted_s) & (times_s < over_s)].max() > 0.5 * spoke
    # Neither transition pops: no frame moves the jaw by much more than speech does. A
    # face that was held for a late tick or two on a busy machine takes those steps at once.
    fastest = np.abs(np.diff(jaws[times_s < killed_s])).max()
    assert np.abs(np.diff(jaws[:-1])).max() < 2.5 * fastest
