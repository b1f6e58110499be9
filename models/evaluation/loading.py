"""The recordings of each source, with what was captured of their faces.

Each function returns at most `most` recordings, spread evenly over what there is, and raises
MissingDataError with the file that is not there or cannot be read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from models.evaluation.reading import archive_of, reading, sound_of
from models.evaluation.recordings import MissingDataError, Recording
from models.training.action_units import PLAYED
from models.training.align import kokoro_segments
from models.training.energy import speech_span
from models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    part_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.evaluation.recordings import Folders

Item = TypeVar("Item")

RAVDESS_EMOTIONS = {**PLAYED, "02": "calm"}
"""By the third part of a RAVDESS file name."""


def spread(items: Sequence[Item], most: int, path: Path) -> list[Item]:
    """Return at most `most` of `items`, evenly spread, the first among them.

    MissingDataError where `path`, whence they come, holds none.
    """
    if not items:
        raise MissingDataError(f"{path} holds none of the clips wanted here; fetch it again")
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def captured(
    path: Path, clips: Sequence[str], fps: float, late_s: float
) -> Iterator[tuple[str, NDArray[np.float64], dict[str, NDArray[np.float32]]]]:
    """Yield clips with audio times and curves by name, without frames that were not tracked."""
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        faces = {clip: archive[clip].astype(np.float32) for clip in clips}
    for clip, values in faces.items():
        tracked = np.isfinite(values).all(1)
        times_s = np.arange(len(values)) / fps - late_s
        yield clip, times_s[tracked], dict(zip(names, values[tracked].T, strict=True))


def clips_in(path: Path) -> list[str]:
    """Return the clips of an archive of captured faces, sorted."""
    with archive_of(path) as archive:
        return sorted(name for name in archive.files if name != "names")


def aligned(folders: Folders) -> dict[str, Any]:
    """Return the phones of every clip that was aligned, by `<source>/<stem>`."""
    path = folders.prepared("phones.json", "run models.training.prepare, or name it with --cache")
    with reading(path):
        return dict(json.loads(path.read_text("utf-8")))


def grid(folders: Folders, most: int) -> list[Recording]:
    """Return the GRID clips of the test part; their phones where they were aligned."""
    path = folders.needed(f"grid_s1/{GRID_CURVES}")
    try:
        phones = aligned(folders)
    except MissingDataError:
        phones = {}
    found = []
    stems = [clip for clip in clips_in(path) if part_of(f"grid_s1/{clip}") == "test"]
    for stem, times_s, curves in captured(path, spread(stems, most, path), GRID_FPS, GRID_LATE_S):
        known = phones.get(f"grid_s1/{stem}")
        segments = None if known is None else tuple((a, b, phone) for a, b, phone in known)
        sound = sound_of(folders.needed(f"grid_s1/audio/{stem}.opus"))
        found.append(Recording(f"grid_s1/{stem}", sound, "neutral", segments, times_s, curves))
    return found


def facegood(folders: Folders, most: int) -> list[Recording]:
    """Return the FACEGOOD clips, 1114_2_01 to 1114_2_05."""
    path = folders.needed("facegood/curves.npz")
    found = []
    stems = clips_in(path)[-most:]
    for stem, times_s, curves in captured(path, stems, FACEGOOD_FPS, FACEGOOD_LATE_S):
        sound = sound_of(folders.needed(f"facegood/{stem}.flac"))
        found.append(Recording(f"facegood/{stem}", sound, times_s=times_s, curves=curves))
    return found


def ravdess_captured(folders: Folders, most: int) -> list[Recording]:
    """Return the RAVDESS clips with sound and action units in every frame (actors 01-04)."""
    path = folders.needed("ravdess/action_units_frames.npz")
    audio = folders.needed("ravdess/audio")
    stems = [name for name in clips_in(path) if (audio / f"{name}.opus").exists()]
    found = []
    for stem, times_s, curves in captured(path, spread(stems, most, path), RAVDESS_FPS, 0.0):
        sound = sound_of(audio / f"{stem}.opus")
        emotion = RAVDESS_EMOTIONS[stem.split("-")[2]]
        found.append(Recording(f"ravdess/{stem}", sound, emotion, None, times_s, curves))
    return found


def ravdess_voices(folders: Folders, most: int) -> list[Recording]:
    """Return the speech of the actors that no classifier and no research build learns (17-20)."""
    audio = folders.needed("ravdess/audio")
    paths = [
        path for path in sorted(audio.glob("*.opus")) if part_of(f"ravdess/{path.stem}") == "test"
    ]
    return [
        Recording(f"ravdess/{path.stem}", sound_of(path), RAVDESS_EMOTIONS[path.stem.split("-")[2]])
        for path in spread(paths, most, audio)
    ]


def kokoro(folders: Folders, most: int) -> list[Recording]:
    """Return the held-out synthetic voices (`split.json`), with the synthesiser's own phones."""
    path = folders.needed("kokoro/index.jsonl")
    with reading(path):
        clips = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        held_out = [c for c in clips if part_of(f"kokoro/{Path(c['file']).stem}") == "test"]
    found = []
    for clip in spread(held_out, most, path):
        sound = sound_of(folders.needed(f"kokoro/{clip['file']}"))
        with reading(path):
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
        for stem in spread(stems, most, folders.cache)
    ]
