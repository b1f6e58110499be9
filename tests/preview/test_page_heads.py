"""Heads of users on the page, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.heads.glb import write_glb
from cstalk_bridge.heads.mesh import Head, Part, Shape, arkit_names, role_of, shape_key
from tests.preview.browsing import Visit, browsing, changed, needs_chromium, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.preview.serving import Serving

pytestmark = needs_chromium

SPELLINGS = (
    "eyeBlinkLeft",
    "EyeBlink_L",
    "Face.eyeBlink_R",
    "mixamorig:EyeBlink_l",
    "blendShape1_jawOpen",
    "a.blendShapes12_mouthSmile_R",
    "BLENDSHAPE_JawOpen",
    "jaw_left",
    "Wolf3D_Head.mouthClose",
    "_L",
    "",
    "Ärger.ÖFFNEN_R",
)
NODES = ("head", "Head", "mixamorig:Head", "eye_L", "LeftEye", "eyeRight", "HeadTop_End", "")


@pytest.fixture(scope="module")
def visit(serving: Serving) -> Iterator[Visit]:
    with browsing() as browser, visiting(browser, serving.preview.url) as visit:
        yield visit
        assert visit.errors == []
        assert visit.strangers == []


def head_of(names: tuple[str, ...], unit: float) -> bytes:
    """A square face of that size, far from the origin, the lower half of which each shape drops."""
    corners = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0), (-1, 0, 0), (1, 0, 0)]
    places = unit * (np.array(corners, np.float32) + 5)
    forward = np.tile(np.array([0, 0, 1], np.float32), (len(corners), 1))
    drop = np.zeros_like(places)
    drop[:2, 1] = -0.4 * unit
    part = Part(
        name="square",
        positions=places,
        normals=forward,
        triangles=np.array([[4, 5, 2], [4, 2, 3], [0, 1, 5], [0, 5, 4]], np.int32),
        colours=np.full_like(places, 0.5),
        shapes={name: Shape(drop, np.zeros_like(drop)) for name in names},
    )
    return write_glb(Head("square", (part,), "CC0"))


def test_shape_names_are_matched_as_the_program_matches_them(visit: Visit) -> None:
    read = visit.evaluate(
        """async ([shapes, nodes]) => {
            const {shapeKey, nodeRole} = await import('/page/names.js');
            return [shapes.map(shapeKey), nodes.map(nodeRole)];
        }""",
        [[*SPELLINGS, *arkit_names()], list(NODES)],
    )
    assert read[0] == [shape_key(name) for name in (*SPELLINGS, *arkit_names())]
    assert read[1] == [role_of(name) for name in NODES]


@pytest.mark.parametrize("unit", [0.001, 100.0])
def test_a_head_in_another_unit_moves_and_missing_shapes_are_reported(
    visit: Visit, tmp_path: Path, unit: float
) -> None:
    path = tmp_path / f"square {unit}.glb"
    path.write_bytes(head_of(("Face.jawOpen", "eyeBlink_L"), unit))
    visit.page.set_input_files("#file", path)
    visit.until(f"'file {path.name}' in cstalk.state().missing")
    visit.until("document.querySelector('#missing summary').textContent.startsWith('50 shapes')")
    rest = visit.pose()
    assert (rest[..., 3] > 128).mean() > 0.4
    assert changed(rest, visit.pose(jawOpen=1.0)).mean() > 0.02
    assert changed(rest, visit.pose(eyeBlinkLeft=1.0)).mean() > 0.02
    assert changed(rest, visit.pose(eyeBlinkRight=1.0)).mean() == 0
    visit.page.select_option("#head", "own")


def test_an_oversized_head_is_reported(visit: Visit) -> None:
    visit.evaluate(
        """() => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(65 * 2 ** 20)], 'film.glb'));
            const event = {dataTransfer: files, bubbles: true, cancelable: true};
            document.body.dispatchEvent(new DragEvent('drop', event));
        }"""
    )
    visit.until("cstalk.state().problems.length")
    (problem,) = visit.state()["problems"]
    assert problem["where"] == "film.glb"
    assert "65 MB" in problem["what"]
    assert "64 MB" in problem["what"]
    assert visit.state()["sides"]["A"]["settings"]["head"] == "own"


def test_a_drag_looks_from_the_side_and_a_double_click_from_the_front(visit: Visit) -> None:
    rest = visit.pose()
    box = visit.page.locator(".view").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x + 60, y, steps=2)
    visit.page.mouse.up()
    assert changed(rest, visit.picture()).mean() > 0.05
    visit.page.mouse.dblclick(x, y)
    assert changed(rest, visit.picture()).mean() < 0.001
