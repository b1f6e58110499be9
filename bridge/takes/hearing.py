"""A recording as the network hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.dc_block import DcBlock
from bridge.takes.sound import pieces
from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.takes.sound import Sound


def heard_samples(sound: Sound) -> int:
    """Return how many samples a recording has at the rate which the network hears, 16 kHz."""
    return -(-sound.frames * SAMPLE_RATE_HZ // sound.rate_hz)


def heard(sound: Sound) -> Iterator[NDArray[np.float32]]:
    """Yield the sound at 16 kHz, [time], piece after piece, `heard_samples` in all.

    What is constant in it is taken out, as the listener of a live voice does.
    """
    left = heard_samples(sound)
    for piece in _resampled(sound):
        yield piece[:left]
        left -= min(left, len(piece))
    yield np.zeros(left, dtype=np.float32)


def _resampled(sound: Sound) -> Iterator[NDArray[np.float32]]:
    dc_block = DcBlock(sound.rate_hz)
    if sound.rate_hz == SAMPLE_RATE_HZ:
        yield from map(dc_block.push, pieces(sound))
        return
    import soxr

    resampler = soxr.ResampleStream(sound.rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
    for piece in pieces(sound):
        yield resampler.resample_chunk(dc_block.push(piece))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
