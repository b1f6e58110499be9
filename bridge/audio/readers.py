"""Random access to a file of which a decoder only knows the way from beginning to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bridge.audio.decoder import Decoder

MAX_READERS: Final = 3
"""Of one file that cannot seek: network, writer and page read it at places of their own."""


class Readers:
    """Reads any part of a file; not from two threads at once.

    A file that cannot seek is opened up to `MAX_READERS` times, so that each of those who read on
    finds a decoder where it left one. The last `kept` frames can be read again at no cost.
    """

    def __init__(self, opened: Callable[[], Decoder], kept: int) -> None:
        self._opened = opened
        self._kept = kept
        self.first = opened()
        self._readers = [_Reader(self.first, kept)]

    def read(self, start: int, count: int) -> tuple[NDArray[np.float32], str]:
        """Return frames `start` to `start + count`, [frames, channels], and why there are less."""
        reader = self._at(start)
        self._readers.remove(reader)
        self._readers.append(reader)
        return reader.read(start, count), reader.decoder.fault

    def _at(self, start: int) -> _Reader:
        for reader in reversed(self._readers):
            if reader.holds(start):
                return reader
        if self.first.can_seek:
            return self._readers[0]
        if len(self._readers) < MAX_READERS:
            self._readers.append(_Reader(self._opened(), self._kept))
            return self._readers[-1]
        before = [reader for reader in self._readers if reader.position <= start]
        return max(before, key=lambda reader: reader.position, default=self._readers[0])


class _Reader:
    """A decoder, its position, and the frames before that."""

    def __init__(self, decoder: Decoder, kept: int) -> None:
        self.decoder = decoder
        self.position = 0
        self._kept = 0 if decoder.can_seek else kept
        self._last = np.zeros((0, decoder.channels), dtype=np.float32)

    def holds(self, start: int) -> bool:
        return self.position - len(self._last) <= start <= self.position

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        if not self.holds(start):
            self.decoder.seek(start)
            self.position, self._last = start, self._last[:0]
        again = self._last[len(self._last) - (self.position - start) :][:count]
        new = self.decoder.read(count - len(again))
        self.position += len(new)
        samples = np.concatenate((again, new))
        if self._kept:
            self._last = np.concatenate((self._last, new))[-self._kept :]
        return samples
