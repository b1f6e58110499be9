"""Recorded takes are read as they were performed, also what is left of a broken one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.formats import export_name, export_take, find_format
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.file import save_take
from cstalk_bridge.takes.reader import is_take, load_take, take_stem_of, take_subjects
from cstalk_bridge.takes.recording.frames import RECORD_BYTES
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.recording.harness import RecorderHarness, recorded
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cstalk_bridge.takes.take import SettingValue


OLD = Path(__file__).parent / "data"
"""A take of the program that recorded curves and sound alone, as a folder and as one file."""


def test_a_take_is_read_as_it_was_performed(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    take = load_take(folder)
    (path,) = folder.glob("*.csv")
    lines = path.read_text().splitlines()[1:]
    assert (take.slate, take.number, take.subject, str(take.rate)) == ("Hall", 7, "Anna", "60")
    assert take.rows == len(lines) == 120
    assert take.start == 3_600_012
    assert take.notices == ()
    assert take.sound is not None
    assert take.sound.frames / take.sound.rate_hz == pytest.approx(take.duration_s, abs=1e-3)
    again = b"".join(export_take(take, "csv", ExportConfig(rate=take.rate)))
    assert again == path.read_bytes(), "the curves are exported as they were performed"
    assert export_name(take, find_format("csv")).endswith("take_7_Anna_cal.csv")


def test_a_take_holds_the_faces_and_emotions_that_were_shown(tmp_path: Path) -> None:
    take = load_take(recorded(tmp_path))
    weights = take.emotions.weights(take.times_s)
    for place in (0, 1, 60, 119):
        shown = RecorderHarness.face(12 + place)
        assert np.array_equal(take.whole_board(slice(place, place + 1))[0], shown.board)
        assert np.array_equal(take.head[place], shown.head)
        assert weights[place] == pytest.approx(RecorderHarness.emotion(12 + place), abs=1e-6)


def test_a_take_holds_the_settings_in_force_and_their_changes(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    settings: dict[str, SettingValue] = {
        "lookahead_ms": 80, "level_head": 1.0, "weights": "abc",
    }  # fmt: skip
    harness.recorder.read_settings = lambda _name: dict(settings)
    harness.recorder.start("Hall", 7)
    harness.step(60)
    take = harness.recorder.take
    assert take is not None
    wait_until(lambda: take.duration_s > 0)
    settings["level_head"] = 1.5
    harness.step(60)
    ended = harness.recorder.stop()
    assert ended is not None
    read = load_take(ended.folder)
    assert {name: read.provenance[name] for name in settings} == settings | {"level_head": 1.0}
    ((at_s, name, value),) = [(each.at_s, each.name, each.value) for each in read.changes]
    assert (name, value) == ("level_head", 1.5)
    assert 0.5 < at_s < 2.0
    assert read.changes[0].text == f"level head 1.5 at {at_s:.2f} s"
    save_take(read, tmp_path / "one.take")
    assert load_take(tmp_path / "one.take").changes == read.changes


@pytest.mark.parametrize("name", ["20261201_Hall_7", "old.take"])
def test_takes_of_an_older_program_are_read(name: str) -> None:
    take = load_take(OLD / name)
    assert (take.rows, take.subject, take.notices, take.changes) == (15, "Anna", (), ())
    assert not take.emotions.weights(take.times_s).any()
    (path,) = (OLD / "20261201_Hall_7").glob("*.csv")
    again = b"".join(export_take(take, "csv", ExportConfig(rate=take.rate)))
    assert again.splitlines()[1:] == path.read_bytes().splitlines()[1:]
    jaw = take.board[:, take.channels.index("CTRL_C_jaw.ty")]
    assert np.ptp(jaw) > 0.05


@pytest.mark.parametrize("rate", ["24", "29.97", "30", "59.94", "120"])
def test_takes_of_any_rate_keep_their_frames_over_midnight(tmp_path: Path, rate: str) -> None:
    frame_rate = FRAME_RATES[rate]
    first = round(86_400 * frame_rate.hz) - 30
    take = load_take(recorded(tmp_path, rate=rate, first=first))
    assert (take.rows, take.notices) == (120, ())
    assert take.start == first + 12


def test_a_take_in_one_file_is_the_same_take(tmp_path: Path) -> None:
    take = load_take(recorded(tmp_path))
    save_take(take, tmp_path / "one.take")
    same = load_take(tmp_path / "one.take")
    assert (same.slate, same.number, same.subject) == (take.slate, take.number, take.subject)
    rigmap = load_rigmap("livelinkface61")
    assert np.array_equal(curves(same, rigmap), curves(take, rigmap))
    assert np.array_equal(same.board, take.board)
    assert np.array_equal(same.head, take.head)
    weights = take.emotions.weights(take.times_s)
    assert np.array_equal(same.emotions.weights(take.times_s), weights)


def test_another_rate_is_interpolated_between_performed_frames(tmp_path: Path) -> None:
    take = load_take(recorded(tmp_path))
    rigmap = load_rigmap("livelinkface61")
    half = curves(take.at(FRAME_RATES["30"]), rigmap)
    assert half == pytest.approx(curves(take, rigmap)[::2])


def test_all_subjects_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "Anna", "Ben")
    assert take_subjects(folder) == ("Anna", "Ben")
    assert load_take(folder).subject == "Anna"
    ben = load_take(folder, "Ben")
    assert ben.subject == "Ben"
    assert ben.performance is not None
    anna = load_take(folder).performance
    assert anna is not None
    assert np.abs(ben.performance.curves - anna.curves - 1 / 200).max() < 1e-6
    with pytest.raises(UserError, match=r"no subject 'Cleo'(.|\n)*Anna, Ben"):
        load_take(folder, "Cleo")


def test_a_take_that_was_killed_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    broken = tmp_path / (folder.name + ".recording")
    shutil.move(folder, broken)
    (path,) = broken.glob("*.csv")
    path.write_bytes(path.read_bytes()[:-100])
    before = {each.name: each.read_bytes() for each in broken.iterdir()}
    take = load_take(broken)
    assert take.rows == 119
    assert take_stem_of(broken) == folder.name
    assert any("not ended" in text for text in take.notices)
    assert any("line 121 is not whole" in text for text in take.notices)
    after = {each.name: each.read_bytes() for each in broken.iterdir()}
    assert after == before, "nothing is repaired by reading"


def test_a_take_without_document_and_sound_is_read_and_says_so(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "Anna", "Ben")
    (folder / "take.json").write_text("{broken")
    for path in folder.glob("*.wav"):
        path.unlink()
    take = load_take(folder, "Ben")
    assert is_take(folder)
    assert (take.rows, take.sound, str(take.rate)) == (120, None, "60")
    assert [text.split(":")[0] for text in take.notices] == [
        "take.json is missing or damaged",
        "there is no sound",
    ]


def test_lost_frames_are_interpolated_so_that_the_sound_stays_in_step(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    (path,) = folder.glob("*.csv")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:50], *lines[55:]]))
    take = load_take(folder)
    assert (take.rows, take.notices) == (120, ("5 lost frames are interpolated",))
    assert np.array_equal(take.board[100], RecorderHarness.face(112).board)


def test_without_a_board_the_face_is_restored_from_the_curves(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    next(folder.glob("*_board.npy")).unlink()
    take = load_take(folder)
    jaw = take.board[:, take.channels.index("CTRL_C_jaw.ty")]
    assert take.performance is not None
    performed = take.performance.curves[:, ARKIT_CURVES.index("JawOpen")]
    assert np.abs(jaw - performed).max() < 0.02


def test_faces_that_are_missing_are_restored_and_noted(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    (path,) = folder.glob("*_board.npy")
    path.write_bytes(path.read_bytes()[: -10 * RECORD_BYTES])
    take = load_take(folder)
    assert take.notices == ("10 faces are restored from the curves",)
    assert np.array_equal(take.board[109], RecorderHarness.face(121).board)
    jaw = take.board[110:, take.channels.index("CTRL_C_jaw.ty")]
    assert take.performance is not None
    performed = take.performance.curves[110:, ARKIT_CURVES.index("JawOpen")]
    assert np.abs(jaw - performed).max() < 0.02
    path.write_bytes(b"no array")
    assert "no array of NumPy; faces are restored" in load_take(folder).notices[0]


@pytest.mark.parametrize("head", ["a,b\n", "Timecode,BlendshapeCount\n"])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, head: str) -> None:
    folder = recorded(tmp_path)
    (path,) = folder.glob("*.csv")
    path.write_text(head + path.read_text())
    with pytest.raises(UserError, match="it does not begin with its header"):
        load_take(folder)


def test_a_document_cannot_name_files_outside_of_its_folder(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    (tmp_path / "other.csv").write_text("secret")
    document = json.loads((folder / "take.json").read_text())
    document["subjects"][0]["curves"] = "../other.csv"
    (folder / "take.json").write_text(json.dumps(document))
    assert load_take(folder).rows == 120


def test_an_empty_folder_is_no_take(tmp_path: Path) -> None:
    assert not is_take(tmp_path)
    with pytest.raises(UserError, match="no recorded take"):
        load_take(tmp_path)
