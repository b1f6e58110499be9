"""The figure of one take, or of two over each other: its panels from top to bottom, those of the
warnings included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from cstalk_bridge.plot.face_panels import (
    VISIBLE,
    curve_groups,
    curve_panel,
    emotion_panel,
    gaze_panels,
    in_order,
    settings_panel,
    short_name,
)
from cstalk_bridge.plot.faces import faces_panel
from cstalk_bridge.plot.measures import MAX_JERK, STROKE, WARNING_KINDS, excess
from cstalk_bridge.plot.panels import (
    COLUMNS,
    EDGE,
    LARGE,
    LEFT,
    LINE,
    SMALL,
    LegendEntry,
    Panel,
    ShownTake,
    column_peaks,
    compose_figure,
    mouth_panel,
    spectrogram_panel,
    waveform_panel,
)
from cstalk_bridge.settings.table import take_settings
from cstalk_bridge.timecode.smpte import duration_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cstalk_bridge.plot.face_panels import CurveGroup
    from cstalk_bridge.plot.measures import CurveWarning
    from cstalk_bridge.plot.panels import PanelFigure, Theme
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


MAX_TAKES = 2
"""Takes over each other in one picture."""
MAX_LETTERS, MAX_DETAILS = 37, 98
"""Letters of a take's name, of which the widest just fit, and of the text below it."""
TICKS_S = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    1800,
    3600,
)
OWN_PANELS = frozenset({"gaze", "head"})
"""Regions that have panels of their own, in degrees."""
LEAST_TICK = 90
"""Pixels between two times on the axis, at least."""


def draw(
    studies: Sequence[Study],
    theme: Theme,
    rigmap: str,
    wanted: Collection[str] = (),
    *,
    is_listing: bool = True,
    names: Sequence[str] = (),
) -> Figure:
    """Return the picture of one or two takes, studied through the same rig map of that name.

    `wanted` names the curves to draw; without, the strongest of each region are. With `is_listing`
    the worst warnings are listed below. `names` are those of the headings, by default the takes'.
    """
    first, *others = names or [study.take.name for study in studies]
    takes = [ShownTake(studies[0], "A" if len(studies) > 1 else "", theme.a, "-", first)]
    takes += [
        ShownTake(study, "B", theme.b, "--", name)
        for study, name in zip(studies[1:MAX_TAKES], others, strict=False)
    ]
    panels = [band for band in _panels(takes, rigmap, wanted) if band]
    if is_listing:
        panels += [band for take in takes if (band := warning_list_panel(take))]
    start_s = min(study.start_s for study in studies)
    return compose_figure(panels, theme, start_s, max(study.end_s for study in studies))


def _panels(
    takes: Sequence[ShownTake], rigmap: str, wanted: Collection[str]
) -> Iterator[Panel | None]:
    yield from (_heading(take, rigmap) for take in takes)
    yield faces_panel(takes)
    yield waveform_panel(takes)
    yield spectrogram_panel(takes[0])
    yield mouth_panel(takes)
    drawn = [
        group
        for group in curve_groups([take.study for take in takes], wanted)
        if wanted or group.region not in OWN_PANELS
    ]
    for place, group in enumerate(drawn):
        yield curve_panel(
            group, takes, is_first=not place or drawn[place - 1].region != group.region
        )
    yield _resting(takes, drawn) if not wanted else None
    yield from gaze_panels(takes, is_brief=bool(wanted))
    yield emotion_panel(takes)
    yield settings_panel(takes)
    yield roughness_panel(takes)
    yield from (warnings_panel(take) for take in takes)
    yield _axis()


def _heading(take: ShownTake, rigmap: str) -> Panel:
    shot = take.study.take
    parts = [time_text(shot.duration_s), f"{shot.rate} frames/s", f"rig map {rigmap}"]
    if shot.subject:
        parts.insert(0, f"{shot.subject}, {'recorded live' if shot.performance else 'rendered'}")
    if take.study.end_s - take.study.start_s < shot.duration_s - 1 / shot.rate.hz:
        parts.insert(1, f"{time_text(take.study.start_s)} to {time_text(take.study.end_s)}")
    for entry in take_settings():
        value = shot.provenance.get(entry.name, entry.default)
        if (entry.unit and entry.name in shot.provenance) or value != entry.default:
            parts.append(f"{entry.label.lower()} {value} {entry.unit}".rstrip())
    if take.letter == "B":
        parts.append("B \u2212 A: RMS over the curves of a region")
    if "weights" in shot.provenance:
        parts.append(f"weights {shot.provenance['weights']}")

    def draw(canvas: PanelFigure, top: int) -> None:
        left = EDGE
        if take.letter:
            canvas.text(EDGE, top + 14, take.letter, fontsize=LARGE, fontweight="bold")
            canvas.dash(EDGE + 30, EDGE + 78, top + 14, take.colour, take.style)
            left += 92
        canvas.text(
            left, top + 14, shortened(take.name, MAX_LETTERS), fontsize=LARGE, fontweight="bold"
        )
        details = shortened(" \u00b7 ".join(parts), MAX_DETAILS)
        canvas.text(left, top + 46, details, fontsize=SMALL, color=canvas.theme.soft)

    return Panel(60, draw)


def shortened(text: str, limit: int) -> str:
    """Return a text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def _resting(takes: Sequence[ShownTake], drawn: Sequence[CurveGroup]) -> Panel | None:
    """Return a line that names the regions in which nothing is drawn."""
    shown = {group.region for group in drawn}
    regions = in_order(takes[0].study.regions)
    names = [region for region in regions if region not in shown and region not in OWN_PANELS]
    if not names:
        return None
    parts = f"below {VISIBLE:g} throughout: {', '.join(names)}"

    def draw(canvas: PanelFigure, top: int) -> None:
        canvas.text(LEFT, top + 8, parts, fontsize=SMALL, color=canvas.theme.soft)

    return Panel(LINE - 4, draw)


def _axis() -> Panel:
    """Return the times below all panels."""

    def draw(canvas: PanelFigure, top: int) -> None:
        span_s = canvas.end_s - canvas.start_s
        limit = COLUMNS / LEAST_TICK
        step = next((tick for tick in TICKS_S if span_s / tick <= limit), TICKS_S[-1])
        ticks = np.arange(np.ceil(canvas.start_s / step), canvas.end_s / step + 1e-9) * step
        for axes in canvas.over_time:
            axes.set_xticks(ticks, [""] * len(ticks))
        for tick in ticks.tolist():
            x = LEFT + (tick - canvas.start_s) / span_s * COLUMNS
            canvas.text(
                x, top, _tick(tick, step), ha="center", fontsize=SMALL, color=canvas.theme.soft
            )

    return Panel(LINE, draw)


def _tick(seconds: float, step: float) -> str:
    if step >= 1 and seconds >= 60:
        return time_text(seconds).removesuffix(".00")
    return f"{round(seconds, 2):g} s"
