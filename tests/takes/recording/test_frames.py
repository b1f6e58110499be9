"""Faces and settings of a take on disk: read by NumPy, cut anywhere, and damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.takes.recording.frames import (
    RECORD_BYTES,
    BoardFile,
    Row,
    SettingsFile,
    read_faces,
    read_settings,
    repair_faces,
    repair_lines,
)
from cstalk_bridge.timecode.tick import Tick
from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 7


def row(number: int) -> Row:
    curves = np.zeros(61, dtype=np.float32)
    tick = Tick(number, number / 60, 1000 + number)
    return Row(tick, curves, RecorderHarness.face(number), RecorderHarness.emotion(number))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "A_board.npy"
    file = BoardFile(path)
    for number in range(ROWS):
        file.append([row(number)])
        assert len(np.load(path)) == number + 1, "at no moment NumPy cannot load it"
    file.close()
    return path


def test_numpy_loads_each_field_by_its_name(written: Path) -> None:
    loaded = np.load(written)
    assert loaded["frame"].tolist() == list(range(1000, 1000 + ROWS))
    jaw = [RecorderHarness.face(n).board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] for n in range(ROWS)]
    assert loaded["CTRL_C_jaw.ty"].tolist() == jaw
    assert loaded["head.roll"].tolist() == [RecorderHarness.face(n).head[2] for n in range(ROWS)]
    assert loaded["emotion.sad"].tolist() == [RecorderHarness.emotion(n)[2] for n in range(ROWS)]


def test_faces_are_read_as_they_were(written: Path) -> None:
    faces = read_faces(written)
    for number in range(ROWS):
        shown = RecorderHarness.face(number)
        assert np.array_equal(faces.board[number], shown.board)
        assert np.array_equal(faces.head[number], shown.head)
        assert np.array_equal(faces.emotion[number], RecorderHarness.emotion(number))


@given(st.data())
def test_a_file_cut_anywhere_keeps_all_whole_faces(
    written: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = written.read_bytes()
    head_bytes = len(whole) - ROWS * RECORD_BYTES
    size = data.draw(st.integers(head_bytes, len(whole)))
    path = tmp_path_factory.mktemp("cut") / "A_board.npy"
    path.write_bytes(whole[:size])
    kept = (size - head_bytes) // RECORD_BYTES
    assert len(read_faces(path).board) == kept
    repair_faces(path)
    assert path.stat().st_size == head_bytes + kept * RECORD_BYTES
    assert np.array_equal(np.load(path), np.load(written)[:kept])


def test_faces_without_numbers_end_a_file(written: Path, tmp_path: Path) -> None:
    data = bytearray(written.read_bytes())
    data[-3 * RECORD_BYTES + 40 : -3 * RECORD_BYTES + 44] = np.float32(np.nan).tobytes()
    path = tmp_path / "A_board.npy"
    path.write_bytes(data)
    assert len(read_faces(path).board) == ROWS - 3


def test_fields_in_another_order_are_found_by_name_and_others_rest(tmp_path: Path) -> None:
    fields = [("frame", "<i4"), ("emotion.sad", "<f4"), ("CTRL_C_jaw.ty", "<f4"), ("new", "<f4")]
    np.save(tmp_path / "a.npy", np.array([(5, 0.5, 0.25, 9.0)], dtype=fields))
    faces = read_faces(tmp_path / "a.npy")
    assert faces.frames.tolist() == [5]
    assert faces.board[0, CHANNEL_INDEX["CTRL_C_jaw.ty"]] == 0.25
    assert faces.emotion[0].sum() == 0.5
    assert not faces.head.any()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF" * 9,
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': '<f4'}",
        b"\x93NUMPY\x01\x00\x1e\x00" + b"{'descr': [('frame', 'O'),],  }",
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a_board.npy"
    path.write_bytes(data)
    for read in (read_faces, repair_faces):
        with pytest.raises(ValueError, match=r"no array|damaged|not those of a take"):
            read(path)


def test_settings_are_written_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "A_settings.jsonl"
    file = SettingsFile(path)
    for frame, head in ((10, 1.0), (20, 1.0), (30, 1.5)):
        file.note(frame, {"seed": 3, "level_head": head})
    file.close()
    assert list(read_settings(path)) == [
        (10, {"seed": 3, "level_head": 1.0}),
        (30, {"level_head": 1.5}),
    ]
    path.write_bytes(path.read_bytes()[:-4])
    assert len(list(read_settings(path))) == 1
    repair_lines(path)
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [10]


@pytest.mark.parametrize("line", ["[1]", '{"frame": "x"}', "{", "null"])
def test_settings_end_where_a_line_is_damaged(tmp_path: Path, line: str) -> None:
    path = tmp_path / "A_settings.jsonl"
    path.write_text(f'{{"frame": 1, "a": 2, "b": [1], "c": NaN}}\n{line}\n{{"frame": 3}}\n')
    assert list(read_settings(path)) == [(1, {"a": 2})]
