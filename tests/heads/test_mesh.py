import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cstalk_bridge.heads.mesh import arkit_name, arkit_names, missing_names, role_of, shape_key

PAGE_NAMES = Path(__file__).parents[2] / "bridge" / "preview" / "page" / "names.js"
SPELLINGS = (
    *("eyeBlinkLeft", "EyeBlinkLeft", "eyeBlink_L", "EYEBLINK_l", "eyeblinkleft"),
    *("Face.eyeBlinkLeft", "mixamorig:EyeBlink_L", "blendShape1.eyeBlinkLeft"),
    *("blendShape2_eyeBlink_L", "a:b.blendShapes_EyeBlinkLeft"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_means_the_same_shape(spelling: str) -> None:
    assert arkit_name(spelling) == "eyeBlinkLeft"


@pytest.mark.parametrize("name", ["", "eyeBlink", "viseme_aa", "eyeBlinkLeft2", "_L", "blink"])
def test_an_unknown_name_means_no_shape(name: str) -> None:
    assert arkit_name(name) is None


def test_there_are_52_names_and_each_means_itself() -> None:
    names = arkit_names()
    assert len(set(names)) == 52
    assert [arkit_name(name) for name in names] == list(names)
    assert missing_names(names[1:]) == (names[0],)


@pytest.mark.parametrize(
    ("name", "role"),
    [("head", "head"), ("mixamorig:Head", "head"), ("eyeLeft", "eyeLeft"), ("Eye_R", "eyeRight"),
     ("LeftEye", "eyeLeft"), ("forehead", None), ("eye", None)],
)  # fmt: skip
def test_rotating_nodes_are_recognised_by_name(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_the_page_matches_names_by_the_same_rule() -> None:
    if not (node := shutil.which("node")):
        pytest.skip("node is not installed")
    random = np.random.default_rng(0)
    pieces = ["jawOpen", "Face", ".", ":", "_L", "_r", "blendShape", "s1_", "2_", "_", " ", "x-"]
    wild = ["".join(random.choice(pieces, size)) for size in random.integers(0, 7, 500)]
    names = [*SPELLINGS, *wild]
    program = (
        f"import {{ shapeKey }} from {json.dumps(PAGE_NAMES.as_uri())};"
        "const names = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(names.map(shapeKey)));"
    )
    done = subprocess.run(
        [node, "--input-type=module", "-e", program, json.dumps(names)],
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert json.loads(done.stdout) == [shape_key(name) for name in names]
