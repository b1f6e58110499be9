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
    if is_there(path) and not is_sound_beside(path):
        return False
    header = wave_header(sound.rate_hz, Origin(MARK, "", "", "", 0))
    size = len(header) + SAMPLE_BYTES * sound.frames
    if size > MAX_WAVE_BYTES:
        return False
    with atomic_write(path, overwrite=True) as file:
        file.write(sized(header, sound.frames))
        for samples in pieces(sound):
            file.write(pcm(samples))
        file.write(bytes(size % 2))
    return True


def sized(header: bytes, frames: int) -> bytes:
    """Return the header of a file with that many samples."""
    data = SAMPLE_BYTES * frames
    whole = io.BytesIO(header)
    whole.seek(_SIZES)
    whole.write((len(header) + data + data % 2 - 8).to_bytes(4, "little"))
    whole.seek(len(header) - 4)
    whole.write(data.to_bytes(4, "little"))
    return whole.getvalue()
