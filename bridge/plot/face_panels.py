"""The panels of the face: its curves by region, the chosen emotion, gaze, head and blinks.

Of each region the strongest curves are drawn, both sides as one line where they agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.emotion_trajectory import SampledEmotion
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.metrics.curves import FACE_DEG
from cstalk_bridge.plot.measures import rms
from cstalk_bridge.plot.panels import (
    COLUMNS,
    LEFT,
    LEGEND_LINE,
    SMALL,
    LegendEntry,
    Panel,
    ceiling,
    decimated,
    minus,
)
from cstalk_bridge.takes.take import between

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cstalk_bridge.plot.measures import Floats
    from cstalk_bridge.plot.panels import PanelFigure, ShownTake
    from cstalk_bridge.plot.study import Study
    from cstalk_bridge.rig.curves import Curve


MAX_CHANGES_SHOWN = 6
"""Changes of settings that are named; all have a line."""

VISIBLE = 0.05
"""Share of a curve's range below which it is not drawn, unless it is chosen."""
MAX_LINES = 4
"""Lines in one group."""
MAX_GROUPS = 2
"""Groups of curves of one region, unless its curves are chosen."""
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
class CurveGroup:
    """Lines of one region; `hidden` counts curves of it that move and are not drawn."""

    region: str
    lines: tuple[Line, ...]
    hidden: int = 0


def curve_groups(studies: Sequence[Study], wanted: Collection[str] = ()) -> list[CurveGroup]:
    """Return the curve groups of one take, or of two with the same table, over each other.

    With `wanted` only the curves of these names are drawn, all of them.
    """
    found: list[CurveGroup] = []
    table = studies[0].table
    for region in in_order(studies[0].regions):
        columns = [column for column, curve in enumerate(table) if curve.region == region]
        if wanted:
            columns = [column for column in columns if table[column].name in wanted]
        lines = list(_lines(studies, columns, 0.0 if wanted else VISIBLE))
        shown = lines if wanted else lines[: MAX_LINES * MAX_GROUPS]
        hidden = sum(len(line.columns) for line in lines[len(shown) :])
        batches = [CurveGroup(region, batch) for batch in _batches(shown)]
        if hidden:
            batches[-1] = CurveGroup(region, batches[-1].lines, hidden)
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
    return (tuple(lines[first : first + MAX_LINES]) for first in range(0, len(lines), MAX_LINES))


LANE_HEIGHT, SLIM_HEIGHT = 104, 72
"""Heights of a group, and of one with few lines in it."""
FEW_LINES = 2


def curve_panel(group: CurveGroup, takes: Sequence[ShownTake], *, is_first: bool) -> Panel:
    """Return the panel of a group of curves; the first of a region shows how two takes differ."""
    height = SLIM_HEIGHT if len(group.lines) <= FEW_LINES else LANE_HEIGHT

    def draw(canvas: PanelFigure, top: int) -> None:
        shown = [
            (line, hue, take, line.values(take.study))
            for line, hue in zip(group.lines, canvas.theme.hues, strict=False)
            for take in takes
        ]
        high = ceiling(max(float(values.max()) for *_, values in shown))
        lowest = min(float(values.min()) for *_, values in shown)
        low = -ceiling(-lowest) if lowest < 0 else 0.0
        margin = 0.03 * (high - low)
        axes = canvas.axes(top, height, low - margin, high + margin)
        for _, hue, take, values in shown:
            course = decimated(take.study.times_s, values, COLUMNS)
            width = 2.0 if take.style == "-" else 1.6
            axes.plot(*course, color=hue, linewidth=width, linestyle=take.style)
        canvas.title(
            top, group.region if is_first else "", _notes(group, takes) if is_first else []
        )
        canvas.scale(top + 8, f"{high:g}")
        canvas.scale(top + height - 8, minus(low, 1) if low else "0")
        keys = [
            LegendEntry(line.label, hue)
            for line, hue in zip(group.lines, canvas.theme.hues, strict=False)
        ]
        if group.hidden:
            keys.append(LegendEntry(f"and {group.hidden} weaker"))
        canvas.legend(top, keys)

    return Panel(height, draw)


