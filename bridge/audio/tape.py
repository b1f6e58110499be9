"""The last seconds of a stream of sound, for whoever looks back at them.

One thread writes, one reads. Samples are written before the count that makes them visible, and the
tape is far longer than any reader is behind, so neither side needs a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAPE_S: Final = 8
"""Seconds that are kept."""

GUARD_S: Final = 1
"""Seconds of them, the oldest, which a reader leaves to the writer."""


class Tape:
    """Samples by their number since the stream began."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._samples = np.zeros(TAPE_S * rate_hz, dtype=np.float32)
        self._end = 0

    @property
    def end(self) -> int:
        """How many samples there were so far."""
        return self._end

    @property
    def begin(self) -> int:
        """The oldest sample that can still be read."""
        return max(0, self._end - (TAPE_S - GUARD_S) * self.rate_hz)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, [time], at most one second of them."""
        places = np.arange(self._end, self._end + len(samples)) % len(self._samples)
        self._samples[places] = samples
        self._end += len(samples)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return `count` samples from number `start` on; zeros where there are none, or no more."""
        heard = np.zeros(count, dtype=np.float32)
        first, last = max(start, self.begin), min(start + count, self._end)
        if first < last:
            places = np.arange(first, last) % len(self._samples)
            heard[first - start : last - start] = self._samples[places]
        return heard


class SoundPlace(NamedTuple):
    """A time in a stream of sound: `stream_s` seconds after the beginning of `tape`."""

    tape: Tape
    stream_s: float
