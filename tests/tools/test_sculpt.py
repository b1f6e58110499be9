"""The bundled head: the committed file, its shapes, and what is visible of them."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.heads.mesh import EYES
from cstalk_bridge.heads.reading import read_head
from cstalk_bridge.rig.curves import load_table
from tests.tools.rays import posed, seen, window
from tools.sculpt.head import build_head
from tools.sculpt.landmarks import EYE, MOUTH_X, MOUTH_Y, NECK_PIVOT
from tools.sculpt.sheet import CAPTION_PX, CELL_PX, draw_sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head, Part
    from cstalk_bridge.rig.curves import Curve


ARKIT = load_table("livelinkface61").curves[:52]
SIDED = [curve for curve in ARKIT if curve.side == "L"]
FILE = Path(str(resources.files("cstalk_bridge.heads").joinpath("head.glb")))

MOUTH_Y_M = (MOUTH_Y - NECK_PIVOT[1]) / 100
MOUTH = window((-0.01 * MOUTH_X, 0.01 * MOUTH_X), (MOUTH_Y_M - 0.045, MOUTH_Y_M + 0.012), 0.3, 20)
INNER_MOUTH = {"teethUpper", "teethLower", "tongue", "mouthInside"}


def _name(curve: str) -> str:
    return curve[0].lower() + curve[1:]


def _both(name: str, weight: float = 1.0) -> dict[str, float]:
    return {f"{name}Left": weight, f"{name}Right": weight}


@pytest.fixture(scope="module")
def head() -> Head:
    return read_head(FILE)


@pytest.fixture(scope="module")
def skin(head: Head) -> Part:
    return next(part for part in head.parts if part.name == "skin")


def test_the_program_makes_the_committed_file(head: Head) -> None:
    made = build_head()
    assert [part.name for part in made.parts] == [part.name for part in head.parts]
    for part, found in zip(made.parts, head.parts, strict=True):
        np.testing.assert_array_equal(found.triangles, part.triangles)
        np.testing.assert_allclose(found.positions, part.positions, atol=1e-5)
        np.testing.assert_allclose(found.normals, part.normals, atol=0.02)
        np.testing.assert_allclose(found.colours, part.colours, atol=0.003)
        assert list(found.shapes) == list(part.shapes)
        for name, shape in part.shapes.items():
            np.testing.assert_allclose(found.shapes[name].positions, shape.positions, atol=1e-5)


def test_the_file_is_small_and_valid(head: Head) -> None:
    data = FILE.read_bytes()
    assert len(data) < 720_000
    assert len(gzip.compress(data)) < 400_000
    assert 6_000 < sum(len(part.positions) for part in head.parts) < 10_000
    for part in head.parts:
        assert np.isfinite(part.positions).all()
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1.0, atol=0.02)
        assert part.colours.min() >= 0
        assert part.colours.max() <= 1


def test_every_arkit_shape_moves_the_skin(skin: Part) -> None:
    assert set(skin.shapes) == {_name(curve.name) for curve in ARKIT}
    for name, shape in skin.shapes.items():
        assert np.linalg.norm(shape.positions, axis=1).max() > 0.0005, name


def test_lower_teeth_and_tongue_follow_the_jaw_and_upper_teeth_stay(head: Head) -> None:
    parts = {part.name: part for part in head.parts}
    assert not parts["teethUpper"].shapes
    assert parts["teethLower"].shapes["jawOpen"].positions[:, 1].max() < -0.01
    tongue = parts["tongue"].shapes
    assert tongue["jawOpen"].positions[:, 1].max() < -0.001
    assert tongue["tongueOut"].positions[:, 2].max() > 0.03


def test_eyes_surround_their_pivots_and_look_shapes_move_only_lids(head: Head) -> None:
    eyes = [part for part in head.parts if part.name in EYES]
    assert [part.name for part in eyes] == list(EYES)
    for part, side in zip(eyes, (1, -1), strict=True):
        np.testing.assert_allclose(part.pivot, (EYE * (side, 1, 1) - NECK_PIVOT) / 100, atol=1e-6)
        assert not part.shapes
        radius = np.linalg.norm(part.positions, axis=1)
        assert radius.max() / radius.min() < 1.1


@pytest.mark.parametrize("curve", SIDED, ids=lambda curve: curve.name)
def test_left_and_right_are_mirror_images_on_their_own_half(skin: Part, curve: Curve) -> None:
    left, right = _moved(skin, _name(curve.name), 1.0), _moved(skin, _name(curve.mirror), -1.0)
    assert len(left) == len(right)
    gaps = np.abs(left[:, None] - right[None]).max(axis=2)
    assert gaps.min(axis=1).max() < 5e-5
    assert gaps.min(axis=0).max() < 5e-5
    motion = (left[:, 3:] ** 2).sum(axis=1)
    assert motion[left[:, 0] > 0].sum() > 0.9 * motion.sum()


def _moved(skin: Part, name: str, side: float) -> NDArray[np.float64]:
    """Return where moved points are and where they go, [points, 6], mirrored by `side` -1."""
    delta = skin.shapes[name].positions
    rows = np.flatnonzero(np.linalg.norm(delta, axis=1) > 0.0005)
    both = np.concatenate([skin.positions[rows], delta[rows]], axis=1).astype(np.float64)
    return np.asarray(both * np.array([side, 1, 1, side, 1, 1]))


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_blink_hides_that_eye_only(head: Head, side: str) -> None:
    for eye, sign in (("eyeLeft", 1), ("eyeRight", -1)):
        x, y = sign * EYE[0] / 100, (EYE[1] - NECK_PIVOT[1]) / 100
        points = window((x - 0.014, x + 0.014), (y - 0.008, y + 0.008), 0.3, 18)
        opened = seen(head, {}, points, (0, 0, -1))[0].count(eye)
        closed = seen(head, {f"eyeBlink{side}": 1.0}, points, (0, 0, -1))[0].count(eye)
        assert opened > 100
        assert closed == (0 if eye.endswith(side) else opened)


def test_lid_edges_meet(skin: Part) -> None:
    shut = posed(skin, {"eyeBlinkLeft": 1.0})
    travel = skin.shapes["eyeBlinkLeft"].positions[:, 1]
    falling = np.flatnonzero(travel < -0.005)
    rising = np.flatnonzero(travel > 0.002)
    gaps = np.linalg.norm(shut[falling][:, None] - shut[rising][None], axis=2)
    assert (gaps.min(axis=0) < 0.0005).sum() >= 10


def _lip_pairs(skin: Part) -> NDArray[np.intp]:
    """Return the pairs of lip points which coincide until the jaw opens, [pairs, 2]."""
    drops = skin.shapes["jawOpen"].positions[:, 1]
    low = np.flatnonzero(drops < -0.001)
    places = {tuple(skin.positions[index].tolist()): index for index in low}
    pairs = []
    for index, place in enumerate(skin.positions.tolist()):
        other = places.get(tuple(place), index)
        if drops[index] - drops[other] > 0.004:
            pairs.append((index, other))
    return np.array(pairs)


def test_the_jaw_parts_the_lips_and_mouth_close_brings_them_together(skin: Part) -> None:
    pairs = _lip_pairs(skin)
    assert len(pairs) >= 12

    def gap_m(weights: dict[str, float]) -> float:
        at = posed(skin, weights)
        return float(np.linalg.norm(at[pairs[:, 0]] - at[pairs[:, 1]], axis=1).max())

    assert gap_m({}) == 0.0
    assert gap_m({"jawOpen": 1.0}) > 0.02
    for weight in (0.2, 0.6, 1.0):
        assert gap_m({"jawOpen": weight, "mouthClose": weight}) < 0.0005
    assert 0.3 < gap_m({"jawOpen": 1.0, "mouthClose": 0.5}) / gap_m({"jawOpen": 1.0}) < 0.7


CLOSED = {
    "rest": {},
    "p, b, m": {"jawOpen": 0.2, "mouthClose": 0.2} | _both("mouthPress", 0.5),
    "dropped jaw": {"jawOpen": 1.0, "mouthClose": 1.0},
    "pucker": {"mouthPucker": 1.0},
    "smile": _both("mouthSmile"),
    "frown": _both("mouthFrown"),
    "press": _both("mouthPress"),
    "rolled": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "puffed": {"cheekPuff": 1.0},
}


@pytest.mark.parametrize("weights", CLOSED.values(), ids=list(CLOSED))
def test_closed_lips_hide_the_mouth_cavity(head: Head, weights: dict[str, float]) -> None:
    assert not INNER_MOUTH & set(seen(head, weights, MOUTH, (0, 0, -1))[0])


OPEN = {
    "ah": ({"jawOpen": 0.7}, "mouthInside"),
    "ee": ({"jawOpen": 0.12} | _both("mouthSmile", 0.5) | _both("mouthUpperUp", 0.5), "teethUpper"),
    "f, v": ({"mouthRollLower": 1.0} | _both("mouthUpperUp", 0.6), "teethUpper"),
    "oh": ({"jawOpen": 0.5, "mouthFunnel": 0.6}, "teethUpper"),
    "tongue": ({"jawOpen": 0.6, "tongueOut": 1.0}, "tongue"),
    "th": ({"jawOpen": 0.22, "tongueOut": 0.4}, "tongue"),
    "l": ({"jawOpen": 0.4, "tongueOut": 0.2}, "tongue"),
    "lower teeth": ({"jawOpen": 0.2} | _both("mouthLowerDown"), "teethLower"),
}


@pytest.mark.parametrize(("weights", "part"), OPEN.values(), ids=list(OPEN))
def test_open_lips_show_teeth_and_tongue(head: Head, weights: dict[str, float], part: str) -> None:
    assert seen(head, weights, MOUTH, (0, 0, -1))[0].count(part) >= 8


def test_lips_rest_level_well_before_the_teeth(head: Head, skin: Part) -> None:
    seam = skin.positions[_lip_pairs(skin)[:, 0]]
    assert np.ptp(seam[:, 1]) < 0.0015
    lip = skin.positions[np.abs(skin.positions[:, 1] - MOUTH_Y_M) < 0.008, 2].max()
    teeth = next(part for part in head.parts if part.name == "teethUpper")
    assert 0.010 < lip - teeth.positions[:, 2].max() < 0.016


def test_a_smile_bulges_the_cheeks_and_a_sneer_lifts_the_wings(skin: Part) -> None:
    def moved_mm(name: str, x: float, y: float) -> NDArray[np.float64]:
        at = 100 * skin.positions + NECK_PIVOT
        near = np.hypot(at[:, 0] - x, at[:, 1] - y) + 10.0 * (at[:, 2] < 5.0)
        return 1000.0 * skin.shapes[name].positions[near.argmin()].astype(np.float64)

    assert moved_mm("mouthSmileLeft", 3.9, -2.6)[2] > 4.0
    assert moved_mm("noseSneerLeft", 1.3, -2.9)[1] > 4.0


def test_the_sheet_shows_each_head_from_three_sides(head: Head) -> None:
    width, height = CELL_PX
    picture = draw_sheet({"own": head, "again": head}, ["rest", "smile"])
    assert picture.shape == (2 * height + CAPTION_PX, 2 * 3 * width, 3)
    cells = picture[CAPTION_PX + height :].reshape(height, 6, width, 3)
    same = [np.array_equal(cells[:, place], cells[:, place + 3]) for place in (1, 2)]
    assert same == [True, True]
    assert not np.array_equal(cells[:, 1], cells[:, 2])


@pytest.mark.parametrize("towards", [(0, 0, -1), (-1, 0, 0), (1, 0, 0), (0, 0, 1)])
@pytest.mark.parametrize("weights", [{}, {"jawOpen": 0.8} | _both("mouthSmile", 0.7)])
def test_visible_triangles_face_the_camera(
    head: Head, weights: dict[str, float], towards: tuple[float, float, float]
) -> None:
    points = window((-0.0611, 0.0613), (-0.0617, 0.1519), 0.4, 12)
    if towards[0]:
        points = points[:, [2, 1, 0]]
    points = points * np.where(np.array(towards) > 0, -1.0, 1.0)
    names, facing = seen(head, weights, points, towards)
    assert sum(bool(name) for name in names) > 100
    assert all(facing)
