"""The sound of a recording as FLAC, for the browser to play and to seek in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.preview.recordings import flac_path
from bridge.takes.encoded import write_flac
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.preview.recordings import Recording

MEDIA_TYPE = "audio/flac"


def flac_of(recording: Recording, folder: Path) -> Path:
    """Return the file with the sound as FLAC, mono, 16 bit; written at the first call.

    A second caller waits for the first. UserError where the recording breaks off.
    """
    path = flac_path(folder, recording)
    with recording.encoding:
        if not path.exists():
            with whole_file(path) as file:
                write_flac(recording.sound, file)
    return path
