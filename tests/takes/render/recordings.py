"""Recordings for the tests, made of the bundled speech."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

import cstalk_bridge.audio

if TYPE_CHECKING:
    from numpy.typing import NDArray


SPEECH = Path(cstalk_bridge.audio.__file__).with_name("speech.ogg")


@cache
def speech() -> tuple[NDArray[np.float32], int]:
    """Return the bundled speech, [time], and its rate."""
    samples, rate_hz = soundfile.read(SPEECH, dtype="float32")
    return samples, rate_hz


def write_speech(path: Path, seconds: float = 0.3, *, turn: int = 0) -> Path:
    """Write a part of the speech, another one for every `turn`; repeat it where it is too short."""
    samples, rate_hz = speech()
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = np.roll(samples, -turn * rate_hz // 4)
    soundfile.write(path, np.resize(turned, round(seconds * rate_hz)), rate_hz)
    return path
