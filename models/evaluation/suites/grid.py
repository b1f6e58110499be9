"""GRID, the test part: jaw and lips against a tracked face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.groups import jaw, mouth_close, opening, pucker, together
from models.evaluation.loading import grid
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.lips import closures
from models.evaluation.metrics.motion import jerk
from models.evaluation.suites.lips import CLOSERS, NO_CLOSURES, OPEN_VOWELS
from models.evaluation.suites.suite import followed, mean, median
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording


class Grid:
    """Captured curves as they came from the tracker, not the training recipe's targets."""

    title = "test part: a tracked man"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = grid(folders, most)
        self._true_jerk = [_true_jerk(clip) for clip in self._clips]

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield agreement of jaw, purse and closing, and jerk."""
        made = [(perform(maker, clip, lookahead_ms), clip) for clip in self._clips]
        faces = [(face, clip) for face, clip in made if face is not None]
        if not faces:
            return
        jaws = [followed(jaw(face), clip, "jawOpen") for face, clip in faces]
        yield median("grid.jaw_r", [found.near for found in jaws])
        yield median("grid.jaw_r0", [found.together for found in jaws])
        yield median("grid.jaw_lag_ms", [found.lag_s * 1000 for found in jaws])
        rounded = [followed(pucker(face), clip, "mouthPucker") for face, clip in faces]
        yield median("grid.pucker_r", [found.near for found in rounded])
        yield median("grid.pucker_lag_ms", [found.lag_s * 1000 for found in rounded])
        for key, curve, true in (
            ("grid.close_r", mouth_close, "mouthClose"),
            ("grid.together_r", together, "mouthClose"),
        ):
            yield median(key, [followed(curve(face), clip, true).near for face, clip in faces])
        yield mean("grid.jerk", [jerk(opening(face)) for face, _ in faces])
        yield mean("grid.true_jerk", self._true_jerk)
        spoken = [
            closures(together(face), opening(face), clip.phone_rows(), CLOSERS, OPEN_VOWELS)
            for face, clip in faces
            if clip.phones is not None
        ]
        if spoken:
            lips = sum(spoken, NO_CLOSURES)
            yield Finding("grid.closures", 100 * lips.rate, lips.closers)
            yield Finding("grid.false_open", 100 * lips.false_rate, lips.vowels)


def _true_jerk(clip: Recording) -> float:
    captured = clip.curves["jawOpen"]
    times_s = np.arange(clip.rows) / ROW_RATE_HZ
    return jerk(np.interp(times_s, clip.times_s, captured).astype(np.float32))
