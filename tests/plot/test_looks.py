"""Gaze, head and blinks of a take, measured and told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.text import Text

from bridge.plot.figure import draw
from bridge.plot.looks import looks, shifts
from bridge.plot.theme import THEMES
from tests.plot.studies import calm_take, moved, study

if TYPE_CHECKING:
    from bridge.takes.take import Take

ALL = slice(None)


def looking(seconds: float = 4.0) -> Take:
    """A take that looks to its left and up after 1 s, back after 3 s, and blinks once between."""
    take = calm_take(seconds)
    rows = take.rows
    eyes = {f"CTRL_{side}_eye.{axis}": np.zeros(rows) for side in "LR" for axis in ("tx", "ty")}
    for name, values in eyes.items():
        values[50:150] = 0.25 if name.endswith("tx") else 0.2
    board = np.concatenate((take.board, np.stack([*eyes.values()], axis=1)), axis=1)
    take = replace(take, channels=(*take.channels, *eyes), board=board.astype(np.float32))
    for side in "LR":
        take = moved(take, f"CTRL_{side}_eye_blink.ty", 0.9, slice(100, 106))
    head = take.head.copy()
    head[100:, 0] = np.radians(4.0)
    return replace(take, head=head)


def test_eyes_and_head_together_are_the_gaze() -> None:
    found = looks(looking(), ALL)
    np.testing.assert_allclose(found.gaze_deg[[0, 60, 120]], [[0, 0], [10, 6], [14, 6]], atol=1e-4)
    np.testing.assert_allclose(found.head_deg[[0, 120], 0], [0, 4], atol=1e-4)
    np.testing.assert_array_equal(found.blinks, [[100, 106]])
    np.testing.assert_allclose(found.shifts_deg, np.hypot(10, 6), rtol=1e-4)
    assert found.mutual_share == pytest.approx(0.5)
    assert not found.is_still
    assert looks(calm_take(), ALL).is_still


def test_a_saccade_over_several_rows_is_one_and_a_drift_is_none() -> None:
    eyes = np.zeros((100, 2), dtype=np.float32)
    eyes[20:24, 0] = [2, 6, 10, 12]
    eyes[24:, 0] = 12 + 0.1 * np.arange(76)
    np.testing.assert_allclose(shifts(eyes, 50.0), [12.0], rtol=1e-5)


def test_the_picture_tells_looks_head_and_blinks() -> None:
    told = [
        text.get_text()
        for text in draw([study(looking())], THEMES["dark"], "livelinkface61").findobj(Text)
    ]
    for words in ("gaze", "looks at", "head", "blinks", "50% on the partner", "15 a minute"):
        assert words in told
    still = [
        text.get_text()
        for text in draw([study(calm_take())], THEMES["dark"], "livelinkface61").findobj(Text)
    ]
    assert not {"gaze", "looks at", "head", "blinks"} & {*still}


def test_eyes_that_look_to_one_side_are_no_fault() -> None:
    found = {finding.curve for finding in study(looking()).findings.kept}
    assert not [curve for curve in found if "Look" in curve or "EyeYaw" in curve]
