from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bridge.errors import UserError
from bridge.takes.emotions import EmotionCourse, Key, read_emotions, sidecar
from models.emotions import EMOTIONS

if TYPE_CHECKING:
    from pathlib import Path

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def test_a_change_eases_over_its_time_without_a_step() -> None:
    keys = (Key(at_s=1.0, emotion={"happy": 1.0}, over_s=0.5), Key(at_s=1.25, emotion={"sad": 0.6}))
    times_s = np.arange(0, 2, 0.01)
    weights = EmotionCourse(keys).weights(times_s)
    assert not weights[:100].any()
    assert weights[125, HAPPY] == pytest.approx(0.5, abs=0.01)
    assert weights[-1, SAD] == pytest.approx(0.6)
    assert weights[-1, HAPPY] == 0.0
    assert np.abs(np.diff(weights, axis=0)).max() < 0.05


def test_a_cut_is_one_step_and_a_constant_has_none() -> None:
    times_s = np.array([0.0, 0.99, 1.0, 3.0])
    cut = EmotionCourse((Key(at_s=1.0, emotion={"sad": 1.0}, over_s=0.0),)).weights(times_s)
    assert cut[:, SAD].tolist() == [0.0, 0.0, 1.0, 1.0]
    constant = EmotionCourse.constant({"happy": 0.25}).weights(times_s)
    assert constant[:, HAPPY].tolist() == [0.25] * 4


YAML = """\
- {at_s: 0, emotion: neutral}
- {at_s: 2.5, emotion: "happy:0.7, surprised:0.2", over_s: 0.5}
"""
CSV = 'at_s,emotion,over_s\n0,neutral,\n2.5,"happy:0.7, surprised:0.2",0.5\n'


def test_yaml_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.emotion.yaml").write_text(YAML)
    (tmp_path / "a.emotion.csv").write_text(CSV)
    course = read_emotions(tmp_path / "a.emotion.yaml")
    assert course == read_emotions(tmp_path / "a.emotion.csv")
    assert course.keys[1] == Key(at_s=2.5, emotion={"happy": 0.7, "surprised": 0.2}, over_s=0.5)


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        (
            "x.yaml",
            "- {at_s: 0, emotion: happi}\n- {at_s: -1, emotion: sad:9}\n",
            ["1:22", "2:10", "2:23"],
        ),
        ("x.csv", "at_s,emotion\n0,happi\nnow,sad:9\n", ["2:2", "3:1", "3:2"]),
        ("x.csv", "time,mood\n0,sad\n", ["1:1"]),
        ("x.yaml", "- {at_s: 2, emotion: sad}\n- {at_s: 1, emotion: sad}\n", ["1:1"]),
        pytest.param("x.csv", f"at_s,emotion\n0,{'x' * 131_073}\n", ["2:1"], id="a long cell"),
        pytest.param("x.csv", f"{'x' * 131_073}\n0,sad\n", ["1:1"], id="a long head"),
    ],
)
def test_mistakes_are_named_with_their_places(
    tmp_path: Path, name: str, text: str, places: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_emotions(path)
    assert [problem.where for problem in error.value.problems] == [f"{path}:{at}" for at in places]


def test_a_sidecar_is_found_beside_its_recording(tmp_path: Path) -> None:
    recording = tmp_path / "my talk.v2.wav"
    assert sidecar(recording) is None
    (tmp_path / "my talk.v2.emotion.yaml").write_text(YAML)
    assert sidecar(recording) == tmp_path / "my talk.v2.emotion.yaml"
    (tmp_path / "my talk.v2.emotion.csv").write_text(CSV)
    with pytest.raises(UserError, match="both tell its emotion"):
        sidecar(recording)
