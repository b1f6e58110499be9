"""Who says what when: phones as segments of time, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ
from models.training.energy import speech_span
from models.training.phones import PHONES, SILENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Segment = tuple[float, float, str]
"""Start and end of a phone in seconds, and its name in `PHONES`."""


def frame_times_s(frames: int) -> NDArray[np.float64]:
    """Return the audio time of each row."""
    return np.arange(frames) / ROW_RATE_HZ


def fill_gaps(segments: Sequence[Segment], end_s: float) -> list[Segment]:
    """Return `segments` with silence wherever no phone was aligned, from 0 to `end_s`."""
    filled: list[Segment] = []
    clock_s = 0.0
    for start_s, stop_s, phone in [*segments, (end_s, end_s, SILENCE)]:
        if start_s - clock_s > 1 / ROW_RATE_HZ:
            filled.append((clock_s, start_s, SILENCE))
        if stop_s > start_s:
            filled.append((start_s, stop_s, phone))
        clock_s = max(clock_s, stop_s)
    return filled


def phone_indices(segments: Sequence[Segment], frames: int) -> NDArray[np.int64]:
    """Return the phone at each row's time, [time]; silence where none is aligned."""
    indices = np.zeros(frames, dtype=np.int64)
    times_s = frame_times_s(frames)
    for start_s, end_s, phone in segments:
        first, last = np.searchsorted(times_s, (start_s, end_s))
        indices[first:last] = PHONES.index(phone)
    return indices


def within_sound(
    source: str, segments: Sequence[Segment], sound: NDArray[np.float32]
) -> list[Segment]:
    """Return a clip's segments as far as its `sound` (mono, 16 kHz) goes.

    The last phone of a Kokoro source's durations holds the pause after the sentence.
    """
    if not source.startswith("kokoro"):
        return list(segments)
    end_s = speech_span(sound)[1]
    return [
        (start_s, min(stop_s, end_s), phone)
        for start_s, stop_s, phone in segments
        if start_s < end_s
    ]
