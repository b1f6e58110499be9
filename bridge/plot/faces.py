"""The strip of faces: the bundled head at equal steps along the time axis, drawn in software."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import linear_rgb
from cstalk_bridge.heads.portrait import Portrait, View
from cstalk_bridge.heads.reading import chosen_head, read_head
from cstalk_bridge.plot.panels import COLUMNS, LEFT, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.plot.panels import PanelFigure, ShownTake
    from cstalk_bridge.plot.study import Study


FACES = 7
"""Faces in one row."""
FACE_GAP = 4
FACE_WIDTH = COLUMNS // FACES - FACE_GAP
FACE_HEIGHT = round(1.3 * FACE_WIDTH)
FACE_VIEW = View((0.0, 0.048, 0.06), 0.172, 0.172 * FACE_HEIGHT / FACE_WIDTH)
"""From the chin to the hair of the bundled head, in metres."""
TICK = 5


@cache
def _portrait() -> Portrait:
    return Portrait(read_head(chosen_head(None)))


def face_times(start_s: float, end_s: float) -> NDArray[np.float64]:
    """Return the times of the faces, float64 [FACES]: the middles of equal parts of a range."""
    return start_s + (np.arange(FACES) + 0.5) * (end_s - start_s) / FACES


def face_row(study: Study, time_s: float) -> int | None:
    """Return the row of a study that is shown at a time; None where the take has none."""
    row = int((time_s - study.start_s) * study.take.rate.hz + 1e-6)
    return row if 0 <= row < len(study.curves) else None


def faces_panel(takes: Sequence[ShownTake]) -> Panel:
    """Return the faces of the takes at equal steps, a row for each take, head turned."""
    height = (FACE_HEIGHT + FACE_GAP) * len(takes) + TICK

    def draw(canvas: PanelFigure, top: int) -> None:
        times_s = face_times(canvas.start_s, canvas.end_s)
        paper = linear_rgb(canvas.theme.panel).tolist()
        for place, take in enumerate(takes):
            row_top = top + place * (FACE_HEIGHT + FACE_GAP)
            for column, time_s in enumerate(times_s.tolist()):
                left = LEFT + round((column + 0.5) * COLUMNS / FACES - FACE_WIDTH / 2)
                axes = canvas.axes_at(left, row_top, FACE_WIDTH, FACE_HEIGHT)
                row = face_row(take.study, time_s)
                if row is not None:
                    scores = take.study.arkit[row]
                    size = (FACE_WIDTH, FACE_HEIGHT)
                    axes.imshow(_portrait().draw(scores, FACE_VIEW, *size, paper), aspect="auto")
            if take.letter:
                canvas.scale(row_top + FACE_HEIGHT // 2, take.letter)
        step_s = (canvas.end_s - canvas.start_s) / FACES
        canvas.title(top, "face", [f"every {step_s:.2g} s,", "above its time"])
        marks = canvas.axes(top + height - TICK, TICK, 0, 1)
        marks.vlines(times_s, 0, 1, color=canvas.theme.soft, linewidth=1.5)

    return Panel(height, draw)
