"""Rendered pictures of the bundled head under its curves."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.evaluation.adapters import HeadInMm
from cstalk_bridge.evaluation.sheets.faces import FACE_PIXELS, MOUTH_PIXELS, SheetHead, painted
from cstalk_bridge.heads import portrait
from cstalk_bridge.heads.mesh import SHAPES, arkit_names
from cstalk_bridge.heads.portrait import NOTHING, rasterize
from tests.evaluation.test_adapters import SHARED, THERE

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])
"""Counter-clockwise as seen, where down is positive."""


def square(left: float, top: float, size: float, depth: float) -> np.ndarray:
    low = top + size
    return np.array(
        [
            (left, low, depth),
            (left + size, low, depth),
            (left + size, top, depth),
            (left, top, depth),
        ],
        np.float32,
    )


@given(
    left=st.integers(-5, 20),
    top=st.integers(-5, 20),
    size=st.integers(1, 25),
    at=st.integers(1, 90),
)
@settings(max_examples=60)
def test_a_square_covers_each_of_its_pixels_once(left: int, top: int, size: int, at: int) -> None:
    before, portrait.CANDIDATES_AT_ONCE = portrait.CANDIDATES_AT_ONCE, at
    try:
        owner, where = rasterize(square(left, top, size, 1.0), SQUARE, 20, 16)
    finally:
        portrait.CANDIDATES_AT_ONCE = before
    wanted = np.zeros((16, 20), bool)
    wanted[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = True
    assert np.array_equal(owner != NOTHING, wanted)
    assert where[wanted].sum(1) == pytest.approx(1.0, abs=1e-4)
    assert (where >= -1e-4).all()


def test_the_nearest_triangle_is_visible_in_any_order_and_back_faces_are_not() -> None:
    far, near = square(0, 0, 10, 1.0), square(2, 2, 4, 5.0)
    for points, order in (((far, near), (0, 1)), ((near, far), (1, 0))):
        triangles = np.concatenate([SQUARE, SQUARE + 4])
        owner, _ = rasterize(np.concatenate(points), triangles, 10, 10)
        assert owner[4, 4] // 2 == order[1]
        assert owner[8, 8] // 2 == order[0]
    owner, _ = rasterize(far, SQUARE[:, ::-1], 10, 10)
    assert (owner == NOTHING).all()


def test_intersecting_triangles_cross_at_equal_depth() -> None:
    flat, slope = square(0, 0, 10, 5.0), square(0, 0, 10, 0.0)
    slope[[1, 2], 2] = 10.0
    owner, _ = rasterize(
        np.concatenate([flat, slope]), np.concatenate([SQUARE, SQUARE + 4]), 10, 10
    )
    assert (owner[:, :5] < 2).all()
    assert (owner[:, 5:] >= 2).all()


@pytest.fixture(scope="module")
def stage() -> SheetHead:
    return SheetHead(HeadInMm.open(None))


def scores(**weights: float) -> np.ndarray:
    values = np.zeros(SHAPES, np.float32)
    for name, weight in weights.items():
        values[arkit_names().index(name)] = weight
    return values


def changed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the pixels that differ visibly."""
    return np.abs(one.astype(int) - other).max(2) > 12


def test_a_picture_is_a_lit_face_on_a_dark_ground(stage: SheetHead) -> None:
    face = stage.face(scores())
    assert face.shape == (FACE_PIXELS[1], FACE_PIXELS[0], 3)
    middle, corner = face[90:120, 80:96].mean((0, 1)), face[-3:, :6].mean((0, 1))
    assert middle[0] > middle[2] > corner.max() + 40
    assert len(np.unique(face.reshape(-1, 3), axis=0)) > 2000


def test_an_open_mouth_shows_teeth_above_the_dark(stage: SheetHead) -> None:
    shut, opened = stage.mouth(scores()), stage.mouth(scores(jawOpen=0.4))
    assert shut.shape == (MOUTH_PIXELS[1], MOUTH_PIXELS[0], 3)
    column = opened[:, MOUTH_PIXELS[0] // 2].astype(int)
    inside = np.flatnonzero(column.max(1) < 40)
    assert len(inside) > 3
    teeth = column[inside[0] - 8 : inside[0]]
    assert (teeth.min(1) > 90).any()  # as bright in blue as in red, which skin is not
    assert not (shut.max(2) < 40).any()


def test_phones_look_as_different_as_their_mouth_shapes(stage: SheetHead) -> None:
    mouths = {
        "rest": scores(),
        "aa": scores(jawOpen=0.35),
        "oo": scores(jawOpen=0.12, mouthPucker=0.7, mouthFunnel=0.3),
        "ee": scores(jawOpen=0.1, mouthSmileLeft=0.4, mouthSmileRight=0.4),
        "f": scores(mouthRollLower=0.7, mouthUpperUpLeft=0.3, mouthUpperUpRight=0.3),
    }
    pictures = {name: stage.mouth(mouth) for name, mouth in mouths.items()}
    for (one, seen), (other, beside) in combinations(pictures.items(), 2):
        assert changed(seen, beside).mean() > 0.04, (one, other)


def test_one_smiling_corner_changes_its_own_half(stage: SheetHead) -> None:
    rest, left = stage.mouth(scores()), stage.mouth(scores(mouthSmileLeft=0.8))
    halves = np.split(changed(rest, left), 2, axis=1)
    # The character's left is the picture's right.
    assert halves[1].mean() > 5 * halves[0].mean()


def test_the_side_view_shows_the_left_profile(stage: SheetHead) -> None:
    front, half, whole = (stage.face(scores(), yaw) for yaw in (0, 45, 90))
    assert changed(front, half).mean() > 0.2
    assert changed(half, whole).mean() > 0.2
    nose = whole[100:140]
    assert changed(nose, np.broadcast_to(nose[:1, :1], nose.shape)).argmax(1).min() < 60


def test_eyes_turn_with_their_curves(stage: SheetHead) -> None:
    rest = stage.face(scores())
    looking = stage.face(scores(eyeLookOutLeft=0.7, eyeLookInRight=0.7))
    rows, _ = np.nonzero(changed(rest, looking))
    assert len(rows) > 20
    assert rows.max() < FACE_PIXELS[1] / 2


@pytest.mark.skipif(SHARED / "ict-head.glb" not in THERE, reason="the ICT head is not there")
def test_only_a_head_without_lips_is_painted() -> None:
    own = HeadInMm.open(None)
    assert painted(own.head, own.points) == {}
    scanned = HeadInMm.open(SHARED / "ict-head.glb")
    (colours,) = painted(scanned.head, scanned.points).values()
    lips = scanned.points.rest[scanned.points.upper_lip[2]][:, :2].mean(0)
    skin = scanned.head.parts[0].positions[:, :2] * 1000
    assert colours[np.linalg.norm(skin - lips, axis=1).argmin()][1] < 0.2
    assert colours[skin[:, 1].argmax()][1] > 0.3
