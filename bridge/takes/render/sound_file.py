"""The sound beside an exported head: a Broadcast Wave file of the same stem.

It is marked as ours: no file of a user is replaced by it, and it is not taken for a recording.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from cstalk_bridge.system.files import atomic_write, is_there
from cstalk_bridge.takes.recording.files import (
    MAX_WAVE_BYTES,
    SAMPLE_BYTES,
    Origin,
    pcm,
    wave_header,
)
from cstalk_bridge.takes.sound import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.takes.sound import Sound


MARK: Final = "sound of an exported take"
"""The description in the file."""

_MARK_AT: Final = 20
_SIZES: Final = 4


def is_sound_beside(path: Path) -> bool:
    """Whether a file is the sound of an export, written by this program."""
    try:
        with path.open("rb") as file:
            head = file.read(_MARK_AT + len(MARK))
    except OSError:
        return False
    return head[8:16] == b"WAVEbext" and head[_MARK_AT:] == MARK.encode()


def write_sound_beside(sound: Sound, path: Path) -> bool:
    """Write the sound of a take; return whether a file that may be named lies there.

    Another file of that name stays, such as the recording itself. UserError where it cannot be
    written.
    """
    if (is_there(path) and not is_sound_beside(path)) or wave_bytes(sound) > MAX_WAVE_BYTES:
        return False
    with atomic_write(path, overwrite=True) as file:
        for chunk in wave_chunks(sound):
            file.write(chunk)
    return True


def wave_bytes(sound: Sound) -> int:
    """Return the size of the file of a sound; it may be more than `MAX_WAVE_BYTES`."""
    size = len(_header(sound)) + SAMPLE_BYTES * sound.frames
    return size + size % 2


def wave_chunks(sound: Sound) -> Iterator[bytes]:
    """Yield the file of a sound. UserError where the sound is damaged."""
    header = _header(sound)
    yield sized(header, sound.frames)
    for samples in pieces(sound):
        yield pcm(samples)
    yield bytes((len(header) + SAMPLE_BYTES * sound.frames) % 2)


def _header(sound: Sound) -> bytes:
    return wave_header(sound.rate_hz, Origin(MARK, "", "", "", 0))


def sized(header: bytes, frames: int) -> bytes:
    """Return the header of a file with that many samples."""
    data = SAMPLE_BYTES * frames
    whole = io.BytesIO(header)
    whole.seek(_SIZES)
    whole.write((len(header) + data + data % 2 - 8).to_bytes(4, "little"))
    whole.seek(len(header) - 4)
    whole.write(data.to_bytes(4, "little"))
    return whole.getvalue()
