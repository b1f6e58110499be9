"""The recordings of each source, with what was captured of their faces.

Each function returns at most `most` recordings, spread evenly over what there is, and raises
MissingDataError with the file that is not there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import soundfile

from models.evaluation.metrics.rest import speech_span
from models.evaluation.recordings import MissingDataError, Recording
from models.training.action_units import PLAYED
from models.training.align import kokoro_segments
from models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    part_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.evaluation.recordings import Folders

Item = TypeVar("Item")

RAVDESS_EMOTIONS = {**PLAYED, "02": "calm"}
"""By the third part of a RAVDESS file name."""


def sound_of(path: Path) -> NDArray[np.float32]:
    """Read mono 16 kHz sound."""
    return np.asarray(soundfile.read(path, dtype="float32")[0], dtype=np.float32)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of `items`, evenly spread, the first among them."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def captured(
    archive: Any, clip: str, fps: float, late_s: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
    """Return audio times and curves by name of one clip, without frames that were not tracked."""
    values = archive[clip].astype(np.float32)
    tracked = np.isfinite(values).all(1)
    times_s = np.arange(len(values)) / fps - late_s
    names = [str(name) for name in archive["names"]]
    return times_s[tracked], dict(zip(names, values[tracked].T, strict=True))


def aligned(folders: Folders) -> dict[str, Any]:
    """Return the phones of every clip that was aligned, by `<source>/<stem>`."""
    path = folders.prepared("phones.json", "run models.training.prepare, or name it with --cache")
    phones: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return phones


def grid(folders: Folders, most: int) -> list[Recording]:
    """Return the GRID clips of the test part; their phones where they were aligned."""
    archive = np.load(folders.needed("grid_s1/curves.npz"))
    try:
        phones = aligned(folders)
    except MissingDataError:
        phones = {}
    found = []
    stems = [clip for clip in archive.files if part_of(f"grid_s1/{clip}") == "test"]
    for stem in spread(sorted(stems), most):
        path = folders.needed(f"grid_s1/audio/{stem}.opus")
        times_s, curves = captured(archive, stem, GRID_FPS, GRID_LATE_S)
        known = phones.get(f"grid_s1/{stem}")
        segments = None if known is None else tuple((a, b, phone) for a, b, phone in known)
        sound = sound_of(path)
        found.append(Recording(f"grid_s1/{stem}", sound, "neutral", segments, times_s, curves))
    return found


def facegood(folders: Folders, most: int) -> list[Recording]:
    """Return the FACEGOOD clips, 1114_2_01 to 1114_2_05."""
    archive = np.load(folders.needed("facegood/curves.npz"))
    found = []
    for stem in sorted(name for name in archive.files if name != "names")[-most:]:
        times_s, curves = captured(archive, stem, FACEGOOD_FPS, FACEGOOD_LATE_S)
        sound = sound_of(folders.needed(f"facegood/{stem}.flac"))
        found.append(Recording(f"facegood/{stem}", sound, times_s=times_s, curves=curves))
    return found


def ravdess_captured(folders: Folders, most: int) -> list[Recording]:
    """Return the RAVDESS clips with sound and action units in every frame (actors 01-04)."""
    archive = np.load(folders.needed("ravdess/action_units_frames.npz"))
    audio = folders.needed("ravdess/audio")
    stems = [name for name in archive.files if (audio / f"{name}.opus").exists()]
    found = []
    for stem in spread(sorted(stems), most):
        times_s, curves = captured(archive, stem, RAVDESS_FPS, 0.0)
        sound = sound_of(audio / f"{stem}.opus")
        emotion = RAVDESS_EMOTIONS[stem.split("-")[2]]
        found.append(Recording(f"ravdess/{stem}", sound, emotion, None, times_s, curves))
    return found


def ravdess_voices(folders: Folders, most: int) -> list[Recording]:
    """Return the speech of the actors that no classifier and no research build learns (17-20)."""
    paths = [
        path
        for path in sorted(folders.needed("ravdess/audio").glob("*.opus"))
        if part_of(f"ravdess/{path.stem}") == "test"
    ]
    return [
        Recording(f"ravdess/{path.stem}", sound_of(path), RAVDESS_EMOTIONS[path.stem.split("-")[2]])
        for path in spread(paths, most)
    ]


def kokoro(folders: Folders, most: int) -> list[Recording]:
    """Return the held-out synthetic voices (`split.json`), with the synthesiser's own phones."""
    index = folders.needed("kokoro/index.jsonl").read_text("utf-8")
    clips = [json.loads(line) for line in index.splitlines()]
    held_out = [c for c in clips if part_of(f"kokoro/{Path(c['file']).stem}") == "test"]
    found = []
    for clip in spread(held_out, most):
        sound = sound_of(folders.needed(f"kokoro/{clip['file']}"))
        segments = kokoro_segments(clip["phones"], clip["frames_25ms"])
        # The last phone's duration holds the pause after the sentence.
        end_s = speech_span(sound)[1]
        phones = tuple((a, min(b, end_s), phone) for a, b, phone in segments if a < end_s)
        found.append(Recording(f"kokoro/{Path(clip['file']).stem}", sound, phones=phones))
    return found


def kathleen(folders: Folders, most: int) -> list[Recording]:
    """Return the aligned clips of Kathleen."""
    phones = aligned(folders)
    stems = sorted(name.split("/")[1] for name in phones if name.startswith("kathleen/"))
    return [
        Recording(
            f"kathleen/{stem}",
            sound_of(folders.needed(f"kathleen/audio/{stem}.opus")),
            phones=tuple((a, b, phone) for a, b, phone in phones[f"kathleen/{stem}"]),
        )
        for stem in spread(stems, most)
    ]
