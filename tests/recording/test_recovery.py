"""Takes that broke off, cut at any byte."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from bridge.bench.recording_process import RecordingProcess
from bridge.export.livelink_csv import header
from bridge.recording.recovery import UNTOUCHED_S, recover
from tests.recording.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 40
LATER_S = 1e12
CURVES, SOUND = "MySlate_take_1_CSTalk_cal.csv", "MySlate_take_1_CSTalk.wav"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = Stage(tmp_path_factory.mktemp("whole"))
    stage.recorder.start("MySlate", 1)
    stage.step(FRAMES)
    take = stage.recorder.stop()
    assert take is not None
    return take.folder


@given(st.data())
def test_what_is_left_is_read(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    broken = shutil.copytree(whole, folder / f"{whole.name}.recording")
    kept = {}
    for name in (CURVES, SOUND):
        size = (whole / name).stat().st_size
        kept[name] = data.draw(st.integers(0, size))
        with (broken / name).open("r+b") as file:
            file.truncate(kept[name])
    (broken / ".take.json.12345678.partial").write_bytes(b"{")
    if data.draw(st.booleans()):
        (broken / "take.json").write_bytes(b"{")
    ((found,), problems) = recover(folder, LATER_S)
    assert found.name == whole.name
    assert sorted(path.name for path in found.iterdir()) == [SOUND, CURVES, "take.json"]

    text = (found / CURVES).read_bytes()
    assert text == header() or (whole / CURVES).read_bytes().startswith(text)
    rows = list(csv.reader(text.decode().splitlines()))[1:]
    assert len(rows) == max(0, (whole / CURVES).read_bytes()[: kept[CURVES]].count(b"\n") - 1)
    document = json.loads((found / "take.json").read_text())
    assert (document["frames"], document["isRecovered"]) == (len(rows), True)
    if rows:
        assert (document["startTimecode"], document["endTimecode"]) == (rows[0][0], rows[-1][0])
    if problems:
        assert "cannot be mended" in str(problems[0])
        assert kept[SOUND] < (whole / SOUND).read_bytes().index(b"data") + 8
    else:
        assert len(soundfile.read(found / SOUND)[0]) <= round(FRAMES * 16_000 / 60)


def test_a_take_that_is_recorded_elsewhere_is_left_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    folder = tmp_path / "20250228_MySlate_1.recording"
    touched_s = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    assert recover(tmp_path, touched_s + UNTOUCHED_S - 1) == ([], [])
    stage.recorder.close()
    assert recover(tmp_path, touched_s + 1000) == ([], [])
    assert recover(tmp_path / "nowhere", 0.0) == ([], [])


def test_a_name_that_was_given_meanwhile_is_left(tmp_path: Path) -> None:
    (tmp_path / "20250228_MySlate_1.recording").mkdir()
    (tmp_path / "20250228_MySlate_1").mkdir()
    found, problems = recover(tmp_path, LATER_S)
    assert [path.name for path in found] == ["20250228_MySlate_1-2"]
    assert problems == []
    assert (tmp_path / "20250228_MySlate_1").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that halts")
def test_a_halted_program_keeps_its_take_and_goes_on_with_it(tmp_path: Path) -> None:
    with RecordingProcess(tmp_path, 1) as recording:
        recording.wait_for("writing")
        recording.signal(signal.SIGSTOP)
        before = sorted(path.name for path in tmp_path.iterdir())
        assert recover(tmp_path, LATER_S) == ([], [])
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        (curves,) = tmp_path.glob("*/*_Ada_cal.csv")
        size = curves.stat().st_size
        recording.signal(signal.SIGCONT)
        deadline_s = time.monotonic() + 30
        while curves.stat().st_size == size:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    found, problems = recover(tmp_path, LATER_S)
    assert (len(found), problems) == (1, [])
    assert sorted(path.suffix for path in found[0].iterdir()) == [
        ".csv", ".csv", ".json", ".wav", ".wav",
    ]  # fmt: skip
