"""What the probes learn from and are asked about: sound with phones, and sound with lips."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.reading import archive_of, reading, sound_of
from models.evaluation.recordings import MissingDataError
from models.timing import HOP_SAMPLES, ROW_RATE_HZ
from models.training.align import Aligner, sentences_of
from models.training.segments import within_sound
from models.training.sources import GRID_FPS, clips_of, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeVar

    from numpy.typing import NDArray

    from models.evaluation.recordings import Folders
    from models.training.segments import Segment

    Item = TypeVar("Item")

SPOKEN = {"kokoro": 250, "kathleen": 90, "grid_s1": 60}
"""Clips of each source that teach the phone probe."""
LIPS = ("inner_gap_13_14", "outer_width_61_291", "lip_protrusion_z")
"""What of the lips is asked, by the names of the capture: their gap, width and protrusion."""
LIP_LESSONS = 260
ALIGNMENT = "evaluation_alignment"
"""Folder of the cache for the alignment of clips that train nothing."""
GRID_CURVES, STRANGERS = "grid_s1/curves_unsmoothed.npz", "strangers"


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A recording whose phones are known: `sound` [time] mono 16 kHz, `phones` in seconds."""

    name: str
    sound: NDArray[np.float32]
    phones: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Filmed:
    """A recording with measured lips: `rows` of the sound at 50 Hz, `lips` [rows, LIPS]."""

    name: str
    sound: NDArray[np.float32]
    rows: NDArray[np.int64]
    lips: NDArray[np.float32]


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of `items`, evenly spread."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def lessons(folders: Folders) -> list[Spoken]:
    """Return clips of the training part with phones; MissingDataError where there are none."""
    known = _phones(folders)
    found = []
    for source, most in SPOKEN.items():
        clips = clips_of(source, folders.needed(source))
        taught = [clip for clip in clips if clip.part == "train" and clip.name in known]
        for clip in spread(taught, most):
            sound = sound_of(clip.path)
            phones = tuple(within_sound(source, known[clip.name], sound))
            found.append(Spoken(clip.name, sound, phones))
    if not found:
        raise MissingDataError(f"{folders.data} holds no aligned training clips; fetch it again")
    return found


def other_voices(folders: Folders, most: int) -> list[Spoken]:
    """Return clips of the synthetic voices that are held out, with the synthesiser's phones."""
    known = _phones(folders)
    clips = clips_of("kokoro", folders.needed("kokoro"))
    held_out = [clip for clip in clips if clip.part != "train" and clip.name in known]
    found = []
    for clip in spread(held_out, most):
        sound = sound_of(clip.path)
        phones = tuple(within_sound("kokoro", known[clip.name], sound))
        found.append(Spoken(clip.name, sound, phones))
    return found


def actors(folders: Folders, most: int) -> list[Spoken]:
    """Return RAVDESS's actors with their phones; aligns them at the first call."""
    audio = folders.needed("ravdess")
    kept = folders.cache / ALIGNMENT
    kept.mkdir(parents=True, exist_ok=True)
    sentences = sorted(sentences_of("ravdess", audio), key=lambda s: s.name)
    try:
        known = Aligner(kept).align("ravdess", sentences)
    except ImportError as error:
        what = "RAVDESS has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    found = [sentence for sentence in sentences if sentence.name in known]
    return [Spoken(s.name, sound_of(s.path), tuple(known[s.name])) for s in spread(found, most)]


def grid_lips(folders: Folders) -> list[Filmed]:
    """Return GRID's training clips with the speaker's lips."""
    path = folders.needed(GRID_CURVES)
    with archive_of(path) as archive:
        stems = [name for name in archive.files if f"{name}__lips" in archive.files]
        taught = [stem for stem in sorted(stems) if part_of(f"grid_s1/{stem}") == "train"]
        return [
            _filmed(
                f"grid_s1/{stem}",
                folders.needed(f"grid_s1/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                np.arange(len(archive[f"{stem}__lips"])) / GRID_FPS,
            )
            for stem in spread(taught, LIP_LESSONS)
        ]


def strangers(folders: Folders, most: int) -> list[Filmed]:
    """Return the strangers with their lips."""
    path = folders.needed(f"{STRANGERS}/curves.npz")
    with archive_of(path) as archive:
        stems = sorted(n for n in archive.files if f"{n}__lips" in archive.files)
        return [
            _filmed(
                f"{STRANGERS}/{stem}",
                folders.needed(f"{STRANGERS}/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                archive[f"{stem}__t"],
            )
            for stem in spread(stems, most)
        ]


def _columns(names: NDArray[np.str_]) -> list[int]:
    return [list(map(str, names)).index(name) for name in LIPS]


def _filmed(
    name: str, path: Path, lips: NDArray[np.float16], times_s: NDArray[np.floating]
) -> Filmed:
    sound = sound_of(path)
    rows = np.round(times_s * ROW_RATE_HZ).astype(np.int64)
    values = lips.astype(np.float32)
    kept = np.isfinite(values).all(1) & (rows >= 0) & (rows < len(sound) // HOP_SAMPLES)
    return Filmed(name, sound, rows[kept], values[kept])


def _phones(folders: Folders) -> dict[str, list[Segment]]:
    path = folders.prepared("phones.json", "run models.training.prepare, or name it with --cache")
    with reading(path):
        known: dict[str, list[Segment]] = json.loads(path.read_text("utf-8"))
        return {name: [(a, b, phone) for a, b, phone in each] for name, each in known.items()}
