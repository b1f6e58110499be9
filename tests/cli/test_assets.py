"""`cstalk-bridge evaluate` as a user types it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.cli.assets import add_evaluate, check_heads, import_head
from cstalk_bridge.evaluation.sheets import draw
from cstalk_bridge.evaluation.sheets.draw import SHEETS
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.system.process import DONE, USER_ERROR, guarded
from tests.heads.data_sets import ict_facekit
from tests.heads.small import user_head

if TYPE_CHECKING:
    from pathlib import Path


def test_a_head_is_imported_and_its_notice_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "my head.glb"
    assert import_head([ict_facekit(tmp_path / "ict")], output) == 0
    shown = capsys.readouterr().out
    assert f"{output}: ICT-FaceKit, 4 of 52 ARKit shapes" in shown
    assert "tongueOut" in shown
    assert "must stay with every copy" in shown
    assert "USC Institute for Creative Technologies" in shown
    before = output.read_bytes()
    with pytest.raises(UserError, match="already exists"):
        import_head([tmp_path / "ict"], output)
    assert output.read_bytes() == before


def test_shapes_that_a_head_has_and_lacks_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = user_head(["JawOpen", "smirk"]).save(tmp_path / "good.glb")
    assert check_heads([good]) == 0
    shown = capsys.readouterr().out
    assert "1 of 52 ARKit shapes" in shown
    assert "not moved by any curve: smirk" in shown
    assert "missing: eyeBlinkLeft, eyeLookDownLeft" in shown
    bad = user_head(["smirk"]).save(tmp_path / "bad.glb")
    with pytest.raises(UserError) as caught:
        check_heads([bad, good, tmp_path / "none.glb"])
    assert [problem.where for problem in caught.value.problems] == [
        str(bad),
        str(tmp_path / "none.glb"),
    ]
    assert "good.glb: 1 of 52" in capsys.readouterr().out


def evaluate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_evaluate(parser.add_subparsers())
    options = parser.parse_args(["evaluate", *arguments])
    return guarded(lambda: options.action(options))


def test_speed_needs_no_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    arguments = ("--suites", "speed,lips", "--lookahead-ms", "60", "--json", str(file))
    assert evaluate(*arguments, "--data", str(tmp_path), "--cache", str(tmp_path)) == DONE
    (run,) = json.loads(file.read_text("utf-8"))["runs"]
    assert run["findings"]["speed.parameters"]["value"] < 8
    assert "lips: not measured" in capsys.readouterr().out


def test_problems_are_printed_one_per_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--suites", "hair", "--max-clips", "0") == USER_ERROR
    printed = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in printed] == ["--suites", "--max-clips"]
    missing = str(tmp_path / "x.safetensors")
    assert evaluate("--weights", missing, "--suites", "speed") == USER_ERROR
    assert "there is no such weights file" in capsys.readouterr().err


def test_contact_sheets_alone_measure_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "SHEETS", {"angles": SHEETS["angles"], "words": SHEETS["words"]})
    folder = tmp_path / "sheets"
    arguments = ("--data", str(tmp_path), "--cache", str(tmp_path), "--lookahead-ms", "80")
    assert evaluate("--sheets", str(folder), *arguments) == DONE
    printed = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {"angles_face.png", "angles_mouth.png"}
    assert f"{folder / 'angles_face.png'}: faces from three sides" in printed
    assert "words: not drawn: " in printed
    assert "bar" not in printed


def test_a_missing_head_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--suites", "speed", "--head", str(tmp_path / "x.glb")) == USER_ERROR
    assert "--head: no such file" in capsys.readouterr().err
