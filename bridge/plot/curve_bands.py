"""The bands of the face: its curves by region, and the emotion that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.plot.measures import rms
from bridge.plot.sheet import COLUMNS, KEY, Band, Key
from bridge.plot.sound_bands import ceiling, minus
from bridge.plot.thin import thinned
from models.emotions import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.plot.lanes import Lane
    from bridge.plot.sheet import Sheet, Shown

LANE_HEIGHT, SLIM_HEIGHT = 104, 72
"""Heights of a lane, and of one with few lines in it."""
FEW = 2


def lane_band(lane: Lane, takes: Sequence[Shown], *, is_first: bool) -> Band:
    """Return one lane of curves; the first lane of a region tells how far two takes are apart."""
    height = SLIM_HEIGHT if len(lane.lines) <= FEW else LANE_HEIGHT

    def draw(sheet: Sheet, top: int) -> None:
        shown = [
            (line, hue, take, line.values(take.study))
            for line, hue in zip(lane.lines, sheet.theme.hues, strict=False)
            for take in takes
        ]
        high = ceiling(max(float(values.max()) for *_, values in shown))
        lowest = min(float(values.min()) for *_, values in shown)
        low = -ceiling(-lowest) if lowest < 0 else 0.0
        margin = 0.03 * (high - low)
        axes = sheet.axes(top, height, low - margin, high + margin)
        for _, hue, take, values in shown:
            course = thinned(take.study.times_s, values, COLUMNS)
            width = 2.0 if take.style == "-" else 1.6
            axes.plot(*course, color=hue, linewidth=width, linestyle=take.style)
        sheet.title(top, lane.region if is_first else "", _notes(lane, takes) if is_first else [])
        sheet.scale(top + 8, f"{high:g}")
        sheet.scale(top + height - 8, minus(low, 1) if low else "0")
        keys = [
            Key(line.label, hue) for line, hue in zip(lane.lines, sheet.theme.hues, strict=False)
        ]
        if lane.hidden:
            keys.append(Key(f"and {lane.hidden} weaker"))
        sheet.keys(top, keys)

    return Band(height, draw)


def emotion_band(takes: Sequence[Shown]) -> Band:
    """Return the weights of the emotions that were asked for."""
    asked = [(take, name) for take in takes for name in _emotions(take)]
    calm = [Key(f"neutral {take.mark}".strip()) for take in takes if not _emotions(take)]
    height = max(SLIM_HEIGHT, KEY * (len(asked) + len(calm))) if asked else KEY * len(calm)

    def draw(sheet: Sheet, top: int) -> None:
        sheet.title(top, "emotion", ["asked for"] if asked else [])
        times_s = np.linspace(sheet.start_s, sheet.end_s, COLUMNS)
        hues = sheet.theme.hues
        axes, high, keys = sheet.axes(top, height, 0, 1), 1.0, []
        for place, (take, name) in enumerate(asked):
            hue = hues[place % len(hues)]
            weights = take.study.take.emotions.weights(times_s)[:, EMOTIONS.index(name)]
            high = max(high, float(weights.max()))
            axes.plot(times_s, weights, color=hue, linewidth=2, linestyle=take.style)
            axes.fill_between(times_s, 0, weights, color=hue, alpha=0.15, linewidth=0)
            keys.append(Key(f"{name} {take.mark}".strip(), hue, take.style))
        sheet.keys(top, [*keys, *calm])
        axes.set_ylim(-0.03 * high, high * 1.03)
        if asked:
            sheet.scale(top + 8, f"{high:g}")
            sheet.scale(top + height - 8, "0")

    return Band(height, draw)


def _emotions(take: Shown) -> list[str]:
    """Return the emotions that a take is asked for within what is shown of it."""
    study = take.study
    weights = study.take.emotions.weights(np.linspace(study.start_s, study.end_s, COLUMNS))
    return [name for name, column in zip(EMOTIONS, weights.T, strict=True) if column.any()]


def region_difference(region: str, takes: Sequence[Shown]) -> float:
    """Return the root mean square of B - A over the curves of a region and their common time."""
    first, second = (take.study for take in takes)
    columns = [place for place, curve in enumerate(first.table) if curve.region == region]
    rows = min(
        len(first.curves), round(len(second.curves) * first.take.rate.hz / second.take.rate.hz)
    )
    times_s = np.minimum(first.times_s[:rows], second.times_s[-1])
    others = [np.interp(times_s, second.times_s, second.curves[:, c]) for c in columns]
    return rms(
        np.array(
            [
                first.curves[:rows, column] - other
                for column, other in zip(columns, others, strict=True)
            ],
            dtype=np.float32,
        )
    )


def _notes(lane: Lane, takes: Sequence[Shown]) -> list[str]:
    if len(takes) == 1:
        return []
    return [f"B \u2212 A {region_difference(lane.region, takes):.3f}"]
