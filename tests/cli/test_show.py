"""`cstalk-bridge plot` as a user types it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.cli.show import add_plot
from cstalk_bridge.system.process import DONE, USER_ERROR, guarded
from cstalk_bridge.takes.file import save_take
from tests.plot.studies import calm_take, moved

if TYPE_CHECKING:
    from pathlib import Path


def plot(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_plot(parser.add_subparsers())
    options = parser.parse_args(["plot", *arguments])
    return guarded(lambda: options.action(options))


def test_a_take_becomes_a_picture_and_a_line_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "umlaut ä.take", tmp_path / "x.png"
    save_take(moved(calm_take(), "CTRL_C_jaw.ty", 1.0, slice(20, 40)), path)
    assert plot(str(path), "-o", str(output), "--theme", "light") == DONE
    said = capsys.readouterr()
    assert said.out.startswith(f"{output}: ")
    assert "1 clipped" in said.out
    assert said.err == ""
    assert output.read_bytes().startswith(b"\x89PNG")


def test_a_recording_is_generated_with_a_word_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "hum.wav", tmp_path / "hum.html"
    tone = 0.3 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 180)
    soundfile.write(path, tone, 16_000)
    assert plot(str(path), "-o", str(output)) == DONE
    assert "hum.wav: generating a neutral face, look-ahead 80 ms" in capsys.readouterr().err
    assert "hum_1" in output.read_text(encoding="utf-8")


def test_the_channel_of_a_recording_can_be_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "two.wav", tmp_path / "two.html"
    tone = 0.3 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 180)
    soundfile.write(path, np.stack([tone, -tone], 1), 16_000)
    assert plot(str(path), "-o", str(output)) == DONE
    assert "two.wav: its channels cancel each other" in capsys.readouterr().err
    assert plot(str(path), "-o", str(output), "--channel", "2") == DONE
    assert "cancel" not in capsys.readouterr().err
    assert plot(str(path), "-o", str(output), "--channel", "3") == USER_ERROR
    assert "channel 3 does not exist, the file has 2" in capsys.readouterr().err
    assert plot(str(path), "-o", str(output), "--channel", "left") == USER_ERROR
    assert "'left' is not a channel" in capsys.readouterr().err


def test_a_recording_may_be_generated_in_an_emotion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "hum.wav", tmp_path / "hum.html"
    tone = 0.3 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 180)
    soundfile.write(path, tone, 16_000)
    assert plot(str(path), "-o", str(output), "--emotion", "happy:0.4,auto") == DONE
    said = capsys.readouterr().err
    assert "generating a happy 0.4, auto 1 face" in said
    assert "CC BY-NC-SA 4.0" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.take"], "gone.take: no such file"),
        (["gone.take", "--rigmap", "nobody"], "no rig map is called `nobody`"),
        (["gone.take", "--curves", "Jaw"], "has no curve `Jaw`; did you mean `JawOpen`?"),
        (["gone.take", "--start", "3", "--end", "2"], "from 3 s to 2 s is not a range"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(*arguments) == USER_ERROR
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
