"""The panels of the sound: waveform, spectrogram, and the mouth against the loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from cstalk_bridge.plot.panels import COLUMNS, LegendEntry, Panel, ceiling, decimated, minus
from cstalk_bridge.plot.study import place_of_hertz, spectrogram, waveform
from cstalk_bridge.takes.sound_images import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cstalk_bridge.plot.panels import PanelFigure, ShownTake


MEL_BANDS = 96
SHOWN_HZ = {200: "200 Hz", 1000: "1 kHz", 4000: "4 kHz"}
"""Frequencies that are named beside the spectrogram."""
TOP_DB = -10.0
"""Level of the strongest colour: speech spread over bands stays below."""
SHADES = 24
"""Colours of the spectrogram: one for each 3 dB, which keeps the file small."""
CLOSURES = 0.08
"""Height of the bars of closures, as a share of the mouth's scale."""


def waveform_panel(takes: Sequence[ShownTake]) -> Panel:
    """Return the waveform; of two takes the first above, the second below the middle line."""
    height = 76

    def draw(canvas: PanelFigure, top: int) -> None:
        axes = canvas.axes(top, height, -1, 1)
        times_s = np.linspace(canvas.start_s, canvas.end_s, COLUMNS)
        peak = 0.0
        for place, take in enumerate(takes):
            sound = take.study.take.sound
            if sound is None:
                continue
            limits = waveform(sound, canvas.start_s, canvas.end_s, COLUMNS)
            peak = max(peak, float(np.abs(limits).max()))
            if take.letter:
                limits[:, place] = 0.0
            colour = take.colour if take.letter else canvas.theme.soft
            axes.fill_between(times_s, limits[:, 0], limits[:, 1], color=colour, linewidth=0)
        axes.set_ylim(-max(peak, 0.01), max(peak, 0.01))
        canvas.title(top, "sound", ["A above, B below"] if len(takes) > 1 else [])
        level = f"peak {minus(20 * np.log10(peak), 1)} dBFS" if peak else "none, or silence"
        canvas.legend(top, [LegendEntry(level)])

    return Panel(height, draw, gap=4)


def spectrogram_panel(take: ShownTake) -> Panel:
    """Return the spectrogram of one take."""
    height = 150

    def draw(canvas: PanelFigure, top: int) -> None:
        axes = canvas.axes(top, height, 0, 1)
        axes.grid(visible=False)
        canvas.title(top, f"spectrum {take.letter}".strip())
        sound = take.study.take.sound
        if sound is None:
            return
        axes.imshow(
            spectrogram(sound, canvas.start_s, canvas.end_s, COLUMNS, MEL_BANDS),
            extent=(canvas.start_s, canvas.end_s, 0, 1),
            cmap=LinearSegmentedColormap.from_list("heat", canvas.theme.heat, SHADES),
            vmin=FLOOR_DB,
            vmax=TOP_DB,
            origin="lower",
            aspect="auto",
            # Colours only of the map, not between them.
            interpolation="bilinear",
            interpolation_stage="data",
        )
        for hertz, text in SHOWN_HZ.items():
            canvas.scale(top + height * (1 - place_of_hertz(hertz)), text)
        canvas.legend(top, [LegendEntry(f"{minus(FLOOR_DB)} to {minus(TOP_DB)} dBFS")])

    return Panel(height, draw)


def mouth_panel(takes: Sequence[ShownTake]) -> Panel:
    """Return how open the mouth is, over the loudness of the first take's sound."""
    height = 170

    def draw(canvas: PanelFigure, top: int) -> None:
        high = ceiling(max(float(take.study.mouth_opening.max()) for take in takes))
        low = -CLOSURES * len(takes) * high
        axes = canvas.axes(top, height, low, high)
        keys = []
        if takes[0].study.loudness is not None:
            times_s, level = decimated(takes[0].study.times_s, takes[0].study.loudness, COLUMNS)
            axes.plot(
                times_s, high * (1 - level / FLOOR_DB), color=canvas.theme.soft, linewidth=1.3
            )
            keys.append(LegendEntry(f"loudness, {minus(FLOOR_DB)} to 0 dBFS", canvas.theme.soft))
        for place, take in enumerate(takes):
            times_s, shown = decimated(take.study.times_s, take.study.mouth_opening, COLUMNS)
            if not place:
                axes.fill_between(times_s, 0, shown, color=take.colour, alpha=0.22, linewidth=0)
            axes.plot(times_s, shown, color=take.colour, linewidth=2, linestyle=take.style)
            _draw_closures(axes, take, -CLOSURES * (place + 1) * high, CLOSURES * high * 0.7)
            keys += _mouth_legend(take)
        canvas.title(top, "opening", ["jaw opening less", "lip closure; bars:", "lips sealed"])
        canvas.scale(top + 8, f"{high:g}")
        canvas.scale(top + height * high / (high - low), "0")
        canvas.legend(top, keys)

    return Panel(height, draw)


def _draw_closures(axes: Axes, take: ShownTake, bottom: float, height: float) -> None:
    rate_hz, start_s = take.study.take.rate.hz, take.study.start_s
    spans = [(start_s + a / rate_hz, (b - a) / rate_hz) for a, b in take.study.closures.tolist()]
    axes.broken_barh(spans, (bottom, height), color=take.colour, linewidth=0)


def _mouth_legend(take: ShownTake) -> list[LegendEntry]:
    keys = [LegendEntry(f"opening {take.letter}".strip(), take.colour, take.style)]
    if found := take.study.agreement:
        side = "behind" if found.lag_s > 0 else "ahead"
        lag = f"{abs(found.lag_s) * 1000:.0f} ms {side}" if found.lag_s else "no lag"
        keys.append(
            LegendEntry(f"r {minus(found.together, 2)}, best {minus(found.best, 2)} ({lag})")
        )
    count = len(take.study.closures)
    keys.append(LegendEntry(f"{count} closure{'' if count == 1 else 's'}"))
    return keys
