"""Whole takes, from ticks to files."""

from __future__ import annotations

import csv
import json
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from bridge.clock.rate import FRAME_RATES
from bridge.clock.tick import Tick
from bridge.clock.timecode import Timecode, frames_per_day
from bridge.errors import UserError
from bridge.export.livelink_csv import column_order
from bridge.recording.recorder import CURVES, Recorder
from bridge.recording.subject_files import RecordedSubject
from bridge.rig.tables import load_table
from tests.recording.stage import DELAY_S, Stage, tone

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.links.link import Link
    from bridge.recording.open_take import Recorded

APP_KEYS = {
    "endTimecode", "take", "appVersion", "identifier", "subject", "startTimecode",
    "startTimestamp", "calibrated", "deviceModel", "videoTargetFrameRate", "slate", "version",
    "frames", "date", "endTimestamp",
}  # fmt: skip


def recorded(stage: Stage, ticks: int, *, slate: str = "MySlate", number: int = 24) -> Recorded:
    """Record a take of so many ticks; a tick before and one after are no part of it."""
    stage.step(20)
    stage.recorder.start(slate, number)
    stage.step(ticks)
    take = stage.recorder.take
    assert take is not None
    take.end()
    stage.step()
    found = stage.recorder.stop()
    assert found is not None
    return found


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def document(take: Recorded) -> dict[str, Any]:
    found = json.loads((take.folder / "take.json").read_text())
    assert isinstance(found, dict)
    return found


def test_a_take_is_three_files_under_its_names(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "takes")
    take = recorded(stage, 300)
    assert take.problem is None
    assert take.folder == tmp_path / "takes" / "20250228_MySlate_24"
    assert [path.name for path in sorted(take.folder.iterdir())] == [
        "MySlate_take_24_CSTalk.wav", "MySlate_take_24_CSTalk_cal.csv", "take.json",
    ]  # fmt: skip
    found = document(take)
    assert found.keys() >= APP_KEYS
    # Frame 3 600 020 at 60 fps is 16:40:00 and 20 frames.
    assert found["startTimecode"] == take.start_timecode == "16:40:00:20.000"
    assert found["endTimecode"] == take.end_timecode == "16:40:05:19.000"
    assert (found["slate"], found["take"], found["subject"]) == ("MySlate", 24, "CSTalk")
    assert (found["identifier"], found["frames"]) == ("20250228_MySlate_24", 300)
    assert found["date"] == "2025-02-28T14:56:23Z"
    assert found["subjects"][0]["lostFrames"] == found["subjects"][0]["missingSamples"] == 0
    assert found["subjects"][0]["delayMs"] == 1e3 * DELAY_S


def test_every_frame_stands_under_its_name_and_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    found = lines(recorded(stage, 100).curves[0])
    assert len(found) == 100
    assert list(found[0]) == ["Timecode", "BlendshapeCount", *column_order()]
    names = [curve.name for curve in load_table("livelinkface61").curves]
    for index, line in enumerate(found):
        assert line["Timecode"] == f"16:40:0{(20 + index) // 60}:{(20 + index) % 60:02d}.000"
        values = [float(line[name]) for name in names]
        np.testing.assert_allclose(values, stage.curves(20 + index), atol=1e-7)


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
def test_the_sound_is_that_of_the_faces(tmp_path: Path, rate: str) -> None:
    stage = Stage(tmp_path, rate=rate, first_frame=1000)
    take = recorded(stage, 100)
    sound, rate_hz = soundfile.read(take.sounds[0], dtype="float32")
    frame_s = float(stage.rate.frame_s)
    assert rate_hz == stage.rate_hz
    assert len(sound) == round(100 * frame_s * rate_hz)
    first = round((20 * frame_s - DELAY_S) * rate_hz)
    np.testing.assert_allclose(sound, tone(rate_hz, first, len(sound)), atol=2**-22)
    data = take.sounds[0].read_bytes()
    place = data.index(b"bext") + 8
    samples = int.from_bytes(data[place + 338 : place + 346], "little")
    assert samples == round(1020 * frame_s * rate_hz)


def test_a_day_of_labels_without_drop_frame_ends_where_its_last_label_does(tmp_path: Path) -> None:
    day = frames_per_day(FRAME_RATES["23.976"])
    for before, label in ((21, "23:59:59:23"), (20, "00:00:00:00")):
        stage = Stage(tmp_path / label[:2], rate="23.976", first_frame=day - before)
        take = recorded(stage, 10)
        data = take.sounds[0].read_bytes()
        place = data.index(b"bext") + 8
        samples = int.from_bytes(data[place + 338 : place + 346], "little")
        begun = Timecode.from_seconds(stage.rate, Fraction(samples + 1, stage.rate_hz))
        assert begun.label == label


