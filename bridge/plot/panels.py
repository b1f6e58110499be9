"""A figure of fixed width with panels below each other: layout, themes, decimated curves, and the
panels of the sound.

All lengths are in pixels: at 72 dots an inch a point of type is one pixel, so that sizes of text
and places agree. The hues are Okabe and Ito's, which people with any kind of colour vision can
distinguish, made lighter on the dark background and darker on the light one where thin lines need
it. The amount drawn never grows with the length of a take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D

from cstalk_bridge.plot.study import place_of_hertz, spectrogram, waveform
from cstalk_bridge.takes.sound import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cstalk_bridge.plot.study import Study


FONT = "DejaVu Sans"
"""Comes with matplotlib."""


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours: `ink` on `paper`, `soft` for secondary text, `rule` for thin lines.

    `hues` are those of the lines of one group; `a` and `b` stand for the first and second take.
    `heat` goes from nothing to much.
    """

    paper: str
    panel: str
    ink: str
    soft: str
    rule: str
    hues: tuple[str, ...]
    a: str
    b: str
    warning: str
    heat: tuple[str, ...]


THEMES = {
    "dark": Theme(
        paper="#10141b",
        panel="#161b24",
        ink="#e6e9ef",
        soft="#97a1b3",
        rule="#2a3140",
        hues=("#5ab4e8", "#f0a33e", "#2fc29a", "#d98cb9"),
        a="#5ab4e8",
        b="#f0a33e",
        warning="#ff6f59",
        heat=("#161b24", "#1f3a5c", "#2d6ea3", "#5ab4e8", "#d9f0ff"),
    ),
    "light": Theme(
        paper="#fcfcfa",
        panel="#f3f4f3",
        ink="#1c2129",
        soft="#5d6675",
        rule="#d9dcdf",
        hues=("#0067a8", "#c45500", "#00825f", "#a8437c"),
        a="#0067a8",
        b="#c45500",
        warning="#c8102e",
        heat=("#f3f4f3", "#c3dbee", "#72aed6", "#2375b3", "#0a2f57"),
    ),
}
"""The themes by name."""


def decimated(
    times_s: NDArray[np.float64], values: NDArray[np.float32], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return at most 2 * `columns` points of a curve, [points] each, that look like all of it.

    Of each of `columns` equal intervals the lowest and the highest point stay, in their order. A
    curve of no more points than that is returned unchanged.
    """
    rows = len(values)
    if rows <= 2 * columns:
        return times_s, values
    edges = column_edges(rows, columns)
    pairs = [
        sorted((first + int(part.argmin()), first + int(part.argmax())))
        for first, part in zip(edges[:-1], np.split(values, edges[1:-1]), strict=True)
    ]
    places = np.array(pairs).ravel()
    return times_s[places], values[places]


def column_peaks(values: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Return the greatest value of each of `columns` equal intervals, [min(columns, time)]."""
    if not len(values):
        return values
    return np.asarray(np.maximum.reduceat(values, column_edges(len(values), columns)[:-1]))


def column_edges(rows: int, columns: int) -> NDArray[np.intp]:
    """Return the edges of at most `columns` intervals of `rows`, none empty, [intervals + 1]."""
    count = min(rows, columns)
    return np.arange(count + 1) * rows // max(count, 1)


def ceiling(value: float) -> float:
    """Return the round number at or above a value: 0.1, 0.2, 0.5, 1, 2, 5, ..."""
    value = max(value, 0.1)
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(n * power for n in (1, 2, 5, 10) if n * power >= value * 0.999))


def minus(value: float, places: int = 0) -> str:
    """Return a number with a true minus sign."""
    return f"{value:.{places}f}".replace("-", "\u2212")


Style = Literal["-", "--"]

DOTS_PER_INCH = 72
WIDTH = 1200
"""Text of 16 pixels is 7 points high where the figure is 190 mm wide, as on A4."""
LEFT, RIGHT = 176, 284
"""Margins beside the panels: names on the left, what the lines are on the right."""
COLUMNS = WIDTH - LEFT - RIGHT
"""Width of a panel; nothing finer is drawn."""
EDGE = 32
LARGE, BODY, SMALL = 26, 18, 16
LINE = 24
LEGEND_LINE = 21
"""Heights of a line of text, and of one beside a panel."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One strip of the figure: its height, the gap below it, and the function that draws it."""

    height: int
    draw: Callable[[PanelFigure, int], None]
    gap: int = 14


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """The name of one line of a panel, written at its right."""

    text: str
    colour: str | None = None
    style: Style = "-"


