"""The page's drawing in a real browser: the bundled head, posed curve by curve."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.heads.mesh import arkit_names
from tests.preview.browsing import Visit, browsing, changed, needs_chromium, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.preview.serving import Serving

pytestmark = needs_chromium

WINDOW = {"width": 340, "height": 1130}
"""One column, as on a phone, in which the face has about 320 pixels a side: fifty are drawn."""

MAX_BYTES = 1_500_000
"""All that the first face needs, as it comes over the wire."""

MAX_FIRST_FACE_S = 30.0
"""For a busy machine without a graphics card; the measured time is printed."""

SEEN = 0.0005
"""A shape that changes less of the picture cannot be seen."""

OWN_HALF = 0.8
"""Part of its changes that a sided shape has on its own side."""

SIDED = re.compile(r"(?<!^jaw)(?<!^mouth)(Left|Right)$")
"""The sides of shapes that have a twin; jawLeft and mouthLeft move the whole mouth."""


@pytest.fixture(scope="module")
def opened(serving: Serving) -> Iterator[tuple[Visit, float]]:
    """The page with its face at rest, and the time it took."""
    with browsing() as browser:
        start_s = time.monotonic()
        with visiting(browser, serving.preview.url, WINDOW) as visit:
            yield visit, time.monotonic() - start_s


@pytest.fixture(scope="module")
def visit(opened: tuple[Visit, float]) -> Visit:
    return opened[0]


@pytest.fixture(scope="module")
def rest(visit: Visit) -> NDArray[np.int16]:
    return visit.pose()


def eyes(picture: NDArray[np.int16], blue: float = 0.85) -> NDArray[np.bool_]:
    """Return where the white and the iris of the eyes are: `blue` times as blue as red, unlike
    skin. 1.3 leaves the iris alone."""
    height, width, _ = picture.shape
    found = (picture[..., 2] > blue * picture[..., 0]) & (picture[..., 3] > 200)
    found[: int(0.35 * height)] = found[int(0.6 * height) :] = False
    found[:, : int(0.28 * width)] = found[:, int(0.72 * width) :] = False
    return found


def lowest_lip(picture: NDArray[np.int16]) -> int:
    """Return the lowest row with the red of the lips."""
    height, width, _ = picture.shape
    red, green, _, alpha = np.moveaxis(picture, 2, 0)
    found = (green < 0.55 * red) & (red > 90) & (alpha > 200)
    found[: height // 2] = False
    found[:, : width // 4] = found[:, 3 * width // 4 :] = False
    return int(np.flatnonzero(found.sum(axis=1) > 3).max())


def halves(found: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how much is in the halves of the character's right and left: the picture's left is
    the character's right."""
    middle = found.shape[1] // 2
    return int(found[:, :middle].sum()), int(found[:, middle:].sum())


def test_the_first_face_is_light_quick_and_of_one_origin(opened: tuple[Visit, float]) -> None:
    visit, first_face_s = opened
    weight = sum(visit.bodies.values())
    print(f"first face after {first_face_s:.2f} s, {len(visit.bodies)} files, {weight:,} bytes")
    assert any(address.endswith(".glb") for address in visit.bodies)
    assert weight < MAX_BYTES
    assert first_face_s < MAX_FIRST_FACE_S
    assert visit.strangers == []
    assert visit.errors == []
    assert visit.state()["missing"] == {"own": []}


def test_the_head_fills_the_picture(rest: NDArray[np.int16]) -> None:
    assert 0.3 < (rest[..., 3] > 128).mean() < 0.9


def test_every_shape_is_visible_and_sided_ones_on_their_side(
    visit: Visit, rest: NDArray[np.int16]
) -> None:
    unseen, astray = {}, {}
    for name in arkit_names():
        found = changed(rest, visit.pose(**{name: 1.0}))
        right, left = halves(found)
        side = SIDED.search(name)
        own = {"Right": right, "Left": left}[side[0]] if side else right + left
        if found.mean() < SEEN:
            unseen[name] = found.mean()
        if own < OWN_HALF * (right + left):
            astray[name] = (right, left)
    assert unseen == {}
    assert astray == {}


def test_the_jaw_lowers_the_lip(visit: Visit, rest: NDArray[np.int16]) -> None:
    assert lowest_lip(visit.pose(jawOpen=1.0)) > lowest_lip(rest) + 0.03 * rest.shape[0]


@pytest.mark.parametrize("side", ["Right", "Left"])
def test_a_blink_closes_one_eye_and_not_the_other(
    visit: Visit, rest: NDArray[np.int16], side: str
) -> None:
    own = 0 if side == "Right" else 1
    before = halves(eyes(rest))
    blinking = halves(eyes(visit.pose(**{f"eyeBlink{side}": 1.0})))
    assert min(before) > 150
    assert blinking[own] <= 0.1 * before[own]
    assert abs(blinking[1 - own] - before[1 - own]) <= 0.02 * before[1 - own]


@pytest.mark.parametrize(
    ("curves", "axis", "sign"),
    [
        (("EyeLookOutLeft", "EyeLookInRight"), 1, 1),
        (("EyeLookInLeft", "EyeLookOutRight"), 1, -1),
        (("EyeLookUpLeft", "EyeLookUpRight"), 0, -1),
        (("EyeLookDownLeft", "EyeLookDownRight"), 0, 1),
    ],
)
def test_eyes_turn_as_the_curves_direct(
    visit: Visit, rest: NDArray[np.int16], curves: tuple[str, str], axis: int, sign: int
) -> None:
    """The irises move; the character's left is the picture's right."""

    def middle(picture: NDArray[np.int16]) -> float:
        return float(np.nonzero(eyes(picture, blue=1.3))[axis].mean())

    turned = visit.pose(**dict.fromkeys(curves, 1.0))
    assert sign * (middle(turned) - middle(rest)) > 2


@pytest.mark.parametrize(("curve", "axis"), [("HeadYaw", 1), ("HeadPitch", 0), ("HeadRoll", 1)])
def test_the_head_turns_left_up_and_to_its_right_shoulder(
    visit: Visit, rest: NDArray[np.int16], curve: str, axis: int
) -> None:
    """Where the lips go for a turn to the left and up; where the hair goes for a roll."""

    def place(picture: NDArray[np.int16]) -> float:
        height = picture.shape[0]
        red, green, _, alpha = np.moveaxis(picture, 2, 0)
        found = (green < 0.55 * red) & (alpha > 200)
        if curve == "HeadRoll":
            found = alpha > 200
            found[height // 4 :] = False
        else:
            found[: height // 2] = False
            found &= red > 90
        return float(np.nonzero(found)[axis].mean())

    moved = place(visit.pose(**{curve: 0.3})) - place(rest)
    sign = {"HeadYaw": 1, "HeadPitch": -1, "HeadRoll": -1}[curve]
    assert sign * moved > 3


def test_a_pose_ends(visit: Visit, rest: NDArray[np.int16]) -> None:
    visit.pose(jawOpen=1.0)
    visit.evaluate("cstalk.set(null)")
    assert changed(rest, visit.picture()).mean() < SEEN
