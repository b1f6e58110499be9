"""Whole takes, from ticks to files."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.bench.takes import RecordingProcess
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.takes.export.tables import column_order, csv_header
from cstalk_bridge.takes.recording.files import RecordedSubject
from cstalk_bridge.takes.recording.frames import RECORD_BYTES
from cstalk_bridge.takes.recording.open_take import QUEUE_S
from cstalk_bridge.takes.recording.recorder import CURVE_COUNT, UNTOUCHED_S, Recorder, recover
from cstalk_bridge.timecode.smpte import FRAME_RATES, Timecode, frames_per_day
from cstalk_bridge.timecode.tick import Tick
from tests.takes.recording.harness import DELAY_S, RecorderHarness, tone
from tests.takes.recording.killed import kill_while_recording
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cstalk_bridge.takes.recording.open_take import RecordedTake


APP_KEYS = {
    "endTimecode", "take", "appVersion", "identifier", "subject", "startTimecode",
    "startTimestamp", "calibrated", "deviceModel", "videoTargetFrameRate", "slate", "version",
    "frames", "date", "endTimestamp",
}  # fmt: skip


def recorded(
    harness: RecorderHarness, ticks: int, *, slate: str = "MySlate", number: int = 24
) -> RecordedTake:
    """Record a take of so many ticks; a tick before and one after are no part of it."""
    harness.step(20)
    harness.recorder.start(slate, number)
    harness.step(ticks)
    take = harness.recorder.take
    assert take is not None
    take.end()
    harness.step()
    found = harness.recorder.stop()
    assert found is not None
    return found


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def document(take: RecordedTake) -> dict[str, Any]:
    found = json.loads((take.folder / "take.json").read_text())
    assert isinstance(found, dict)
    return found


def test_a_take_is_its_files_under_their_names(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path / "takes")
    take = recorded(harness, 300)
    assert take.problem is None
    assert take.folder == tmp_path / "takes" / "20250228_MySlate_24"
    assert [path.name for path in sorted(take.folder.iterdir())] == [
        "MySlate_take_24_CSTalk.wav", "MySlate_take_24_CSTalk_board.npy",
        "MySlate_take_24_CSTalk_cal.csv", "MySlate_take_24_CSTalk_settings.jsonl", "take.json",
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


def test_every_frame_has_its_name_and_time(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    found = lines(recorded(harness, 100).curves[0])
    assert len(found) == 100
    assert list(found[0]) == ["Timecode", "BlendshapeCount", *column_order()]
    names = [curve.name for curve in load_table("livelinkface61").curves]
    for index, line in enumerate(found):
        assert line["Timecode"] == f"16:40:0{(20 + index) // 60}:{(20 + index) % 60:02d}.000"
        values = [float(line[name]) for name in names]
        np.testing.assert_allclose(values, harness.curves(20 + index), atol=1e-7)


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
def test_the_sound_is_that_of_the_faces(tmp_path: Path, rate: str) -> None:
    harness = RecorderHarness(tmp_path, rate=rate, first_frame=1000)
    take = recorded(harness, 100)
    sound, rate_hz = soundfile.read(take.sounds[0], dtype="float32")
    frame_s = float(harness.rate.frame_s)
    assert rate_hz == harness.rate_hz
    assert len(sound) == round(100 * frame_s * rate_hz)
    first = round((20 * frame_s - DELAY_S) * rate_hz)
    np.testing.assert_allclose(sound, tone(rate_hz, first, len(sound)), atol=2**-22)
    data = take.sounds[0].read_bytes()
    place = data.index(b"bext") + 8
    samples = int.from_bytes(data[place + 338 : place + 346], "little")
    assert samples == round(1020 * frame_s * rate_hz)


def test_a_day_of_non_drop_frame_labels_ends_with_its_last_label(tmp_path: Path) -> None:
    day = frames_per_day(FRAME_RATES["23.976"])
    for before, label in ((21, "23:59:59:23"), (20, "00:00:00:00")):
        harness = RecorderHarness(tmp_path / label[:2], rate="23.976", first_frame=day - before)
        take = recorded(harness, 10)
        data = take.sounds[0].read_bytes()
        place = data.index(b"bext") + 8
        samples = int.from_bytes(data[place + 338 : place + 346], "little")
        begun = Timecode.from_seconds(harness.rate, Fraction(samples + 1, harness.rate_hz))
        assert begun.label == label


def test_subjects_share_their_first_and_last_frame(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path, subjects=("Anna", "Ben", "anna"))
    take = recorded(harness, 40)
    tables = [lines(path) for path in take.curves]
    assert len({path.name.lower() for path in take.curves}) == 3
    assert {tuple(line["Timecode"] for line in table) for table in tables} == {
        tuple(f"16:40:00:{20 + index:02d}.000" for index in range(40))
    }
    assert float(tables[1][0]["EyeBlinkLeft"]) != float(tables[0][0]["EyeBlinkLeft"])


def test_a_short_take_has_the_timecode_that_unreal_will_infer(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path, first_frame=3_599_981)
    codes = [line["Timecode"] for line in lines(recorded(harness, 6).curves[0])]
    assert codes == [f"16:40:00:0{n // 2}.{'500' if n % 2 else '000'}" for n in range(1, 7)]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    takes = [recorded(harness, 40) for _ in range(2)]
    assert [take.identifier for take in takes] == ["20250228_MySlate_24", "20250228_MySlate_24-2"]
    assert takes[1].curves[0].name == "MySlate-2_take_24_CSTalk_cal.csv"


def test_a_recording_that_cannot_start_is_reported(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    with pytest.raises(UserError, match="is being recorded"):
        harness.recorder.start("MySlate", 2)
    harness.recorder.close()
    for slate, number in (("", 1), ("a\nb", 1), ("a", -1), ("a", 2**31)):
        with pytest.raises(UserError):
            harness.recorder.start(slate, number)
    assert harness.recorder.stop() is None


def test_a_take_without_a_frame_is_valid(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    take = harness.recorder.stop()
    assert take is not None
    assert document(take)["frames"] == 0
    # A confirmed take exists and can be read.
    assert lines(take.curves[0]) == []
    assert len(soundfile.read(take.sounds[0])[0]) == 0
    assert len(list(take.folder.iterdir())) == 5


def test_a_stalled_disk_loses_frames_but_blocks_no_thread(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path, interval_s=600.0)
    harness.recorder.start("MySlate", 1)
    harness.step(400)
    (link,) = harness.links
    assert (link.sent, link.failed) == (360, 40)
    take = harness.recorder.stop()
    assert take is not None
    assert document(take)["subjects"][0]["lostFrames"] == 40


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit for files")
def test_a_full_disk_ends_the_take_with_a_notice(tmp_path: Path) -> None:
    import resource

    harness = RecorderHarness(tmp_path)
    harness.step(20)
    harness.recorder.start("MySlate", 1)
    take = harness.recorder.take
    assert take is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        while not take.is_over.wait(0.001) and harness.number < 2000:
            harness.step(5)
        harness.recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    ended = harness.recorder.last
    assert ended is not None
    assert "File too large" in str(ended.problem)
    # The data written before is complete, and another take can start.
    assert len(lines(ended.curves[0])) == document(ended)["frames"] > 10
    assert all(None not in line.values() for line in lines(ended.curves[0]))
    harness.recorder.start("MySlate", 2)
    harness.recorder.close()


def test_a_machine_that_slept_adds_no_hours(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    take = harness.recorder.take
    assert take is not None
    harness.step(60)
    harness.number += 60 * 3600
    (link,) = harness.links
    due_s = 1000.0 + harness.number / 60
    harness.show(link, Tick(harness.number, due_s, harness.number), harness.curves(0))
    harness.host_s = due_s + 1
    assert take.is_over.wait(5)
    harness.recorder.close()
    assert harness.recorder.last is not None
    assert "no frame came for 360" in str(harness.recorder.last.problem)


def test_links_of_a_subject_are_recorded(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    (link,) = harness.links
    with pytest.raises(ValueError, match="shape"):
        harness.show(link, Tick(0, 1000.0, 0), np.zeros(60, dtype=np.float32))
    values = np.full(CURVE_COUNT, np.nan, dtype=np.float32)
    harness.recorder.start("MySlate", 1)
    harness.show(link, Tick(0, 1000.0, 0), values)
    take = harness.recorder.stop()
    assert take is not None
    assert link.not_finite == CURVE_COUNT
    assert float(lines(take.curves[0])[0]["JawOpen"]) == 0.0


def test_a_subject_that_comes_during_a_take_belongs_to_the_next_one(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    harness.step(1)
    late = harness.recorder.link(RecordedSubject("Ben", 16_000, lambda _: None, lambda _: 0.0))
    harness.show(late, Tick(1, 1000.0, 1), np.zeros(CURVE_COUNT, dtype=np.float32))
    first = harness.recorder.stop()
    harness.recorder.arrange([late])
    harness.recorder.start("MySlate", 2)
    harness.show(late, Tick(2, 1001.0, 2), np.zeros(CURVE_COUNT, dtype=np.float32))
    second = harness.recorder.stop()
    assert first is not None
    assert second is not None
    assert (len(first.curves), len(second.curves), late.sent) == (len(harness.links), 1, 1)


def test_a_recorder_without_subjects_records_nothing(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    with pytest.raises(UserError, match="no subject to record"):
        Recorder(tmp_path, harness.rate).start("MySlate", 1)


def test_time_between_frames_is_reported(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    for number in range(120):
        tick = Tick(number, 1000.0 + number / 60, number, 0.25)
        harness.show(harness.links[0], tick, harness.curves(0))
    take = harness.recorder.stop()
    assert take is not None
    codes = [line["Timecode"] for line in lines(take.curves[0])]
    assert codes[:2] == ["00:00:00:00.250", "00:00:00:01.250"]
    data = take.sounds[0].read_bytes()
    place = data.index(b"bext") + 8
    assert int.from_bytes(data[place + 338 : place + 346], "little") == round(0.25 / 60 * 16_000)


FRAMES = 40
LATER_S = 1e12
CURVES, SOUND = "MySlate_take_1_CSTalk_cal.csv", "MySlate_take_1_CSTalk.wav"
BOARD, SETTINGS = "MySlate_take_1_CSTalk_board.npy", "MySlate_take_1_CSTalk_settings.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    harness = RecorderHarness(tmp_path_factory.mktemp("whole"))
    harness.recorder.start("MySlate", 1)
    harness.step(FRAMES)
    take = harness.recorder.stop()
    assert take is not None
    return take.folder


@given(st.data())
def test_interrupted_takes_are_recovered(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    interrupted = shutil.copytree(whole, folder / f"{whole.name}.recording")
    kept_bytes = {}
    for name in (CURVES, SOUND, BOARD, SETTINGS):
        size = (whole / name).stat().st_size
        kept_bytes[name] = data.draw(st.integers(0, size))
        with (interrupted / name).open("r+b") as file:
            file.truncate(kept_bytes[name])
    (interrupted / ".take.json.12345678.partial").write_bytes(b"{")
    if data.draw(st.booleans()):
        (interrupted / "take.json").write_bytes(b"{")
    ((found,), problems) = recover(folder, LATER_S)
    assert found.name == whole.name
    names = sorted(path.name for path in found.iterdir())
    assert names == [SOUND, BOARD, CURVES, SETTINGS, "take.json"]

    text = (found / CURVES).read_bytes()
    assert text == csv_header() or (whole / CURVES).read_bytes().startswith(text)
    rows = list(csv.reader(text.decode().splitlines()))[1:]
    assert len(rows) == max(0, (whole / CURVES).read_bytes()[: kept_bytes[CURVES]].count(b"\n") - 1)
    document = json.loads((found / "take.json").read_text())
    assert (document["frames"], document["isRecovered"]) == (len(rows), True)
    if rows:
        assert (document["startTimecode"], document["endTimecode"]) == (rows[0][0], rows[-1][0])
    heads = {
        SOUND: (whole / SOUND).read_bytes().index(b"data") + 8,
        BOARD: (whole / BOARD).stat().st_size - FRAMES * RECORD_BYTES,
    }
    expected = {name for name, size in heads.items() if kept_bytes[name] < size}
    assert {Path(problem.where).name for problem in problems} == expected
    if BOARD not in expected:
        assert len(np.load(found / BOARD)) == (kept_bytes[BOARD] - heads[BOARD]) // RECORD_BYTES
    if SOUND not in expected:
        assert len(soundfile.read(found / SOUND)[0]) <= round(FRAMES * 16_000 / 60)


def test_a_take_recorded_by_another_process_is_not_recovered(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    harness.recorder.start("MySlate", 1)
    folder = tmp_path / "20250228_MySlate_1.recording"
    touched_s = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    assert recover(tmp_path, touched_s + UNTOUCHED_S - 1) == ([], [])
    harness.recorder.close()
    assert recover(tmp_path, touched_s + 1000) == ([], [])
    assert recover(tmp_path / "nowhere", 0.0) == ([], [])


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "20250228_MySlate_1.recording").mkdir()
    (tmp_path / "20250228_MySlate_1").mkdir()
    found, problems = recover(tmp_path, LATER_S)
    assert [path.name for path in found] == ["20250228_MySlate_1-2"]
    assert problems == []
    assert (tmp_path / "20250228_MySlate_1").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that halts")
def test_a_suspended_program_keeps_its_take_and_resumes_it(tmp_path: Path) -> None:
    with RecordingProcess(tmp_path, 1) as recording:
        recording.wait_for("writing")
        recording.signal(signal.SIGSTOP)
        before = sorted(path.name for path in tmp_path.iterdir())
        assert recover(tmp_path, LATER_S) == ([], [])
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        (curves,) = tmp_path.glob("*/*_Ada_cal.csv")
        size = curves.stat().st_size
        recording.signal(signal.SIGCONT)
        wait_until(lambda: curves.stat().st_size != size)
    found, problems = recover(tmp_path, LATER_S)
    assert (len(found), problems) == (1, [])
    assert sorted(path.suffix for path in found[0].iterdir()) == [
        ".csv", ".csv", ".json", ".jsonl", ".jsonl", ".npy", ".npy", ".wav", ".wav",
    ]  # fmt: skip


TAKES = 100


def read_curves(path: Path, *, is_recovered: bool) -> list[list[str]]:
    """Return the complete lines of a file; before it is recovered the last may be truncated."""
    text = path.read_text()
    assert text.endswith("\n") or not is_recovered
    found = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    assert all(len(line) == 63 for line in found)
    return found[1:]


def length_s(rows: list[list[str]]) -> float:
    parts = (map(float, row[0].split(":")) for row in (rows[0], rows[-1]))
    begin_s, end_s = (3600 * h + 60 * m + s + frame / 60 for h, m, s, frame in parts)
    return end_s - begin_s + 1 / 60


def read_sound(path: Path) -> np.ndarray:
    sound, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == 16_000
    # The first frame's sound is before the first sample.
    before = round(DELAY_S * rate_hz)
    assert not sound[:before].any()
    np.testing.assert_allclose(
        sound[before:], tone(rate_hz, 0, max(0, len(sound) - before)), atol=1e-6
    )
    return np.asarray(sound)


def test_of_a_hundred_killed_takes_all_can_be_read(tmp_path: Path) -> None:
    kill_while_recording(tmp_path, TAKES)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == TAKES
    assert all(folder.name.endswith(".recording") for folder in folders)
    before = {}
    for path in tmp_path.glob("*/*.csv"):
        before[path.name] = len(read_curves(path, is_recovered=False))
    for path in tmp_path.glob("*/*.wav"):
        read_sound(path)
    assert sum(rows > 0 for rows in before.values()) >= TAKES

    found, problems = recover(tmp_path, 1e12)
    assert problems == []
    assert len(found) == TAKES
    for folder in found:
        assert not folder.name.endswith(".recording")
        document = json.loads((folder / "take.json").read_text())
        assert document["isRecovered"]
        for path in folder.glob("*.csv"):
            rows = read_curves(path, is_recovered=True)
            assert len(rows) == before[path.name]
            board = folder / path.name.replace("_cal.csv", "_board.npy")
            assert len(np.load(board)) >= len(rows), "no frame is without its face"
            sound = folder / path.name.replace("_cal.csv", ".wav")
            if rows and sound.exists():
                # The two grow in turn, by what is written at once.
                missing_s = length_s(rows) - len(read_sound(sound)) / 16_000
                assert -1e-3 < missing_s <= QUEUE_S
        counts = {len(read_curves(path, is_recovered=True)) for path in folder.glob("*.csv")}
        assert document["frames"] in counts | {0}