def emotion_panel(takes: Sequence[ShownTake]) -> Panel:
    """Return the panel of the weights of the chosen emotions."""
    chosen = [(take, name) for take in takes for name in _emotions(take)]
    calm = [LegendEntry(f"neutral {take.letter}".strip()) for take in takes if not _emotions(take)]
    height = (
        max(SLIM_HEIGHT, LEGEND_LINE * (len(chosen) + len(calm)))
        if chosen
        else LEGEND_LINE * len(calm)
    )

    def draw(canvas: PanelFigure, top: int) -> None:
        origin = "as recorded" if all(map(_is_recorded, takes)) else "chosen"
        canvas.title(top, "emotion", [origin] if chosen else [])
        times_s = np.linspace(canvas.start_s, canvas.end_s, COLUMNS)
        hues = canvas.theme.hues
        axes, high, keys = canvas.axes(top, height, 0, 1), 1.0, []
        for place, (take, name) in enumerate(chosen):
            hue = hues[place % len(hues)]
            weights = take.study.take.emotions.weights(times_s)[:, EMOTIONS.index(name)]
            high = max(high, float(weights.max()))
            axes.plot(times_s, weights, color=hue, linewidth=2, linestyle=take.style)
            axes.fill_between(times_s, 0, weights, color=hue, alpha=0.15, linewidth=0)
            keys.append(LegendEntry(f"{name} {take.letter}".strip(), hue, take.style))
        canvas.legend(top, [*keys, *calm])
        axes.set_ylim(-0.03 * high, high * 1.03)
        if chosen:
            canvas.scale(top + 8, f"{high:g}")
            canvas.scale(top + height - 8, "0")

    return Panel(height, draw)


def _is_recorded(take: ShownTake) -> bool:
    return isinstance(take.study.take.emotions, SampledEmotion)


def settings_panel(takes: Sequence[ShownTake]) -> Panel | None:
    """Return the panel of settings that changed within the time shown, None where none did."""
    changes = [
        (take, change)
        for take in takes
        for change in take.study.take.changes
        if take.study.start_s <= change.at_s <= take.study.end_s
    ]
    if not changes:
        return None
    listed = changes[:MAX_CHANGES_SHOWN]
    height = max(SLIM_HEIGHT, LEGEND_LINE * (len(listed) + (len(changes) > len(listed))))

    def draw(canvas: PanelFigure, top: int) -> None:
        canvas.title(top, "settings", ["changed"])
        axes = canvas.axes(top, height, 0, 1)
        for take, change in changes:
            axes.axvline(change.at_s, color=take.colour, linestyle=take.style, linewidth=2)
        keys = [LegendEntry(f"{change.text} {take.letter}".rstrip()) for take, change in listed]
        rest = len(changes) - len(listed)
        canvas.legend(top, [*keys, *([LegendEntry(f"and {rest} more")] if rest else [])])

    return Panel(height, draw)


def _emotions(take: ShownTake) -> list[str]:
    """Return the emotions that were chosen for a take within the time shown."""
    study = take.study
    weights = study.take.emotions.weights(np.linspace(study.start_s, study.end_s, COLUMNS))
    return [name for name, column in zip(EMOTIONS, weights.T, strict=True) if column.any()]


def region_difference(region: str, takes: Sequence[ShownTake]) -> float:
    """Return the root mean square of B - A over the curves of a region and their common time."""
    first, second = (take.study for take in takes)
    columns = [place for place, curve in enumerate(first.table) if curve.region == region]
    rows = min(
        len(first.curves), round(len(second.curves) * first.take.rate.hz / second.take.rate.hz)
    )
    times_s = np.maximum(first.times_s[:rows] - second.times_s[0], 0.0)
    others = between(second.curves[:, columns], times_s * second.take.rate.hz)
    return rms(first.curves[:rows, columns] - others)


def _notes(group: CurveGroup, takes: Sequence[ShownTake]) -> list[str]:
    if len(takes) == 1:
        return []
    return [f"B \u2212 A {region_difference(group.region, takes):.3f}"]


TRACE_HEIGHT, SCATTER_HEIGHT, BLINK_ROW = 104, 236, 22
MAX_POINTS = 6000
"""Points of a scatter: more look the same."""
FIELD_DEG = 32.0
"""Gaze is shown this far to each side, and what lies further at the edge."""
LEAST_BLINK = 0.002
"""Width of a blink at least, as a share of the band."""
TURNS = ("yaw, to its left", "pitch, up", "roll, to its right")


def gaze_panels(takes: Sequence[ShownTake], *, is_brief: bool = False) -> Iterator[Panel]:
    """Yield the bands of eyes, head and lids; none of faces whose eyes and head rest.

    With `is_brief` those of gaze and head alone, over time.
    """
    if any(not take.study.eyes_and_head.is_still for take in takes):
        yield _traces("gaze", [(take, take.study.eyes_and_head.gaze_deg) for take in takes])
        if not is_brief:
            yield _scatter(takes)
        yield _traces("head", [(take, take.study.eyes_and_head.head_deg) for take in takes])
    if not is_brief and any(len(take.study.eyes_and_head.blinks) for take in takes):
        yield _blinks(takes)


