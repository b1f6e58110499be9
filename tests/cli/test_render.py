from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.cli import main
from tests.takes.render.recordings import speech, write_speech

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_a_render_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_speech(tmp_path / "a.wav")
    words = ["render", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), "--format", "json,csv"]
    words += ["--fps", "30", "--emotion", "happy:0.5", "--lookahead-ms", "160", "--device", "cpu"]
    assert main(words) == 0
    assert re.search(r"1 rendered: 0:00 of sound in \d", capsys.readouterr().out)
    assert main(words) == 0
    assert capsys.readouterr().out == "0 rendered, 1 already finished\n"
    (tmp_path / "bad.wav").write_text("no sound")
    words[1] = str(tmp_path / "*.wav")
    assert main(words) == 1
    told = capsys.readouterr()
    assert "bad.wav: cannot be read" in told.err
    assert "1 failed" in told.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--format", "csv,fbx,avi"], r"no format 'fbx'(.|\n)*no format 'avi'"),
        (["--fps", "31"], "unknown frame rate '31'"),
        (["--shard", "3/2"], "write i/n"),
        (["--head", "no.glb"], "no such file: no.glb"),
        (["--rigmap", "vrm"], "needs one for livelinkface61"),
        (["--rigmap", "fantasy"], "no rig map is called"),
        (["--emotion", "cheerful:1"], "no emotion 'cheerful'"),
        (["--mouth-guard", "1.2"], "--mouth-guard"),
        (["--lookahead-ms", "900"], "900"),
        (["--weights", "no.safetensors"], "no.safetensors"),
        (
            ["--channel", "0"],
            "--channel:.*'0' is not a channel; write a number from 1 to 256, or all",
        ),
    ],
)
def test_what_cannot_be_rendered_is_said_at_once(
    words: Sequence[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_speech(tmp_path / "a.wav")
    asked = ["render", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), *words]
    assert main(asked) == 2
    assert re.search(complaint, capsys.readouterr().err)


def test_notices_are_told_and_what_was_left_out_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, rate_hz = speech()
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in/two.wav", np.stack([samples, -samples], 1)[:rate_hz], rate_hz)
    (tmp_path / "in/notes.txt").write_text("x")
    words = ["render", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "1 rendered, 1 ignored" in said.out
    assert "notice: ignored, being neither recordings nor takes: " in said.err
    assert "two.wav: its channels cancel each other" in said.err
    assert main([*words, "--channel", "2"]) == 0
    said = capsys.readouterr()
    assert "1 rendered" in said.out, "another channel is another render"
    assert "cancel" not in said.err


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_speech(tmp_path / "a.wav")
    assert main(["render", str(path), "-o", str(path / "out")]) == 2
    assert "cannot be created" in capsys.readouterr().err
