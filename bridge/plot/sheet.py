"""Paper of a fixed width with bands one below the other; all measures are in pixels.

At 72 dots an inch a point of type is one pixel, so that sizes of text and places agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D

from bridge.plot.theme import FONT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from bridge.plot.study import Study
    from bridge.plot.theme import Theme

Style = Literal["-", "--"]

DOTS_PER_INCH = 72
WIDTH = 1440
LEFT, RIGHT = 176, 284
"""Margins beside the bands: names on the left, what the lines are on the right."""
COLUMNS = WIDTH - LEFT - RIGHT
"""Width of a band; nothing finer is drawn."""
EDGE = 32
LARGE, BODY, SMALL = 26, 18, 16
LINE = 24
KEY = 21
"""Heights of a line of text, and of one beside a band."""


@dataclass(frozen=True, slots=True)
class Band:
    """One strip of the sheet: its height, the gap below it, and what draws it at its top."""

    height: int
    draw: Callable[[Sheet, int], None]
    gap: int = 14


@dataclass(frozen=True, slots=True)
class Key:
    """What one line of a band is, told at its right."""

    text: str
    colour: str | None = None
    style: Style = "-"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A take on the sheet: `mark` is A or B where there are two, else empty."""

    study: Study
    mark: str
    colour: str
    style: Style


class Sheet:
    """A figure that is being filled from the top, over the time `start_s` to `end_s`."""

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
        """Return empty axes over time, as wide as the bands."""
        axes = self.panel(LEFT, top, COLUMNS, height)
        axes.set_xlim(self.start_s, self.end_s)
        axes.set_ylim(low, high)
        axes.grid(axis="x", color=self.theme.rule, linewidth=1)
        axes.set_axisbelow(True)
        self.over_time.append(axes)
        return axes

    def panel(self, left: int, top: int, width: int, height: int) -> Axes:
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

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        """Write with the middle of the letters at `y`."""
        style = {"color": self.theme.ink, "fontsize": BODY, "va": "center_baseline", **style}
        # A dollar sign in a name is no formula.
        self.figure.text(
            x, y, words, transform=self._pixels, fontfamily=FONT, parse_math=False, **style
        )

    def title(self, top: int, name: str, notes: Sequence[str] = ()) -> None:
        """Write the name of a band at its left, and notes below it."""
        self.text(EDGE, top + 12, name, fontweight="bold")
        for place, note in enumerate(notes, 1):
            self.text(EDGE, top + 12 + LINE * place, note, fontsize=SMALL, color=self.theme.soft)

    def scale(self, y: float, words: str) -> None:
        """Write what the value at a height of a band is."""
        self.text(LEFT - 8, y, words, ha="right", fontsize=SMALL, color=self.theme.soft)

    def keys(self, top: int, keys: Sequence[Key]) -> None:
        """Write what the lines of a band are, at its right."""
        for place, key in enumerate(keys):
            x, y = WIDTH - RIGHT + 14, top + 10 + KEY * place
            if key.colour:
                self.dash(x, x + 26, y, key.colour, key.style)
                self.text(x + 36, y, key.text, fontsize=SMALL)
            else:
                self.text(x, y, key.text, fontsize=SMALL, color=self.theme.soft)

    def dash(self, left: float, right: float, y: float, colour: str, style: Style = "-") -> None:
        """Draw a short level line."""
        line = Line2D([left, right], [y, y], color=colour, linestyle=style, linewidth=3)
        line.set_transform(self._pixels)
        self.figure.add_artist(line)


def fill(bands: Sequence[Band], theme: Theme, start_s: float, end_s: float) -> Figure:
    """Return the sheet with all bands."""
    height = EDGE * 2 + sum(band.height + band.gap for band in bands)
    sheet, top = Sheet(height, theme, start_s, end_s), EDGE
    for band in bands:
        band.draw(sheet, top)
        top += band.height + band.gap
    return sheet.figure
