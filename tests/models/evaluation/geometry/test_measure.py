"""Millimetres of known faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.geometry.measure import geometry_of
from models.evaluation.geometry.points import ROWS_AT_ONCE
from tests.models.evaluation.geometry.plain_points import (
    BROW_LEFT,
    BROW_RIGHT,
    CLOSE,
    GAP_MM,
    JAW,
    SMILE_LEFT,
    SMILE_RIGHT,
    TEETH_MM,
    plain_points,
)

unit = st.floats(0, 1, width=32)


def rows(*faces: dict[int, float]) -> np.ndarray:
    scores = np.zeros((len(faces), 6), np.float32)
    for row, face in zip(scores, faces, strict=True):
        for curve, value in face.items():
            row[curve] = value
    return scores


@pytest.mark.parametrize("parted_mm", [0.0, 0.7])
def test_a_face_at_rest_measures_nothing_however_it_was_modelled(parted_mm: float) -> None:
    found = geometry_of(plain_points(parted_mm=parted_mm), rows({}))
    for name in ("gaps", "teeth", "upper_protrusion", "lower_protrusion", "corner_left", "brow"):
        assert np.abs(getattr(found, name)).max() < 1e-5, name
    assert found.width[0] == pytest.approx(44.0)
    assert found.tongue[0] == 0.0


@given(jaw=unit, close=unit)
def test_gap_and_teeth_follow_the_jaw_and_closing_lips_leave_the_teeth_apart(
    jaw: float, close: float
) -> None:
    found = geometry_of(plain_points(), rows({JAW: jaw, CLOSE: close}))
    assert found.gap[0] == pytest.approx(max(0.0, GAP_MM * (jaw - close)), abs=1e-3)
    assert found.teeth[0] == pytest.approx(TEETH_MM * jaw, abs=1e-3)
    assert (found.gaps >= 0).all()


@given(left=unit, right=unit)
def test_a_mirrored_face_has_mirrored_corners_and_brows(left: float, right: float) -> None:
    one = geometry_of(plain_points(), rows({SMILE_LEFT: left, BROW_LEFT: right}))
    other = geometry_of(plain_points(), rows({SMILE_RIGHT: left, BROW_RIGHT: right}))
    assert one.corner_left[0] == pytest.approx(other.corner_right[0], abs=1e-4)
    assert one.corner_left[0] == pytest.approx(6 * left, abs=1e-4)
    assert one.width[0] == pytest.approx(other.width[0], abs=1e-4)
    assert one.brow[0, [0, 1]] == pytest.approx(other.brow[0, [2, 3]], abs=1e-4)


def test_the_lower_lip_leaves_the_upper_teeth_as_the_mouth_opens() -> None:
    found = geometry_of(plain_points(parted_mm=0.5), rows({}, {JAW: 0.1}))
    assert found.lip_over_teeth == pytest.approx([1.5, 1.5 - 0.1 * GAP_MM], abs=1e-4)


def test_many_rows_measure_as_each_alone_and_none_as_none() -> None:
    scores = np.random.default_rng(0).random((ROWS_AT_ONCE + 3, 6)).astype(np.float32)
    found = geometry_of(plain_points(), scores)
    last = geometry_of(plain_points(), scores[-1:])
    assert found.visible().shape == (ROWS_AT_ONCE + 3, 11)
    assert found.visible()[-1] == pytest.approx(last.visible()[0], abs=1e-4)
    assert len(geometry_of(plain_points(), scores[:0]).gap) == 0
