"""Faces over time to learn from how regions depend on each other, in windows of several kinds.

Captured kinds are those of `captured_courses.py`; `rules` is speech of the corpus under drawn
emotions (`postures.face_targets`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.correlation import Windows
from models.emotions import EMOTIONS
from models.timing import ROW_RATE_HZ
from models.training.batches import draw_emotions, emotion_row
from models.training.captured_courses import grid_courses, iphone_courses, ravdess_courses
from models.training.ruled_faces import RuledFaces
from models.training.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


CAPTURED = {"grid_s1": grid_courses, "iphone": iphone_courses, "ravdess": ravdess_courses}
"""What reads each captured kind of a data folder, one part of it."""

KINDS = {"grid_s1": 0.3, "iphone": 0.2, "rules": 0.5}
"""Kinds that may supervise the default weights, and each one's share of the windows."""

RESEARCH_KINDS = {"ravdess": 1.0}
"""Kinds of a network for research: measured faces alone, so that no rule is learned with them."""

UNFELT_SHARE = 0.3  # the emotion is kept from the network this often: regions must tell

CAPTURES = {
    "grid_s1": "GRID corpus, speaker s1 (Cooke et al. 2006), tracked: CC BY 4.0",
    "iphone": "Live Link Face range of motion: MIT",
    "rules": "phonetic rules, FACS postures and the corpus they were applied to",
    "ravdess": f"{SOURCES['ravdess'].title}: {SOURCES['ravdess'].licence}",
}
"""Where each kind comes from, for the card."""


class Courses:
    """Windows of some kinds of one part, drawn by seed and number alone.

    `shares` are those of the kinds; `cache` is read where `rules` are among them.
    """

    def __init__(
        self, data: Path, cache: Path, part: str, shares: Mapping[str, float] = KINDS
    ) -> None:
        self.shares = dict(shares)
        self.captured = {
            kind: read(data, part) for kind, read in CAPTURED.items() if kind in shares
        }
        self.ruled = RuledFaces(cache, part) if "rules" in shares else None

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each kind."""
        rows = {
            kind: sum(len(course.values) for course in courses)
            for kind, courses in self.captured.items()
        }
        if self.ruled is not None:
            rows["rules"] = self.ruled.rows
        return {kind: round(count / ROW_RATE_HZ / 60, 1) for kind, count in rows.items()}

    def draw(
        self, rows: int, size: int, seed: int, number: int, kind: str | None = None
    ) -> Windows:
        """Return batch `number` of the run `seed`: `size` windows of `rows` rows.

        The kinds are drawn by their shares, or all are `kind`.
        """
        random = np.random.default_rng((seed, number))
        kinds = (
            random.choice(list(self.shares), size, p=list(self.shares.values()))
            if kind is None
            else [kind] * size
        )
        emotion = draw_emotions(size, len(EMOTIONS), random)
        felt = random.random(size) >= UNFELT_SHARE
        values, observed = [], []
        for row, drawn in enumerate(kinds):
            if drawn == "rules" and self.ruled is not None:
                face, seen = self.ruled.draw(rows, emotion[row], random)
            else:
                courses = self.captured[drawn]
                course = courses[random.integers(len(courses))]
                first = random.integers(len(course.values) - rows + 1)
                face, seen = course.values[first : first + rows], course.observed
                # The weight of neutral moves nothing, so that any may be told.
                emotion[row, 1:] = emotion_row(course.emotion or {})[1:]
                felt[row] &= course.emotion is not None
            values.append(face)
            observed.append(seen)
        return Windows(
            torch.from_numpy(np.stack(values)),
            torch.from_numpy(np.stack(observed)),
            emotion,
            torch.from_numpy(felt),
        )
