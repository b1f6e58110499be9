"""Faces over time to learn from how regions depend on each other.

Three kinds, each with the channels that it observes:
- `grid_s1`: a tracked talker, neutral. Trusted are the curves in `GRID_TRUSTED`; the tracker's
  lips (funnel, smile, upper, lower) and nose hardly move, its squint is its blink (r 0.92), and
  blinks belong to no speech.
- `iphone`: a posed range of motion, emotion unknown, every shape of ARKit.
- `rules`: speech of the corpus under drawn emotions (`postures.face_targets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.board import AUDIO_DRIVEN
from models.correlation import Windows
from models.emotions import EMOTIONS, MOUTH_GUARD
from models.timing import ROW_RATE_HZ
from models.training.batches import Corpus, draw_emotions
from models.training.captured_mouths import JAW_GAIN, PUCKER_GAIN
from models.training.captures import above_rest, board_of, named, observed_by
from models.training.corpus import OBSERVED
from models.training.postures import GESTURE_CHANNELS, SPOKEN, face_targets, fervour
from models.training.rules import GESTURES
from models.training.sources import GRID_FPS, GRID_LATE_S, face_curves, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

GRID_TRUSTED = ("browDownLeft", "browDownRight", "jawOpen", "mouthClose", "mouthPucker")
GRID_GAINS = {"jawOpen": JAW_GAIN, "mouthPucker": PUCKER_GAIN}
GRID_ROWS = 145  # of 3 s: the capture lags the sound, its last rows are not there
IPHONE_FPS = 30.0
IPHONE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}
KINDS = {"grid_s1": 0.3, "iphone": 0.2, "rules": 0.5}
"""Every kind and its share of the windows."""

RULED = ("grid_s1", "kathleen", "kokoro", "kokoro_more", "facegood")
"""Sources of the corpus whose licence lets the rules' faces train the default weights."""

UNFELT_SHARE = 0.3  # the emotion is kept from the network this often: regions must tell

CAPTURES = {
    "grid_s1": "GRID corpus, speaker s1 (Cooke et al. 2006), tracked: CC BY 4.0",
    "iphone": "Live Link Face range of motion: MIT",
    "rules": "phonetic rules, FACS postures and the corpus they were applied to",
}
"""Where each kind comes from, for the card."""


@dataclass(frozen=True, slots=True)
class Course:
    """A captured face: `values` [time, 81] at 50 rows a second, `observed` [81]."""

    name: str
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]


def grid_courses(data: Path, part: str) -> list[Course]:
    """Return the tracked talker's clips of one part (train, dev or test)."""
    archive: Any = np.load(data / "grid_s1/curves.npz")
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
        courses.append(Course(f"grid_s1/{clip}", louder, observed))
    return courses


def iphone_courses(data: Path, part: str) -> list[Course]:
    """Return the posed range of motion; the parts follow each other in every take."""
    archive: Any = np.load(data / "iphone/range_of_motion_30fps.npz")
    names = list(archive["names"])
    courses = []
    for take in sorted(name for name in archive.files if f"{name}__timecode" in archive.files):
        rows = int(len(archive[take]) / IPHONE_FPS * ROW_RATE_HZ)
        scores = named(above_rest(face_curves(archive, take, 0.0, IPHONE_FPS, rows)), names)
        first, last = (int(share * rows) for share in IPHONE_PARTS[part])
        board = board_of(scores)[first:last]
        courses.append(Course(f"iphone/{take}", board, observed_by(scores)))
    return courses


def _source(clip: Mapping[str, Any]) -> str:
    return str(clip["name"].split("/")[0])


class Courses:
    """Windows of all kinds of one part, drawn by seed and number alone."""

    def __init__(self, data: Path, cache: Path, part: str) -> None:
        self.captured = {
            "grid_s1": grid_courses(data, part),
            "iphone": iphone_courses(data, part),
        }
        self.corpus = Corpus(cache, part)
        self.ruled = [clip for clip in self.corpus.clips if _source(clip) in RULED]

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each kind."""
        captured = {
            kind: round(sum(len(course.values) for course in courses) / ROW_RATE_HZ / 60, 1)
            for kind, courses in self.captured.items()
        }
        ruled = sum(clip["rows"] for clip in self.ruled) / ROW_RATE_HZ / 60
        return captured | {"rules": round(ruled, 1)}

    def draw(
        self, rows: int, size: int, seed: int, number: int, kind: str | None = None
    ) -> Windows:
        """Return batch `number` of the run `seed`: `size` windows of `rows` rows.

        The kinds are drawn by their shares, or all are `kind`.
        """
        random = np.random.default_rng((seed, number))
        kinds = (
            random.choice(list(KINDS), size, p=list(KINDS.values()))
            if kind is None
            else [kind] * size
        )
        emotion = draw_emotions(size, len(EMOTIONS), random)
        felt = random.random(size) >= UNFELT_SHARE
        values, observed = [], []
        for row, drawn in enumerate(kinds):
            if drawn == "rules":
                face, seen = self._rules(rows, emotion[row], random)
            else:
                face, seen = self._captured(drawn, rows, random)
                emotion[row] = 0.0
                felt[row] &= drawn != "iphone"
            values.append(face)
            observed.append(seen)
        return Windows(
            torch.from_numpy(np.stack(values)),
            torch.from_numpy(np.stack(observed)),
            emotion,
            torch.from_numpy(felt),
        )

    def _captured(
        self, kind: str, rows: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        courses = self.captured[kind]
        course = courses[random.integers(len(courses))]
        first = random.integers(len(course.values) - rows + 1)
        return course.values[first : first + rows], course.observed

    def _rules(
        self, rows: int, emotion: torch.Tensor, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        clips = [clip for clip in self.ruled if clip["rows"] >= rows]
        clip = clips[random.integers(len(clips))]
        first = clip["first"] + random.integers(clip["rows"] - rows + 1)
        window = slice(first, first + rows)
        gestures = torch.from_numpy(self.corpus.gestures[window].astype(np.float32))
        stress = torch.from_numpy(self.corpus.stress[window].astype(np.float32))
        spoken = np.flatnonzero(self.corpus.stress[clip["first"] : first + rows] > SPOKEN)
        swell = fervour(spoken, np.arange(first, first + rows) - clip["first"])
        felt = torch.cat((emotion, torch.tensor([MOUTH_GUARD])))
        face = face_targets(
            gestures[None], stress[None], torch.from_numpy(swell)[None], felt[None]
        )[0]
        told = OBSERVED[_source(clip)]
        asked = torch.tensor([float(name in told) for name in GESTURES]) @ GESTURE_CHANNELS > 0
        silent = ~(GESTURE_CHANNELS.amax(0) > 0)
        seen = asked | (silent & (len(told) == len(GESTURES)))
        return face.numpy(), seen.numpy()
