"""`cstalk-bridge plot` as a user types it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.cli import main
from cstalk_bridge.cli.recordings import add_plot
from cstalk_bridge.system.process import DONE, USER_ERROR, guarded
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.file import save_take
from cstalk_bridge.takes.reader import load_take
from tests.plot.studies import calm_take, moved
from tests.takes.recording.harness import recorded
from tests.takes.render.recordings import speech, write_speech

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_a_render_reports_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_speech(tmp_path / "a.wav")
    arguments = ["render", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out")]
    arguments += ["--format", "json,csv", "--fps", "30", "--emotion", "happy:0.5"]
    arguments += ["--lookahead-ms", "160", "--device", "cpu"]
    assert main(arguments) == 0
    assert re.search(r"1 rendered: 0:00 of sound in \d", capsys.readouterr().out)
    assert main(arguments) == 0
    assert capsys.readouterr().out == "0 rendered, 1 already finished\n"
    (tmp_path / "bad.wav").write_text("no sound")
    arguments[1] = str(tmp_path / "*.wav")
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "bad.wav: cannot be read" in printed.err
    assert "1 failed" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_inputs_that_cannot_be_rendered_are_reported_at_once(
    arguments: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_speech(tmp_path / "a.wav")
    command = ["render", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), *arguments]
    assert main(command) == 2
    assert re.search(message, capsys.readouterr().err)


def test_notices_are_printed_and_skipped_inputs_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, rate_hz = speech()
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in/two.wav", np.stack([samples, -samples], 1)[:rate_hz], rate_hz)
    (tmp_path / "in/notes.txt").write_text("x")
    arguments = ["render", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "1 rendered, 1 ignored" in printed.out
    assert "notice: ignored, being neither recordings nor takes: " in printed.err
    assert "two.wav: its channels cancel each other" in printed.err
    assert main([*arguments, "--channel", "2"]) == 0
    printed = capsys.readouterr()
    assert "1 rendered" in printed.out, "another channel is another render"
    assert "cancel" not in printed.err


def test_a_folder_that_cannot_be_created_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_speech(tmp_path / "a.wav")
    assert main(["render", str(path), "-o", str(path / "out")]) == 2
    assert "cannot be created" in capsys.readouterr().err


def test_a_recorded_take_is_exported_as_performed_and_generated_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recorded(tmp_path / "takes", "Anna", "Ben", ticks=60)
    render = ["render", str(tmp_path / "takes"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    everything = ",".join(FORMATS)
    assert main([*render, "--format", everything]) == 0
    assert "subjects Anna, Ben; --subject chooses one" in capsys.readouterr().err
    out = tmp_path / "out"
    for name in ("Anna", "Ben"):
        (written,) = out.glob(f"*{name}_cal.csv")
        (performed,) = folder.glob(f"*{name}_cal.csv")
        assert written.read_bytes() == performed.read_bytes()
        stem = f"{folder.name}_{name}"
        assert len(list(out.glob(f"{stem}*"))) == len(FORMATS) + 1, "the sound beside it"
        assert load_take(out / f"{stem}.take").performance is not None
    assert main([*render, "--format", everything]) == 0
    assert "0 rendered, 2 already finished" in capsys.readouterr().out
    render[1] = str(folder)
    render[3] = str(tmp_path / "new")
    assert main([*render, "--subject", "Ben", "--regenerate"]) == 0
    new = load_take(tmp_path / f"new/{folder.name}_Ben.take")
    assert new.performance is None
    assert "weights" in new.provenance
    assert not list((tmp_path / "new").glob("*Anna*"))
    capsys.readouterr()
    render[3] = str(tmp_path / "none")
    assert main([*render, "--subject", "Cleo"]) == 2
    assert "no subject 'Cleo'; choose one of Anna, Ben" in capsys.readouterr().err


def test_a_recorded_take_is_plotted_over_a_rendered_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recorded(tmp_path, "Anna", "Ben")
    save_take(calm_take(), tmp_path / "calm.take")
    output = tmp_path / "both.html"
    assert plot(str(folder), str(tmp_path / "calm.take"), "-o", str(output)) == DONE
    assert "subjects Anna, Ben; Anna is shown" in capsys.readouterr().err
    page = output.read_text()
    assert "Anna, recorded live" in page
    assert plot(str(folder), "--subject", "Cleo", "-o", str(output)) == USER_ERROR
    assert plot(str(tmp_path), "-o", str(output)) == USER_ERROR


def plot(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_plot(parser.add_subparsers())
    options = parser.parse_args(["plot", *arguments])
    return guarded(lambda: options.action(options))


def test_plotting_a_take_writes_a_picture_and_prints_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "umlaut ä.take", tmp_path / "x.png"
    save_take(moved(calm_take(), "CTRL_C_jaw.ty", 1.0, slice(20, 40)), path)
    assert plot(str(path), "-o", str(output), "--theme", "light") == DONE
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{output}: ")
    assert "1 clipped" in printed.out
    assert printed.err == ""
    assert output.read_bytes().startswith(b"\x89PNG")


def test_a_recording_is_generated_with_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "hum.wav", tmp_path / "hum.html"
    tone = 0.3 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 180)
    soundfile.write(path, tone, 16_000)
    assert plot(str(path), "-o", str(output)) == DONE
    assert "hum.wav: generating a neutral face, look-ahead 80 ms" in capsys.readouterr().err
    assert "hum_1" in output.read_text(encoding="utf-8")


def test_the_channel_of_a_recording_can_be_selected(
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
    printed = capsys.readouterr().err
    assert "generating a happy 0.4, auto 1 face" in printed
    assert "CC BY-NC-SA 4.0" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.take"], "gone.take: no such file"),
        (["gone.take", "--rigmap", "nobody"], "no rig map is called `nobody`"),
        (["gone.take", "--curves", "Jaw"], "has no curve `Jaw`; did you mean `JawOpen`?"),
        (["gone.take", "--start", "3", "--end", "2"], "from 3 s to 2 s is not a range"),
    ],
)
def test_an_error_is_reported_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(*arguments) == USER_ERROR
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
