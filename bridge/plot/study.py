"""Everything a picture shows of one take, computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.plot.acoustics import loudness
from bridge.plot.findings import Findings, find
from bridge.plot.looks import Looks, looks
from bridge.plot.measures import Agreement, agreement, closures, jerk, mouth_opening
from bridge.rig.tables import Curve
from bridge.takes.take import curve_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.plot.measures import Floats
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take

JAW = "CTRL_C_jaw.ty"
LIPS = tuple(f"CTRL_{side}_mouth_lipsTogether{half}.ty" for side in "LR" for half in "UD")
UNNAMED_REGION = "curves"
"""The region of curves of which no table knows one."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Rows of a take from `start_s` on: curves of a rig map, and what was measured on them.

    `curves` is [time, len(table)], `opening` [time] 0..1, `loudness` [time] in dBFS or None without
    sound, `closures` [closures, 2] rows, `roughness` the greatest jerk of a region's curves
    between rows, [time - 3] each, in ranges per second cubed.
    """

    take: Take
    table: tuple[Curve, ...]
    start_s: float
    curves: Floats
    opening: Floats
    loudness: Floats | None
    closures: NDArray[np.intp]
    agreement: Agreement | None
    roughness: dict[str, Floats]
    findings: Findings
    looks: Looks

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each row within the take, float64 [time]."""
        return self.start_s + np.arange(len(self.curves)) / self.take.rate.hz

    @property
    def end_s(self) -> float:
        """Time of the end of the last row."""
        return self.start_s + len(self.curves) / self.take.rate.hz

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of the curves."""
        return tuple(self.roughness)


def examine(take: Take, rigmap: RigMap, rows: slice) -> Study:
    """Study some rows of a take, at least one, through a rig map."""
    first, last, _ = rows.indices(take.rows)
    start_s, rate_hz = first / take.rate.hz, take.rate.hz
    table = curve_table(rigmap)
    curves = _curves(take, rigmap, first, last)
    lips = np.stack([_channel(take, name, rows) for name in LIPS]).mean(axis=0)
    opening = mouth_opening(_channel(take, JAW, rows), lips)
    level = None if take.sound is None else loudness(take.sound, last - first, rate_hz, start_s)
    return Study(
        take=take,
        table=table,
        start_s=start_s,
        curves=curves,
        opening=opening,
        loudness=level,
        closures=closures(lips),
        agreement=None if level is None else agreement(opening, level, rate_hz),
        roughness=_roughness(curves, table, rate_hz),
        findings=find(curves, table, rate_hz, start_s),
        looks=looks(take, rows),
    )


def curve_table(rigmap: RigMap) -> tuple[Curve, ...]:
    """Return what is known of each curve that a map sends, with the limits the map holds it to."""
    known = rigmap.ruleset.table.by_name
    return tuple(
        replace(
            known.get(name) or Curve(name, 0, 1, "C", UNNAMED_REGION, name, 1, required=False),
            minimum=float(minimum),
            # Shares of a range mean something for a curve held to one value, too.
            maximum=float(maximum) if maximum > minimum else float(minimum) + 1.0,
        )
        for name, minimum, maximum in zip(
            rigmap.outputs, rigmap.minimum, rigmap.maximum, strict=False
        )
    )


def _curves(take: Take, rigmap: RigMap, first: int, last: int) -> Floats:
    """Return the curves of some rows; the rows before them are mapped for the smoothing's sake."""
    kept, row = [], 0
    for block in curve_blocks(take, rigmap):
        kept.append(block[max(first - row, 0) : max(last - row, 0)])
        row += len(block)
        if row >= last:
            break
    return np.concatenate(kept)


def _channel(take: Take, name: str, rows: slice) -> Floats:
    board = take.board[rows]
    if name in take.channels:
        return board[:, take.channels.index(name)]
    return np.zeros(len(board), dtype=np.float32)


def _roughness(curves: Floats, table: Sequence[Curve], rate_hz: float) -> dict[str, Floats]:
    rough: dict[str, Floats] = {}
    for column, curve in enumerate(table):
        found = np.abs(jerk(curves[:, column], curve.maximum - curve.minimum, rate_hz))
        before = rough.get(curve.region)
        rough[curve.region] = found if before is None else np.maximum(before, found)
    return rough
