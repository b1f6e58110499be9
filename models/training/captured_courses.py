"""Captured faces over time, clip by clip, with the channels that each tells.

- `grid_s1`: a tracked talker, neutral. Trusted are the curves in `GRID_TRUSTED`; the tracker's
  lips (funnel, smile, upper, lower) and nose hardly move, its squint is its blink (r 0.92), and
  blinks belong to no speech.
- `iphone`: a posed range of motion, emotion unknown, every shape of ARKit.
- `ravdess`: actors' action units under acted emotions, as channels (`action_units.py`); for
  research only. Not the actors of its test part, on whom a generator is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.board import AUDIO_DRIVEN
from models.timing import ROW_RATE_HZ
from models.training.action_units import OBSERVED_CHANNELS, ActionUnits, emotion_of
from models.training.captured_mouths import JAW_GAIN, PUCKER_GAIN
from models.training.captures import above_rest, board_of, named, observed_by
from models.training.sources import (
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    face_curves,
    held_out,
    part_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FILES = {
    "grid_s1": f"grid_s1/{GRID_CURVES}",
    "iphone": "iphone/range_of_motion_30fps.npz",
    "ravdess": "ravdess/action_units_frames.npz",
}
"""Where in the data folder each kind lies."""

GRID_TRUSTED = ("browDownLeft", "browDownRight", "jawOpen", "mouthClose", "mouthPucker")
GRID_GAINS = {"jawOpen": JAW_GAIN, "mouthPucker": PUCKER_GAIN}
GRID_ROWS = 148  # of 3 s: the last frame is that of 2.96 s
IPHONE_FPS = 30.0
IPHONE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


@dataclass(frozen=True, slots=True)
class Course:
    """A captured face: `values` [time, 81] at 50 rows a second, `observed` [81].

    `emotion` has the weights of what was played by name; None where that is unknown.
    """

    name: str
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    emotion: Mapping[str, float] | None


def grid_courses(data: Path, part: str) -> list[Course]:
    """Return the tracked talker's clips of one part (train, dev or test)."""
    archive: Any = np.load(data / FILES["grid_s1"])
    names = list(archive["names"])
    columns = [names.index(name) for name in GRID_TRUSTED]
    observed = observed_by(GRID_TRUSTED)
    courses = []
    for clip in sorted(name for name in archive.files if f"{name}__head" in archive.files):
        if part_of(f"grid_s1/{clip}") != part or np.isnan(archive[clip]).any(1).mean() > 0.2:
            continue
        curves = face_curves(archive, clip, GRID_LATE_S, GRID_FPS, GRID_ROWS)[:, columns]
        scores = named(above_rest(curves), GRID_TRUSTED)
        board = board_of(scores)  # lips together are a ratio: taken before the gains
        louder = board_of({name: GRID_GAINS.get(name, 1.0) * s for name, s in scores.items()})
        together = [i for i, name in enumerate(AUDIO_DRIVEN) if "lipsTogether" in name]
        louder[:, together] = board[:, together]
        courses.append(Course(f"grid_s1/{clip}", louder, observed, {}))
    return courses


def iphone_courses(data: Path, part: str) -> list[Course]:
    """Return the posed range of motion; the parts follow each other in every take."""
    archive: Any = np.load(data / FILES["iphone"])
    names = list(archive["names"])
    courses = []
    for take in sorted(name for name in archive.files if f"{name}__timecode" in archive.files):
        rows = int(len(archive[take]) / IPHONE_FPS * ROW_RATE_HZ)
        scores = named(above_rest(face_curves(archive, take, 0.0, IPHONE_FPS, rows)), names)
        first, last = (int(share * rows) for share in IPHONE_PARTS[part])
        board = board_of(scores)[first:last]
        courses.append(Course(f"iphone/{take}", board, observed_by(scores), None))
    return courses


def ravdess_courses(data: Path, part: str) -> list[Course]:
    """Return actors' faces; those of every part but train are the held-out actors'."""
    archive: Any = np.load(data / FILES["ravdess"])
    units = ActionUnits(archive)
    unseen = held_out()["test"]["ravdess_faces"]
    courses = []
    for stem in sorted(units.clips):
        felt = emotion_of(stem)
        if felt is None or (stem[-2:] in unseen) == (part == "train"):
            continue
        rows = int(len(units.clips[stem]) / RAVDESS_FPS * ROW_RATE_HZ)
        board = units.channels(stem, rows)
        if board is not None:
            courses.append(Course(f"ravdess/{stem}", board, OBSERVED_CHANNELS, felt))
    return courses
