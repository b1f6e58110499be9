"""Procedural animation on the page: eyes and head of a take visibly move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.face.procedural.animation import overlay
from cstalk_bridge.rig.curves import Frame, neutral_board
from cstalk_bridge.rig.load import load_rigmap
from tests.preview.browsing import Visit, browsing, changed, needs_chromium, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.preview.serving import Serving

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def visit(serving: Serving) -> Iterator[Visit]:
    with browsing() as browser, visiting(browser, serving.preview.url) as visit:
        yield visit


def curves(yaw_deg: float, head_rad: float) -> dict[str, float]:
    """The packet values of a face whose eyes and head turn to its left."""
    numbers = np.array([yaw_deg, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    head = np.array([head_rad, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    rigmap = load_rigmap("livelinkface61")
    values = rigmap.apply(Frame(0.0, overlay(neutral_board(), numbers), head)).tolist()
    known = dict(zip(rigmap.outputs, values, strict=True))
    return {name: value for name, value in known.items() if "Look" in name or "Head" in name}


def iris(visit: Visit, posed: dict[str, float]) -> float:
    """Where the blue of both eyes lies in the picture, from left (0) to right (1)."""
    names = {name[0].lower() + name[1:] if "Look" in name else name: posed[name] for name in posed}
    picture = visit.pose(**names)
    found = (picture[..., 2] > 1.3 * picture[..., 0]) & (picture[..., 3] > 200)
    height, width = found.shape
    found[: int(0.3 * height)] = found[int(0.65 * height) :] = False
    return float(np.flatnonzero(found.any(axis=0)).mean() / width)


def test_looking_to_its_left_moves_the_eyes_to_the_right_of_the_picture(visit: Visit) -> None:
    right, ahead, left = (iris(visit, curves(yaw_deg, 0.0)) for yaw_deg in (-20.0, 0.0, 20.0))
    assert right < ahead - 0.003
    assert left > ahead + 0.003


def test_a_head_turn_is_visible(visit: Visit) -> None:
    rest = visit.pose(HeadYaw=0.0)
    turned = visit.pose(HeadYaw=0.15)
    assert changed(rest, turned).mean() > 0.01
