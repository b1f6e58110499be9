"""The panels of the warnings: roughness by region, and what was found where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from cstalk_bridge.plot.face_panels import in_order, short_name
from cstalk_bridge.plot.measures import MAX_JERK, STROKE, WARNING_KINDS, excess
from cstalk_bridge.plot.panels import COLUMNS, LEFT, LINE, SMALL, LegendEntry, Panel, column_peaks
from cstalk_bridge.timecode.smpte import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cstalk_bridge.plot.measures import CurveWarning
    from cstalk_bridge.plot.panels import PanelFigure, ShownTake
    from cstalk_bridge.plot.study import Study


ROW = 22
LIST_COLUMNS = (0, 260, 340, 480)
MAX_LISTED = 8
"""Warnings listed below a picture, the worst of a take."""
LEAST_MARK = 0.003
"""Width of a mark at least, as a share of the band, so that a step of one frame is seen."""


def roughness_panel(takes: Sequence[ShownTake]) -> Panel:
    """Return the greatest jerk of each region over time, as colour up to its threshold."""
    roughness = [take.study.roughness for take in takes]
    regions = [
        region
        for region in in_order(takes[0].study.regions)
        if any(jerks[region].any() for jerks in roughness)
    ]
    height = max(len(regions), 1) * ROW

    def draw(canvas: PanelFigure, top: int) -> None:
        canvas.title(top, "jerk")
        order = "; A above B" if len(takes) > 1 else ""
        text = f"colour: 0 to {MAX_JERK:,.0f} /s\u00b3, {STROKE}{order}"
        canvas.text(LEFT, top + 12, text, fontsize=SMALL, color=canvas.theme.soft)
        axes = canvas.axes(top + LINE, height, 0, 1)
        axes.grid(visible=False)
        for row, region in enumerate(regions):
            y = top + LINE + ROW * (row + 0.5)
            canvas.scale(y, region)
            greatest = (f"{jerks[region].max(initial=0) / MAX_JERK:.0%}" for jerks in roughness)
            canvas.legend(int(y - 10), [LegendEntry(f"peak {' and '.join(greatest)}")])
            for place, take in enumerate(takes):
                part = (row + 0.1 + 0.8 * np.array([place + 1, place]) / len(takes)) * ROW
                _draw_heat(axes, canvas, take.study, region, 1 - part / height)
        # Pictures move the limits of their axes.
        axes.set_xlim(canvas.start_s, canvas.end_s)
        axes.set_ylim(0, 1)

    return Panel(height + LINE, draw)


def _draw_heat(
    axes: Axes, canvas: PanelFigure, study: Study, region: str, bottom_top: NDArray[np.float64]
) -> None:
    if not len(study.roughness[region]):
        return
    shift_s = 1.5 / study.take.rate.hz
    heat = LinearSegmentedColormap.from_list("heat", canvas.theme.heat)
    axes.imshow(
        column_peaks(study.roughness[region], COLUMNS)[None],
        extent=(study.start_s + shift_s, study.end_s - shift_s, *bottom_top.tolist()),
        cmap=heat.with_extremes(over=canvas.theme.warning),
        vmin=0,
        vmax=MAX_JERK,
        aspect="auto",
        interpolation="nearest",
    )


def warnings_panel(take: ShownTake) -> Panel:
    """Return where each kind of warning lies; only kinds that were found have a row."""
    found = take.study.warnings
    kinds = [kind for kind in WARNING_KINDS if found.counts[kind]]
    height = len(kinds) * ROW

    def draw(canvas: PanelFigure, top: int) -> None:
        canvas.title(top, f"warnings {take.letter}".strip())
        total = sum(found.counts.values())
        text = f"{total:,} where a curve is beyond a limit" if total else "none"
        canvas.text(LEFT, top + 12, text, fontsize=SMALL, color=canvas.theme.soft)
        if not kinds:
            return
        axes = canvas.axes(top + LINE, height, len(kinds) - 0.5, -0.5)
        least_s = LEAST_MARK * (canvas.end_s - canvas.start_s)
        for row, kind in enumerate(kinds):
            spans = [
                (f.start_s, max(f.end_s - f.start_s, least_s)) for f in found.kept if f.kind == kind
            ]
            axes.broken_barh(spans, (row - 0.35, 0.7), color=canvas.theme.warning, linewidth=0)
            y = top + LINE + ROW * (row + 0.5)
            canvas.scale(y, kind)
            canvas.legend(int(y - 10), [LegendEntry(f"{found.counts[kind]:,}")])

    return Panel(height + LINE, draw)


def warning_list_panel(take: ShownTake) -> Panel | None:
    """Return the panel that lists the worst warnings in time order; None where there are none."""
    found = take.study.warnings
    worst = sorted(sorted(found.kept, key=excess, reverse=True)[:MAX_LISTED], key=_start)
    if not worst:
        return None
    total = sum(found.counts.values())
    rest = total - len(worst)

    def draw(canvas: PanelFigure, top: int) -> None:
        for row, warning in enumerate(worst):
            y = top + LINE * row + 12
            canvas.text(LEFT - 8, y, time_text(warning.start_s), fontsize=SMALL, ha="right")
            for x, text in zip(LIST_COLUMNS, warning_cells(warning), strict=True):
                colour = canvas.theme.soft if x == LIST_COLUMNS[-1] else canvas.theme.ink
                canvas.text(LEFT + x, y, text, fontsize=SMALL, color=colour)
        if rest:
            text = f"and {rest:,} more, less far beyond their limits"
            y = top + LINE * len(worst) + 12
            canvas.text(LEFT, y, text, fontsize=SMALL, color=canvas.theme.soft)

    return Panel((len(worst) + (rest > 0)) * LINE, draw)


def warning_cells(warning: CurveWarning) -> tuple[str, str, str, str]:
    """Return curve, kind, how much, and the limit."""
    amount = {
        "clipped": f"{warning.size:.2f} s",
        "stuck": f"{warning.size:.2f} s",
        "uneven": f"{warning.size:.2f} apart",
        "step": f"{warning.size:.1f} /s",
        "jerk": f"{warning.size:,.0f} /s\u00b3",
    }[warning.kind]
    return short_name(warning.curve), warning.kind, amount, WARNING_KINDS[warning.kind]


def time_text(seconds: float) -> str:
    """Return a time of a take to hundredths: 2.34 s, 1:02.34, 1:00:02.34."""
    return f"{seconds:.2f} s" if seconds < 60 else duration_text(seconds, decimals=2)


def _start(warning: CurveWarning) -> float:
    return warning.start_s
