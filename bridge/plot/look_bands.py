"""The bands of a living face: where it looks, its head, and its blinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.gaze import FACE_DEG
from bridge.plot.sheet import COLUMNS, KEY, LEFT, SMALL, Band, Key
from bridge.plot.sound_bands import ceiling, minus
from bridge.plot.thin import thinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.plot.measures import Floats
    from bridge.plot.sheet import Sheet, Shown

TRACE_HEIGHT, SCATTER_HEIGHT, BLINK_ROW = 104, 250, 22
MOST_POINTS = 6000
"""Points of a scatter: more look the same."""
FIELD_DEG = 32.0
"""Gaze is shown this far to each side, and what lies further at the edge."""
LEAST_MARK = 0.002
"""Width of a blink at least, as a share of the band."""
TURNS = ("yaw, to its left", "pitch, up", "roll, to its right")


def look_bands(takes: Sequence[Shown]) -> Iterator[Band]:
    """Yield the bands of eyes, head and lids; none of faces whose eyes and head rest."""
    if any(not take.study.looks.is_still for take in takes):
        yield _traces("gaze", [(take, take.study.looks.gaze_deg) for take in takes])
        yield _scatter(takes)
        yield _traces("head", [(take, take.study.looks.head_deg) for take in takes])
    if any(len(take.study.looks.blinks) for take in takes):
        yield _blinks(takes)


def _traces(name: str, courses: Sequence[tuple[Shown, Floats]]) -> Band:
    """Return turns over time, in degrees."""

    def draw(sheet: Sheet, top: int) -> None:
        reach = max(float(np.abs(turns).max()) for _, turns in courses)
        high = 5.0 * ceiling(reach / 5.0)
        axes = sheet.axes(top, TRACE_HEIGHT, -1.03 * high, 1.03 * high)
        axes.axhline(0.0, color=sheet.theme.rule, linewidth=1)
        for take, turns in courses:
            for hue, turn in zip(sheet.theme.hues, turns.T, strict=False):
                times_s, shown = thinned(take.study.times_s, turn, COLUMNS)
                axes.plot(times_s, shown, color=hue, linewidth=1.8, linestyle=take.style)
        sheet.title(top, name, ["head and eyes,", "in degrees"] if name == "gaze" else ["degrees"])
        sheet.scale(top + 8, f"{high:g}")
        sheet.scale(top + TRACE_HEIGHT - 8, minus(-high))
        count = courses[0][1].shape[1]
        sheet.keys(
            top,
            [Key(words, hue) for words, hue in zip(TURNS[:count], sheet.theme.hues, strict=False)],
        )

    return Band(TRACE_HEIGHT, draw)


def _scatter(takes: Sequence[Shown]) -> Band:
    """Return where the gaze rests, seen by the partner: the character's left is on the right."""

    def draw(sheet: Sheet, top: int) -> None:
        sheet.title(top, "looks at", ["circle: the face", "of its partner"])
        width = round(SCATTER_HEIGHT * 1.5)
        for place, take in enumerate(takes):
            left = LEFT + place * (width + 24)
            axes = sheet.panel(left, top, width, SCATTER_HEIGHT)
            axes.set_xlim(-FIELD_DEG, FIELD_DEG)
            axes.set_ylim(-FIELD_DEG / 1.5, FIELD_DEG / 1.5)
            gaze = take.study.looks.gaze_deg
            gaze = np.clip(gaze[:: -(-len(gaze) // MOST_POINTS)], -FIELD_DEG, FIELD_DEG)
            axes.plot(*gaze.T, color=take.colour, linewidth=0.8, alpha=0.3)
            axes.plot(*gaze.T, ".", color=take.colour, markersize=9, alpha=0.25, markeredgewidth=0)
            angles = np.linspace(0.0, 2.0 * np.pi, 60)
            circle = FACE_DEG * np.stack([np.cos(angles), np.sin(angles)])
            axes.plot(*circle, color=sheet.theme.soft, linewidth=1.2)
            sheet.text(left + 8, top + 12, take.mark, fontsize=SMALL, color=sheet.theme.soft)
            words = f"\u00b1{FIELD_DEG:g}\u00b0; its left is on the right"
            sheet.text(
                left + 8, top + SCATTER_HEIGHT - 12, words, fontsize=SMALL, color=sheet.theme.soft
            )
        sheet.keys(top, [key for take in takes for key in _look_keys(take)])

    return Band(SCATTER_HEIGHT, draw)


def _look_keys(take: Shown) -> list[Key]:
    looks, minutes = take.study.looks, (take.study.end_s - take.study.start_s) / 60.0
    sizes = looks.shifts_deg
    keys = [
        Key(f"{looks.mutual_share:.0%} on the partner {take.mark}".strip(), take.colour),
        Key(f"{len(sizes) / minutes:.0f} shifts a minute"),
    ]
    if len(sizes):
        keys.append(Key(f"{np.mean(sizes < 15.0):.0%} of them below 15\u00b0"))
    return keys


def _blinks(takes: Sequence[Shown]) -> Band:
    """Return when the lids are shut, one row for each take."""
    height = max(BLINK_ROW * len(takes), KEY * len(takes))

    def draw(sheet: Sheet, top: int) -> None:
        axes = sheet.axes(top, height, len(takes), 0)
        least_s = LEAST_MARK * (sheet.end_s - sheet.start_s)
        keys = []
        for row, take in enumerate(takes):
            study = take.study
            spans = study.start_s + study.looks.blinks / study.take.rate.hz
            bars = [(first, max(last - first, least_s)) for first, last in spans.tolist()]
            axes.broken_barh(bars, (row + 0.1, 0.8), color=take.colour, linewidth=0)
            per_min = 60.0 * len(bars) / (study.end_s - study.start_s)
            keys.append(Key(f"{per_min:.0f} a minute {take.mark}".strip(), take.colour))
        sheet.title(top, "blinks")
        sheet.keys(top, keys)

    return Band(height, draw)
