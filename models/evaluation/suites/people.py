"""Tracked faces, person by person, in millimetres: how well lips follow, how late, how far.

r is at lag 0, mean over a person's clips, then over people, so that each counts alike. The lag is
that of the best mean r. Sizes are a curve's way between its 10th and 90th percentile in a clip,
mean over a person's clips; they are compared only for people with at least `FEWEST_CLIPS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.geometry.heads import needed
from models.evaluation.loading import grid, strangers
from models.evaluation.makers import perform
from models.evaluation.measures import WITHIN, Finding
from models.evaluation.metrics.agreement import lagged, pearson, summary
from models.evaluation.metrics.size import FEWEST_PEOPLE, extent, ratios
from models.evaluation.suites.suite import mean, median

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from models.evaluation.geometry.heads import MeasuredHead
    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording

    Floats = NDArray[np.float32]

CURVES = {"gap": "gap_mm", "width": "width_mm", "pucker": "mouthPucker"}
"""What is compared, with the captured curve: two in millimetres, one in ARKit's score."""
FEWEST_CLIPS = 5


class People:
    """Measures under the keys `<key>.<curve>_<what>`."""

    is_timed = True

    def __init__(
        self,
        key: str,
        title: str,
        source: str,
        people: Mapping[str, Sequence[Recording]],
        head: MeasuredHead,
    ) -> None:
        self.title = f"{title}, on {head.name}"
        self.source = source
        self._key = key
        self._people = people
        self._head = head

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield agreement and sizes of each curve."""
        courses: dict[str, list[NDArray[np.float64]]] = {curve: [] for curve in CURVES}
        sizes: dict[str, list[tuple[float, float]]] = {curve: [] for curve in CURVES}
        for clips in self._people.values():
            made = [(perform(maker, clip, lookahead_ms), clip) for clip in clips]
            faces = [(self._curves(face), clip) for face, clip in made if face is not None]
            if not faces:
                continue
            for curve, true in CURVES.items():
                followed = [lagged(m[curve], c.times_s, c.curves[true]) for m, c in faces]
                courses[curve].append(np.mean(followed, axis=0))
                if len(faces) >= min(FEWEST_CLIPS, max(map(len, self._people.values()))):
                    own = float(np.mean([extent(m[curve]) for m, _ in faces]))
                    real = float(np.mean([extent(c.curves[true]) for _, c in faces]))
                    sizes[curve].append((own, real))
        for curve in CURVES:
            yield from self._found(curve, courses[curve], sizes[curve])

    def _curves(self, face: Floats) -> dict[str, Floats]:
        scores = self._head.scores(face)
        found = self._head.geometry(scores)
        return {"gap": found.gap, "width": found.width, "pucker": scores["mouthPucker"]}

    def _found(
        self,
        curve: str,
        courses: Sequence[NDArray[np.float64]],
        sizes: Sequence[tuple[float, float]],
    ) -> Iterator[Finding]:
        if not courses:
            return
        key = f"{self._key}.{curve}"
        every = summary(np.mean(courses, axis=0))
        yield Finding(f"{key}_r", every.together, len(courses))
        yield Finding(f"{key}_lag_ms", 1000 * every.lag_s, len(courses))
        own, real = [one for one, _ in sizes], [one for _, one in sizes]
        beside = ratios(own, real)
        yield median(f"{key}_ratio", beside.tolist())
        yield mean(f"{key}_size", own)
        yield mean(f"{key}_real_size", real)
        if curve == "gap" and len(sizes) >= FEWEST_PEOPLE:
            near = 100 * float((np.abs(beside - 1) <= WITHIN).mean())
            yield Finding(f"{key}_within", near, len(beside))
            yield Finding(f"{key}_size_r", pearson(np.array(own), np.array(real)), len(sizes))


def grid_people(folders: Folders, most: int, head: MeasuredHead | None) -> People:
    """Return the suite of the GRID talker's test clips, the curves as they were tracked."""
    title = "the tracked man who taught the mouth, new clips, in mm"
    return People("grid_mm", title, "grid_s1", {"s1": grid(folders, most)}, needed(head))


def strangers_people(folders: Folders, most: int, head: MeasuredHead | None) -> People:
    """Return the suite of 36 news readers, whom the default weights never heard or saw."""
    title = "36 news readers (Arabic), tracked, in mm"
    return People("strangers", title, "strangers", strangers(folders, most), needed(head))
