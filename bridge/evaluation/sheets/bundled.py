"""The recording that comes with the program: sheets of it need no other data."""

from __future__ import annotations

import soxr

from bridge.audio.opening import SPEECH_PATH
from bridge.takes.sound import open_sound
from models.evaluation.recordings import Recording
from models.timing import SAMPLE_RATE_HZ

OPEN_VOWEL_S = 2.24
MOMENTS = {
    "silence": 8.30,
    "ah, watch": OPEN_VOWEL_S,
    "m, mouth": 2.58,
    "ee, speak": 3.54,
    "f, flew": 5.46,
    "oo, flew": 5.70,
}
"""Seconds into it, by what is said then."""


def bundled_speech() -> Recording:
    """Return the recording that comes with the program, mono 16 kHz."""
    sound = open_sound(SPEECH_PATH)
    samples = sound.read(0, sound.frames)
    return Recording("speech", soxr.resample(samples, sound.rate_hz, SAMPLE_RATE_HZ))