@dataclass(frozen=True, slots=True, eq=False)
class ShownTake:
    """A take in the figure: `letter` is A or B where there are two, else empty.

    `name` is what its heading says: that of the take, with more where two have the same.
    """

    study: Study
    letter: str
    colour: str
    style: Style
    name: str = ""


class PanelFigure:
    """A figure that is filled from the top, over the time `start_s` to `end_s`."""

    def __init__(self, height: int, theme: Theme, start_s: float, end_s: float) -> None:
        size = (WIDTH / DOTS_PER_INCH, height / DOTS_PER_INCH)
        self.figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor=theme.paper)
        self.theme = theme
        self.start_s, self.end_s = start_s, end_s
        self.over_time: list[Axes] = []
        """The axes whose x is time."""
        self._height = height
        flip = Affine2D().scale(1 / WIDTH, -1 / height).translate(0, 1)
        self._pixels = flip + self.figure.transFigure

    def axes(self, top: int, height: int, low: float, high: float) -> Axes:
        """Return empty axes over time, as wide as the panels."""
        axes = self.axes_at(LEFT, top, COLUMNS, height)
        axes.set_xlim(self.start_s, self.end_s)
        axes.set_ylim(low, high)
        axes.grid(axis="x", color=self.theme.rule, linewidth=1)
        axes.set_axisbelow(True)
        self.over_time.append(axes)
        return axes

    def axes_at(self, left: int, top: int, width: int, height: int) -> Axes:
        """Return empty axes at a place."""
        place = (left / WIDTH, 1 - (top + height) / self._height)
        axes = self.figure.add_axes((*place, width / WIDTH, height / self._height))
        axes.set_facecolor(self.theme.panel)
        axes.tick_params(length=0, labelleft=False, labelbottom=False)
        axes.set_yticks([])
        axes.set_xticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write with the middle of the letters at `y`."""
        style = {"color": self.theme.ink, "fontsize": BODY, "va": "center_baseline", **style}
        # A dollar sign in a name does not start a formula.
        self.figure.text(
            x, y, text, transform=self._pixels, fontfamily=FONT, parse_math=False, **style
        )

    def title(self, top: int, name: str, notes: Sequence[str] = ()) -> None:
        """Write the name of a panel at its left, and notes below it."""
        self.text(EDGE, top + 12, name, fontweight="bold")
        for place, note in enumerate(notes, 1):
            self.text(EDGE, top + 12 + LINE * place, note, fontsize=SMALL, color=self.theme.soft)

    def scale(self, y: float, text: str) -> None:
        """Write a value of the vertical axis at a height of a panel."""
        self.text(LEFT - 8, y, text, ha="right", fontsize=SMALL, color=self.theme.soft)

    def legend(self, top: int, entries: Sequence[LegendEntry]) -> None:
        """Write the names of the lines of a panel at its right."""
        for place, entry in enumerate(entries):
            x, y = WIDTH - RIGHT + 14, top + 10 + LEGEND_LINE * place
            if entry.colour:
                self.dash(x, x + 26, y, entry.colour, entry.style)
                self.text(x + 36, y, entry.text, fontsize=SMALL)
            else:
                self.text(x, y, entry.text, fontsize=SMALL, color=self.theme.soft)

    def dash(self, left: float, right: float, y: float, colour: str, style: Style = "-") -> None:
        """Draw a short level line."""
        line = Line2D([left, right], [y, y], color=colour, linestyle=style, linewidth=3)
        line.set_transform(self._pixels)
        self.figure.add_artist(line)


def compose_figure(panels: Sequence[Panel], theme: Theme, start_s: float, end_s: float) -> Figure:
    """Return the figure with all panels."""
    height = EDGE * 2 + sum(panel.height + panel.gap for panel in panels)
    canvas, top = PanelFigure(height, theme, start_s, end_s), EDGE
    for panel in panels:
        panel.draw(canvas, top)
        top += panel.height + panel.gap
    return canvas.figure


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
