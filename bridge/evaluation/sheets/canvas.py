"""A contact sheet: rows of captioned pictures, rendered as one PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.plot.panels import FONT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]


PAPER, INK, FAINT, REAL = "#0d1117", "#e6edf3", "#9da7b3", "#f0a35e"
GAP, CAPTION, TITLE, LABEL = 4, 16, 30, 132
"""Pixels between pictures, of the texts below one, of the title, and of the texts beside a row."""
DPI = 100
POINTS = 72 / DPI
SMALL, LARGE = 10, 15
"""Heights of letters in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A picture uint8 [height, width, 3] and what stands below it; None: an empty place.

    `is_real` marks the face of somebody who was tracked.
    """

    picture: Picture | None
    caption: str = ""
    is_real: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Pictures side by side; `label` stands before them, a line for each of its lines."""

    label: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Rows below a title. All pictures of a row have one size."""

    title: str
    rows: Sequence[Row]


def png_of(sheet: Sheet) -> bytes:
    """Return a sheet as PNG; ValueError where it has no picture."""
    from matplotlib.figure import Figure

    heights = [_height(row) for row in sheet.rows]
    if not any(heights):
        raise ValueError(f"the sheet `{sheet.title}` has no picture")
    width = LABEL + max(sum(_width(row) + GAP for _ in row.cells) for row in sheet.rows)
    height = TITLE + sum(one + CAPTION + GAP for one in heights)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = [int(PAPER[at : at + 2], 16) for at in (1, 3, 5)]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    texts: list[tuple[float, float, str, int, str]] = [(6, 19, sheet.title, LARGE, INK)]
    top = TITLE
    for row, high in zip(sheet.rows, heights, strict=True):
        texts += [
            (6, top + 14 + 14 * place, line, SMALL + 1, INK)
            for place, line in enumerate(row.label.splitlines())
        ]
        for place, cell in enumerate(row.cells):
            left = LABEL + place * (_width(row) + GAP)
            if cell.picture is not None:
                tall, wide = cell.picture.shape[:2]
                canvas[top : top + tall, left : left + wide] = cell.picture
            colour = REAL if cell.is_real else FAINT
            texts.append((left + 2, top + high + 12, cell.caption, SMALL, colour))
        top += high + CAPTION + GAP
    figure.figimage(canvas, 0, 0, origin="upper")
    for x, y, text, size, colour in texts:
        at = x / width, 1 - y / height
        figure.text(*at, text, fontsize=size * POINTS, color=colour, fontfamily=FONT)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def _sizes(row: Row) -> list[tuple[int, ...]]:
    return [cell.picture.shape for cell in row.cells if cell.picture is not None]


def _height(row: Row) -> int:
    return max((shape[0] for shape in _sizes(row)), default=0)


def _width(row: Row) -> int:
    return max((shape[1] for shape in _sizes(row)), default=0)