def _traces(name: str, curves: Sequence[tuple[ShownTake, Floats]]) -> Panel:
    """Return turns over time, in degrees."""

    def draw(canvas: PanelFigure, top: int) -> None:
        reach = max(float(np.abs(turns).max()) for _, turns in curves)
        high = 5.0 * ceiling(reach / 5.0)
        axes = canvas.axes(top, TRACE_HEIGHT, -1.03 * high, 1.03 * high)
        axes.axhline(0.0, color=canvas.theme.rule, linewidth=1)
        for take, turns in curves:
            for hue, turn in zip(canvas.theme.hues, turns.T, strict=False):
                times_s, shown = decimated(take.study.times_s, turn, COLUMNS)
                axes.plot(times_s, shown, color=hue, linewidth=1.8, linestyle=take.style)
        canvas.title(top, name, ["head and eyes,", "in degrees"] if name == "gaze" else ["degrees"])
        canvas.scale(top + 8, f"{high:g}")
        canvas.scale(top + TRACE_HEIGHT - 8, minus(-high))
        count = curves[0][1].shape[1]
        canvas.legend(
            top,
            [
                LegendEntry(text, hue)
                for text, hue in zip(TURNS[:count], canvas.theme.hues, strict=False)
            ],
        )

    return Panel(TRACE_HEIGHT, draw)


def _scatter(takes: Sequence[ShownTake]) -> Panel:
    """Return where the gaze rests, seen by the partner: the character's left is on the right."""

    def draw(canvas: PanelFigure, top: int) -> None:
        canvas.title(top, "gaze target", ["circle: face of", "the partner"])
        width = round(SCATTER_HEIGHT * 1.5)
        for place, take in enumerate(takes):
            left = LEFT + place * (width + 24)
            axes = canvas.axes_at(left, top, width, SCATTER_HEIGHT)
            axes.set_xlim(-FIELD_DEG, FIELD_DEG)
            axes.set_ylim(-FIELD_DEG / 1.5, FIELD_DEG / 1.5)
            gaze = take.study.eyes_and_head.gaze_deg
            gaze = np.clip(gaze[:: -(-len(gaze) // MAX_POINTS)], -FIELD_DEG, FIELD_DEG)
            axes.plot(*gaze.T, color=take.colour, linewidth=0.8, alpha=0.3)
            axes.plot(*gaze.T, ".", color=take.colour, markersize=9, alpha=0.25, markeredgewidth=0)
            angles = np.linspace(0.0, 2.0 * np.pi, 60)
            circle = FACE_DEG * np.stack([np.cos(angles), np.sin(angles)])
            axes.plot(*circle, color=canvas.theme.soft, linewidth=1.2)
            canvas.text(left + 8, top + 12, take.letter, fontsize=SMALL, color=canvas.theme.soft)
            text = f"\u00b1{FIELD_DEG:g}\u00b0; its left is on the right"
            canvas.text(
                left + 8, top + SCATTER_HEIGHT - 12, text, fontsize=SMALL, color=canvas.theme.soft
            )
        canvas.legend(top, [key for take in takes for key in _gaze_legend(take)])

    return Panel(SCATTER_HEIGHT, draw)


def _gaze_legend(take: ShownTake) -> list[LegendEntry]:
    found, minutes = (
        take.study.eyes_and_head,
        (take.study.end_s - take.study.start_s) / 60.0,
    )
    sizes = found.shifts_deg
    keys = [
        LegendEntry(f"{found.mutual_share:.0%} on the partner {take.letter}".strip(), take.colour),
        LegendEntry(f"{len(sizes) / minutes:.0f} saccades per minute"),
    ]
    if len(sizes):
        keys.append(LegendEntry(f"{np.mean(sizes < 15.0):.0%} of them below 15\u00b0"))
    return keys


def _blinks(takes: Sequence[ShownTake]) -> Panel:
    """Return when the lids are shut, one row for each take."""
    height = max(BLINK_ROW * len(takes), LEGEND_LINE * len(takes))

    def draw(canvas: PanelFigure, top: int) -> None:
        axes = canvas.axes(top, height, len(takes), 0)
        least_s = LEAST_BLINK * (canvas.end_s - canvas.start_s)
        keys = []
        for row, take in enumerate(takes):
            study = take.study
            spans = study.start_s + study.eyes_and_head.blinks / study.take.rate.hz
            bars = [(first, max(last - first, least_s)) for first, last in spans.tolist()]
            axes.broken_barh(bars, (row + 0.1, 0.8), color=take.colour, linewidth=0)
            per_min = 60.0 * len(bars) / (study.end_s - study.start_s)
            keys.append(LegendEntry(f"{per_min:.0f} per minute {take.letter}".strip(), take.colour))
        canvas.title(top, "blinks")
        canvas.legend(top, keys)

    return Panel(height, draw)
