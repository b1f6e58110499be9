"""Faces and mouths from the front, half and whole profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.evaluation.sheets.bundled import MOMENTS, bundled_speech
from bridge.evaluation.sheets.canvas import Cell, Row, Sheet
from bridge.evaluation.sheets.studio import Stage
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.evaluation.sheets.studio import Shown, Studio

ANGLES_DEG = (0, 45, 90)


def angle_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield faces and mouths of the bundled recording from the front, half and whole profile."""
    speech = bundled_speech()
    shown = [(stage, studio.perform(speech, stage)) for stage in studio.stages]
    for what, picture in (("face", Stage.face), ("mouth", Stage.mouth)):
        rows = []
        for words, time_s in MOMENTS.items():
            cells = [
                Cell(picture(stage, one.scores[_row(one, time_s)], yaw), f"{yaw} degrees")
                for stage, one in shown
                for yaw in ANGLES_DEG
            ]
            rows.append(Row(words, cells))
        names = " and ".join(stage.name for stage in studio.stages)
        yield f"angles_{what}", Sheet(f"{what}s from three sides, {studio.words}, {names}", rows)


def _row(shown: Shown, time_s: float) -> int:
    return min(round(time_s * ROW_RATE_HZ), len(shown.scores) - 1)
