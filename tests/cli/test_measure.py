"""`cstalk-bridge evaluate` as a user types it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from cstalk_bridge.cli.measure import add_evaluate
from cstalk_bridge.evaluation.sheets import draw
from cstalk_bridge.evaluation.sheets.draw import SHEETS
from cstalk_bridge.system.process import DONE, USER_ERROR, guarded

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def evaluate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_evaluate(parser.add_subparsers())
    options = parser.parse_args(["evaluate", *arguments])
    return guarded(lambda: options.action(options))


def test_speed_needs_no_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    words = ("--suites", "speed,lips", "--lookahead-ms", "60", "--json", str(file))
    assert evaluate(*words, "--data", str(tmp_path), "--cache", str(tmp_path)) == DONE
    (run,) = json.loads(file.read_text("utf-8"))["runs"]
    assert run["findings"]["speed.parameters"]["value"] < 5
    assert "lips: not measured" in capsys.readouterr().out


def test_faults_are_said_one_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--suites", "hair", "--most", "0") == USER_ERROR
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said] == ["--suites", "--most"]
    missing = str(tmp_path / "x.safetensors")
    assert evaluate("--weights", missing, "--suites", "speed") == USER_ERROR
    assert "there is no such weights file" in capsys.readouterr().err


def test_sheets_alone_measure_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "SHEETS", {"angles": SHEETS["angles"], "words": SHEETS["words"]})
    folder = tmp_path / "sheets"
    words = ("--data", str(tmp_path), "--cache", str(tmp_path), "--lookahead-ms", "80")
    assert evaluate("--sheets", str(folder), *words) == DONE
    said = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {"angles_face.png", "angles_mouth.png"}
    assert f"{folder / 'angles_face.png'}: faces from three sides" in said
    assert "words: not drawn: " in said
    assert "bar" not in said


def test_a_head_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--suites", "speed", "--head", str(tmp_path / "x.glb")) == USER_ERROR
    assert "--head: no such file" in capsys.readouterr().err
