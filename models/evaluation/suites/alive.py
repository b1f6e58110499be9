"""What a face's own life does to its lips: every figure of them, with it and without."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN, INDEX
from models.evaluation.makers import PhoneMaker
from models.evaluation.measures import Finding
from models.evaluation.recordings import MissingDataError
from models.evaluation.suites.facegood import Facegood
from models.evaluation.suites.grid import Grid
from models.evaluation.suites.lips import Lips, Silence
from models.evaluation.suites.ravdess import UNSEEN, Ravdess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from models.evaluation.joint.performance import Living
    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders
    from models.evaluation.suites.suite import Suite

    Floats = NDArray[np.float32]

SUITES: dict[str, Callable[[Folders, int], Suite]] = {
    "grid": Grid,
    "facegood": Facegood,
    "ravdess": Ravdess,
    "lips": Lips,
    "silence": Silence,
}
"""Those that judge lips, by their names."""
BESIDES = frozenset({"eve", "mve", "fdd", "fdd_size", "region_distance", "true_jerk"})
"""Figures of theirs that are about more than a made mouth: brows are to move."""

_COLUMNS = np.array([INDEX[name] for name in AUDIO_DRIVEN])


class Enlivened:
    """A maker whose faces live; each has another seed."""

    def __init__(self, maker: Maker, living: Living) -> None:
        self.name = maker.name
        self._maker = maker
        self._living = living
        self._made = 0

    def faces(self, sound: Floats, emotions: Floats, lookahead_ms: int) -> Floats:
        """Return a living face, as `Maker.faces`."""
        face = self._maker.faces(sound, emotions, lookahead_ms)
        self._made += 1
        return np.asarray(self._living(sound, emotions, face, self._made).board[:, _COLUMNS])


class Alive:
    """Measures lips twice, and tells how far any figure changes."""

    title = "lips of living faces beside the same faces still: greatest change of any figure"
    source = ""
    is_timed = False

    def __init__(self, folders: Folders, most: int, living: Living | None) -> None:
        if living is None:
            raise MissingDataError("faces come alive in the program: cstalk-bridge evaluate")
        self._living = living
        self._suites: dict[str, Suite] = {}
        for name, suite in SUITES.items():
            with suppress(MissingDataError):
                self._suites[name] = suite(folders, most)
        if not self._suites:
            raise MissingDataError("there are no recordings for any figure of lips")

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield for each suite the greatest change, in percent of the figure of the still face."""
        if isinstance(maker, PhoneMaker):
            return
        living = Enlivened(maker, self._living)
        for name, suite in self._suites.items():
            still = lip_figures(suite.measure(maker, lookahead_ms))
            alive = lip_figures(suite.measure(living, lookahead_ms))
            changes = [change(value, alive[key]) for key, value in still.items()]
            yield Finding(f"alive.{name}", max(changes, default=math.nan), len(changes))


def lip_figures(found: Iterable[Finding]) -> dict[str, float]:
    """Return what was found about lips, by its key."""
    return {
        one.key: one.value
        for one in found
        if one.count and one.key.partition(".")[2].removeprefix(UNSEEN) not in BESIDES
    }


def change(before: float, after: float) -> float:
    """Return by how many percent a figure changed: 0 for one that is the same, or NaN in both.

    From 0 any change is without end.
    """
    if before == after or (math.isnan(before) and math.isnan(after)):
        return 0.0
    return 100.0 * abs(after - before) / abs(before) if before else math.inf
