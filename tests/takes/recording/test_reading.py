"""Recorded takes are read as they were performed, also what is left of a broken one."""

from __future__ import annotations

import json
import shutil
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
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.recording.harness import recorded

if TYPE_CHECKING:
    from pathlib import Path


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


def test_the_jaw_of_a_recorded_take_moves_the_board(tmp_path: Path) -> None:
    take = load_take(recorded(tmp_path))
    jaw = take.board[:, take.channels.index("CTRL_C_jaw.ty")]
    assert take.performance is not None
    performed = take.performance.curves[:, ARKIT_CURVES.index("JawOpen")]
    assert np.abs(jaw - performed).max() < 0.02


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
