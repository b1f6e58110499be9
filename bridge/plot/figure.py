"""The figure of one take, or of two over each other: its panels, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.plot.face_panels import (
    VISIBLE,
    curve_groups,
    curve_panel,
    emotion_panel,
    gaze_panels,
    in_order,
)
from cstalk_bridge.plot.panels import (
    COLUMNS,
    EDGE,
    LARGE,
    LEFT,
    LINE,
    SMALL,
    Panel,
    ShownTake,
    compose_figure,
)
from cstalk_bridge.plot.sound_panels import mouth_panel, spectrogram_panel, waveform_panel
from cstalk_bridge.plot.warning_panels import (
    roughness_panel,
    time_text,
    warning_list_panel,
    warnings_panel,
)
from cstalk_bridge.settings.table import page_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from matplotlib.figure import Figure

    from cstalk_bridge.plot.face_panels import CurveGroup
    from cstalk_bridge.plot.panels import PanelFigure, Theme
    from cstalk_bridge.plot.study import Study


MAX_TAKES = 2
"""Takes over each other in one picture."""
MAX_LETTERS, MAX_DETAILS = 44, 120
"""Letters of a take's name, of which the widest just fit, and of what is said below it."""
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
) -> Figure:
    """Return the picture of one or two takes, studied through the same rig map of that name.

    `wanted` names the curves to draw; without, the strongest of each region are. With `is_listing`
    the worst warnings are listed below.
    """
    takes = [ShownTake(studies[0], "A" if len(studies) > 1 else "", theme.a, "-")]
    takes += [ShownTake(study, "B", theme.b, "--") for study in studies[1:MAX_TAKES]]
    panels = [band for band in _panels(takes, rigmap, wanted) if band]
    if is_listing:
        panels += [band for take in takes if (band := warning_list_panel(take))]
    start_s = min(study.start_s for study in studies)
    return compose_figure(panels, theme, start_s, max(study.end_s for study in studies))


def _panels(
    takes: Sequence[ShownTake], rigmap: str, wanted: Collection[str]
) -> Iterator[Panel | None]:
    yield from (_heading(take, rigmap) for take in takes)
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
    yield from () if wanted else gaze_panels(takes)
    yield emotion_panel(takes)
    yield roughness_panel(takes)
    yield from (warnings_panel(take) for take in takes)
    yield _axis()


def _heading(take: ShownTake, rigmap: str) -> Panel:
    shot = take.study.take
    parts = [time_text(shot.duration_s), f"{shot.rate} frames/s", f"rig map {rigmap}"]
    if take.study.end_s - take.study.start_s < shot.duration_s - 1 / shot.rate.hz:
        parts.insert(1, f"{time_text(take.study.start_s)} to {time_text(take.study.end_s)}")
    for entry in page_settings():
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
            left, top + 14, shortened(shot.name, MAX_LETTERS), fontsize=LARGE, fontweight="bold"
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
