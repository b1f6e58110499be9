"""The sound of a recording as FLAC, for the browser to play and to seek in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.preview.recordings import flac_path
from bridge.takes.sound import pieces

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
            _encode(recording, path)
    return path


def _encode(recording: Recording, path: Path) -> None:
    from soundfile import SoundFile

    sound = recording.sound
    unfinished = path.with_suffix(".part")
    try:
        with SoundFile(unfinished, "w", sound.rate_hz, 1, "PCM_16", format="FLAC") as file:
            for piece in pieces(sound):
                file.write(np.clip(piece, -1.0, 1.0))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
