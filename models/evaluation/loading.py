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

NO_CLIPS = ("names", "lips_names")
EYES_APART_MM = 88.0
"""Between the outer corners of the eyes: the unit of tracked lips."""
LIPS = {
    "inner_gap_13_14": "gap_mm",
    "outer_width_61_291": "width_mm",
    "outer_height_0_17": "height_mm",
    "inner_width_78_308": "inner_width_mm",
    "lip_protrusion_z": "protrusion_mm",
    "corner_raise": "corner_mm",
}
"""Tracked lips: the tracker's names, with its landmarks' numbers, and ours."""
STRANGERS_FPS = 25.0
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
    """Yield clips with audio times and curves by name, without frames that were not tracked.

    Lips that were tracked beside the curves are among them, in millimetres, by the names in `LIPS`.
    """
    with archive_of(path) as archive:
        faces = {clip: _tracked(archive, clip, fps, late_s) for clip in clips}
    for clip, (times_s, curves) in faces.items():
        tracked = np.isfinite(np.stack(list(curves.values()))).all(0)
        yield clip, times_s[tracked], {name: curve[tracked] for name, curve in curves.items()}


def _tracked(
    archive: Any, clip: str, fps: float, late_s: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
    values = archive[clip].astype(np.float32)
    curves = dict(zip(map(str, archive["names"]), values.T, strict=True))
    if f"{clip}__lips" in archive.files:
        names = [str(name) for name in archive["lips_names"]]
        lips = EYES_APART_MM * archive[f"{clip}__lips"].astype(np.float32)
        curves |= {mm: lips[:, names.index(name)] for name, mm in LIPS.items() if name in names}
    if f"{clip}__t" in archive.files:
        return archive[f"{clip}__t"].astype(np.float64), curves
    return np.arange(len(values)) / fps - late_s, curves


def clips_in(path: Path) -> list[str]:
    """Return the clips of an archive of captured faces, sorted."""
    with archive_of(path) as archive:
        return sorted(name for name in archive.files if name not in NO_CLIPS and "__" not in name)


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


def strangers(folders: Folders, most: int) -> dict[str, list[Recording]]:
    """Return the clips of each news reader; `most` is meant of each."""
    path = folders.needed("strangers/curves.npz")
    known = folders.needed("strangers/speakers.json")
    with reading(known):
        speakers = dict(json.loads(known.read_text("utf-8")))
    people: dict[str, list[str]] = {}
    for stem in clips_in(path):
        if stem in speakers:
            people.setdefault(f"{speakers[stem]:02}", []).append(stem)
    if not people:
        raise MissingDataError(f"{path} holds no clip of {known}; fetch both again")
    found: dict[str, list[Recording]] = {}
    for person, stems in sorted(people.items()):
        for stem, times_s, curves in captured(path, spread(stems, most, path), STRANGERS_FPS, 0.0):
            sound = sound_of(folders.needed(f"strangers/audio/{stem}.opus"))
            clip = Recording(f"strangers/{stem}", sound, times_s=times_s, curves=curves)
            found.setdefault(person, []).append(clip)
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
