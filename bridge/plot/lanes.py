"""Which curves are drawn where: regions, the strongest curves of each, both sides as one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bridge.plot.measures import Floats
    from bridge.plot.study import Study
    from bridge.rig.tables import Curve

VISIBLE = 0.05
"""Share of a curve's range below which it is not drawn, unless it is asked for."""
MOST_LINES = 4
"""Lines in one lane."""
MOST_LANES = 2
"""Lanes of one region, unless its curves are asked for."""
SAME = 0.05
"""Share of the range up to which left and right are one line."""
FIRST_REGIONS = ("mouth", "jaw", "tongue", "cheek", "nose", "brow", "eyelid", "gaze", "head")
"""Regions in the order of what speech moves; others follow."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, or a curve and its mirror that differ by no more than `SAME`: their mean."""

    label: str
    columns: tuple[int, ...]

    def values(self, study: Study) -> Floats:
        """Return what is drawn, [time]."""
        return np.asarray(study.curves[:, self.columns].mean(axis=1))


@dataclass(frozen=True, slots=True)
class Lane:
    """Lines of one region; `hidden` counts curves of it that move and are not drawn."""

    region: str
    lines: tuple[Line, ...]
    hidden: int = 0


def lanes(studies: Sequence[Study], wanted: Collection[str] = ()) -> list[Lane]:
    """Return the lanes of one take, or of two with the same table, over each other.

    With `wanted` only the curves of these names are drawn, all of them.
    """
    found: list[Lane] = []
    table = studies[0].table
    for region in in_order(studies[0].regions):
        columns = [column for column, curve in enumerate(table) if curve.region == region]
        if wanted:
            columns = [column for column in columns if table[column].name in wanted]
        lines = list(_lines(studies, columns, 0.0 if wanted else VISIBLE))
        shown = lines if wanted else lines[: MOST_LINES * MOST_LANES]
        hidden = sum(len(line.columns) for line in lines[len(shown) :])
        batches = [Lane(region, batch) for batch in _batches(shown)]
        if hidden:
            batches[-1] = Lane(region, batches[-1].lines, hidden)
        found += batches
    return found


def in_order(regions: Collection[str]) -> list[str]:
    """Return regions in the order in which they are drawn."""
    first = [region for region in FIRST_REGIONS if region in regions]
    return first + [region for region in regions if region not in first]


def _lines(studies: Sequence[Study], columns: Sequence[int], least: float) -> Iterator[Line]:
    """Yield the lines of some curves, the farthest from rest first."""
    table = studies[0].table
    places = {table[column].name: column for column in columns}
    drawn: set[int] = set()
    reach = {column: _reach(studies, column) for column in columns}
    for column in sorted(columns, key=lambda column: -reach[column]):
        if column in drawn or reach[column] < least:
            continue
        mirror = places.get(table[column].mirror, column)
        if mirror != column and _alike(studies, column, mirror):
            drawn.add(mirror)
            yield Line(_pair_label(table[column]), (column, mirror))
        else:
            yield Line(short_name(table[column].name), (column,))


def short_name(name: str) -> str:
    """Return a curve's name without what all MetaHuman curves begin with."""
    return name.removeprefix("CTRL_expressions_")


def _pair_label(curve: Curve) -> str:
    """Return what a curve and its mirror have in common: `MouthSmile L R`."""
    name, mirror = short_name(curve.name), short_name(curve.mirror)
    for one, other in (("Left", "Right"), ("Right", "Left"), ("L", "R"), ("R", "L")):
        if name.endswith(one) and name[: -len(one)] + other == mirror:
            return f"{name[: -len(one)]} L R"
    return f"{name}, {mirror}"


def _reach(studies: Sequence[Study], column: int) -> float:
    curve = studies[0].table[column]
    span = curve.maximum - curve.minimum
    return max(float(np.abs(study.curves[:, column]).max()) for study in studies) / span


def _alike(studies: Sequence[Study], left: int, right: int) -> bool:
    curve = studies[0].table[left]
    if curve.mirror_sign < 0:
        return False
    limit = SAME * (curve.maximum - curve.minimum)
    return all(
        float(np.abs(study.curves[:, left] - study.curves[:, right]).max()) <= limit
        for study in studies
    )


def _batches(lines: Sequence[Line]) -> Iterator[tuple[Line, ...]]:
    return (tuple(lines[first : first + MOST_LINES]) for first in range(0, len(lines), MOST_LINES))
