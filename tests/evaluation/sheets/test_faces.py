from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from cstalk_bridge.evaluation.sheets.faces import (
    CAPTION,
    GAP,
    LABEL,
    TITLE,
    Cell,
    Row,
    Sheet,
    png_of,
)


def test_pictures_are_placed_by_row_and_column() -> None:
    red, blue = np.zeros((2, 20, 30, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    sheet = Sheet("title", [Row("one\nrow", [Cell(red, "r"), Cell(None)]), Row("", [Cell(blue)])])
    pixels = matplotlib.image.imread(io.BytesIO(png_of(sheet)))
    assert pixels.shape[:2] == (TITLE + 2 * (20 + CAPTION + GAP), LABEL + 2 * (30 + GAP))
    assert pixels[TITLE + 10, LABEL + 15, :3] == pytest.approx([1, 0, 0])
    below = TITLE + 20 + CAPTION + GAP + 10
    assert pixels[below, LABEL + 15, :3] == pytest.approx([0, 0, 1])
    assert pixels[TITLE + 10, LABEL + GAP + 45, :3].max() < 0.2
    assert pixels[:TITLE, : LABEL // 2, :3].max() > 0.7  # the title is written


def test_a_sheet_without_pictures_is_refused_by_its_title() -> None:
    with pytest.raises(ValueError, match="the sheet `nothing` has no picture"):
        png_of(Sheet("nothing", [Row("x", [Cell(None, "y")])]))
