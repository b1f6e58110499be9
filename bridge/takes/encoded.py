"""A sound whose file is made while something else still works on its take."""

from __future__ import annotations

import tempfile
import weakref
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from bridge.takes.sound import pieces

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    import numpy as np
    from numpy.typing import NDArray

    from bridge.takes.sound import Sound

IN_MEMORY_BYTES = 4 << 20
"""An encoded sound that is larger lies in a temporary file."""


class EncodedSound:
    """A `Sound` that is encoded as FLAC from now on, by `threads`."""

    def __init__(self, sound: Sound, threads: Executor) -> None:
        self.rate_hz = sound.rate_hz
        self.frames = sound.frames
        self._sound = sound
        self._ahead: Future[IO[bytes]] | None = threads.submit(encoded, sound)
        self._unused = weakref.finalize(self, _close, self._ahead)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Read from the sound as it came."""
        return self._sound.read(start, count)

    def flac(self) -> IO[bytes]:
        """Wait for the encoded sound and give it away, open at its start; later ones are new."""
        ahead, self._ahead = self._ahead, None
        self._unused.detach()
        return ahead.result() if ahead else encoded(self._sound)


def _close(ahead: Future[IO[bytes]]) -> None:
    """Close what nobody asked for, once it is there."""
    if not ahead.cancel():
        ahead.add_done_callback(lambda done: done.exception() or done.result().close())


def encoded(sound: Sound) -> IO[bytes]:
    """Return a sound as FLAC, in a file open at its start."""
    with ExitStack() as failing:
        file = failing.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))
        write_flac(sound, file)
        failing.pop_all()
    file.seek(0)
    return file


def write_flac(sound: Sound, file: IO[bytes]) -> None:
    """Write a sound as FLAC, mono, 16 bit; louder than full scale is clipped."""
    from soundfile import SoundFile

    with SoundFile(file, "w", sound.rate_hz, 1, "PCM_16", format="FLAC") as flac:
        for piece in pieces(sound):
            flac.write(piece)
