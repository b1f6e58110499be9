"""Millimetres of known faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.metrics.geometry import (
    ROWS_AT_ONCE,
    geometry_of,
    joined,
    lips_at_phones,
    middles,
    mouth_at_phones,
)
from cstalk_bridge.models.phones import PHONE_INDEX
from tests.models.evaluation.heads import GAP_MM as HEAD_GAP_MM
from tests.models.evaluation.heads import WIDTH_MM, PlainHead
from tests.models.metrics.plain_points import (
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


def rows_of(*spoken: tuple[str, int]) -> np.ndarray:
    return np.concatenate([np.full(rows, PHONE_INDEX[phone]) for phone, rows in spoken])


def test_a_bilabial_is_closed_by_its_narrowest_row_a_vowel_by_its_middle() -> None:
    phones = rows_of(("SIL", 4), ("B", 5), ("AA", 9), ("IY", 7), ("M", 3), ("AE", 2), ("SIL", 4))
    gap = np.full(len(phones), 6.0)
    gap[8] = 0.5  # in the last row of b
    gap[9 + 4] = 0.9  # in the middle of aa
    found = lips_at_phones(gap, phones)
    assert found["closed"] == [1.0, 0.0]
    assert found["narrowest"] == [0.5, 6.0]
    assert sorted(found["false"]) == [0.0, 1.0]  # ae is too short to count
    assert sorted(found["open"]) == [0.9, 6.0]
    assert found["close"] == [6.0]


def test_teeth_and_rounding_are_looked_at_in_the_middle() -> None:
    phones = rows_of(("S", 5), ("W", 5), ("IY", 5), ("F", 5))
    jaw = np.where(np.arange(20) < 5, 0.05, 0.3).astype(np.float32)
    pucker = np.zeros(20, np.float32)
    pucker[5:10] = 0.5
    mouth = PlainHead().geometry({"jawOpen": jaw, "mouthPucker": pucker})
    found = mouth_at_phones(mouth, WIDTH_MM, phones)
    assert found["teeth"] == [1.0]
    assert found["sibilant"] == pytest.approx([1.0])
    assert found["rounded"] == [1.0]
    assert found["misrounded"] == [0.0]
    assert found["tucked"] == [0.0]
    assert found["funnelled"] == []
    assert found["close"] == pytest.approx([0.3 * HEAD_GAP_MM])


def test_clips_join_by_name() -> None:
    assert joined([{"a": [1.0], "b": []}, {"a": [2.0]}]) == {"a": [1.0, 2.0], "b": []}
    assert middles(rows_of(("SIL", 3), ("P", 4)), ("P", "M")).tolist() == [5]