def test_subjects_share_their_first_and_last_frame(tmp_path: Path) -> None:
    stage = Stage(tmp_path, subjects=("Anna", "Ben", "anna"))
    take = recorded(stage, 40)
    tables = [lines(path) for path in take.curves]
    assert len({path.name.lower() for path in take.curves}) == 3
    assert {tuple(line["Timecode"] for line in table) for table in tables} == {
        tuple(f"16:40:00:{20 + index:02d}.000" for index in range(40))
    }
    assert float(tables[1][0]["EyeBlinkLeft"]) != float(tables[0][0]["EyeBlinkLeft"])


def test_a_short_take_has_the_timecode_that_unreal_will_infer(tmp_path: Path) -> None:
    stage = Stage(tmp_path, first_frame=3_599_981)
    codes = [line["Timecode"] for line in lines(recorded(stage, 6).curves[0])]
    assert codes == [f"16:40:00:0{n // 2}.{'500' if n % 2 else '000'}" for n in range(1, 7)]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    takes = [recorded(stage, 40) for _ in range(2)]
    assert [take.identifier for take in takes] == ["20250228_MySlate_24", "20250228_MySlate_24-2"]
    assert takes[1].curves[0].name == "MySlate-2_take_24_CSTalk_cal.csv"


def test_what_cannot_be_begun_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    with pytest.raises(UserError, match="is being recorded"):
        stage.recorder.start("MySlate", 2)
    stage.recorder.close()
    for slate, number in (("", 1), ("a\nb", 1), ("a", -1), ("a", 2**31)):
        with pytest.raises(UserError):
            stage.recorder.start(slate, number)
    assert stage.recorder.stop() is None


def test_a_take_without_a_frame_is_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    take = stage.recorder.stop()
    assert take is not None
    assert document(take)["frames"] == 0
    # What is confirmed is there, and can be read.
    assert lines(take.curves[0]) == []
    assert len(soundfile.read(take.sounds[0])[0]) == 0
    assert len(list(take.folder.iterdir())) == 3


def test_a_disk_that_stalls_loses_frames_but_never_waits(tmp_path: Path) -> None:
    stage = Stage(tmp_path, pace_s=600.0)
    stage.recorder.start("MySlate", 1)
    stage.step(400)
    (link,) = stage.links
    assert (link.sent, link.failed) == (360, 40)
    take = stage.recorder.stop()
    assert take is not None
    assert document(take)["subjects"][0]["lostFrames"] == 40


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit for files")
def test_a_full_disk_ends_the_take_and_says_so(tmp_path: Path) -> None:
    import resource

    stage = Stage(tmp_path)
    stage.step(20)
    stage.recorder.start("MySlate", 1)
    take = stage.recorder.take
    assert take is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        while not take.is_over.wait(0.001) and stage.number < 2000:
            stage.step(5)
        stage.recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    ended = stage.recorder.last
    assert ended is not None
    assert "File too large" in str(ended.problem)
    # What was written before is whole, and another take can begin.
    assert len(lines(ended.curves[0])) == document(ended)["frames"] > 10
    assert all(None not in line.values() for line in lines(ended.curves[0]))
    stage.recorder.start("MySlate", 2)
    stage.recorder.close()


def test_a_machine_that_slept_is_owed_no_hours(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    take = stage.recorder.take
    assert take is not None
    stage.step(60)
    stage.number += 60 * 3600
    (link,) = stage.links
    due_s = 1000.0 + stage.number / 60
    link.send(stage.curves(0), Tick(stage.number, due_s, stage.number))
    stage.host_s = due_s + 1
    assert take.is_over.wait(5)
    stage.recorder.close()
    assert stage.recorder.last is not None
    assert "nothing happened for 360" in str(stage.recorder.last.problem)


def test_its_links_are_links(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    link: Link
    (link,) = stage.links
    with pytest.raises(ValueError, match="shape"):
        link.send(np.zeros(60, dtype=np.float32), None)  # type: ignore[arg-type]
    values = np.full(CURVES, np.nan, dtype=np.float32)
    stage.recorder.start("MySlate", 1)
    link.send(values, Tick(0, 1000.0, 0))
    take = stage.recorder.stop()
    assert take is not None
    assert link.not_finite == CURVES
    assert float(lines(take.curves[0])[0]["JawOpen"]) == 0.0


def test_a_subject_comes_between_takes_only(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    with pytest.raises(ValueError, match="is being recorded"):
        stage.recorder.link(RecordedSubject("Ben", 16_000, lambda _: None, lambda _: 0.0))
    stage.recorder.close()
    with pytest.raises(UserError, match="nobody"):
        Recorder(tmp_path, stage.rate).start("MySlate", 1)


def test_time_between_frames_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.recorder.start("MySlate", 1)
    for number in range(120):
        stage.links[0].send(stage.curves(0), Tick(number, 1000.0 + number / 60, number, 0.25))
    take = stage.recorder.stop()
    assert take is not None
    codes = [line["Timecode"] for line in lines(take.curves[0])]
    assert codes[:2] == ["00:00:00:00.250", "00:00:00:01.250"]
    data = take.sounds[0].read_bytes()
    place = data.index(b"bext") + 8
    assert int.from_bytes(data[place + 338 : place + 346], "little") == round(0.25 / 60 * 16_000)
