from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.metahuman.messages import HEAD_POSE
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.formats import FORMATS, export_name, export_take, find_format
from cstalk_bridge.takes.export.tables import ExportConfig, export_blocks
from cstalk_bridge.takes.file import MAX_NAME_BYTES, safe_name
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.takes import moving_take

if TYPE_CHECKING:
    from pathlib import Path


RAW = tuple(curve.name for curve in load_table("metahuman").curves)


def exported(format_id: str, rows: int = 120, rate: str = "60") -> bytes:
    settings = ExportConfig(rate=FRAME_RATES[rate])
    return b"".join(export_take(moving_take(rows), format_id, settings))


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
@pytest.mark.parametrize("rows", [0, 1, 2, 700])
def test_blocks_are_the_rows_of_the_take_at_that_rate(rate: str, rows: int) -> None:
    take, rigmap = moving_take(rows, start=1234), load_rigmap("arkit")
    whole = take.at(FRAME_RATES[rate])
    found = list(export_blocks(take, rigmap, FRAME_RATES[rate]))
    where = take.span(FRAME_RATES[rate])
    assert (where.rows, where.start) == (whole.rows, whole.start if rows else where.start)
    assert [block.first for block in found] == list(range(0, whole.rows, 256))
    got = np.concatenate([np.zeros((0, 61), np.float32), *(block.curves for block in found)])
    np.testing.assert_allclose(got, curves(whole, rigmap), atol=1e-6)


def test_json_holds_every_frame_and_the_metadata() -> None:
    read = json.loads(exported("json"))
    assert read["format"] == "cstalk-curves"
    assert (read["slate"], read["take"], read["target"]) == ("moving", 1, "livelinkface61")
    assert read["rate"] == {"numerator": 60, "denominator": 1}
    assert read["making"] == {"lookahead_ms": 80}
    expected = curves(moving_take().at(FRAME_RATES["60"]), load_rigmap("arkit"))
    frames = np.array(read["frames"])
    assert frames[:, 0].tolist() == list(range(144))
    np.testing.assert_allclose(frames[:, 1], np.arange(144) / 60, atol=1e-6)
    np.testing.assert_allclose(frames[:, 2:], expected, atol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 600])
def test_json_of_any_length_is_valid(rows: int) -> None:
    assert len(json.loads(exported("json", rows, rate="50"))["frames"]) == rows


def test_the_raw_curves_of_a_metahuman_are_the_same_in_both_forms() -> None:
    lines = list(csv.reader(io.StringIO(exported("metahuman-csv").decode())))
    read = json.loads(exported("metahuman-json"))
    assert lines[0] == ["Frame", "Time", *RAW]
    assert read["curves"] == list(RAW)
    assert len(RAW) == 251 + 7
    assert RAW[251:] == ("HeadControlSwitch", *HEAD_POSE)
    from_csv = np.array([[float(cell) for cell in line] for line in lines[1:]])
    np.testing.assert_array_equal(from_csv, np.array(read["frames"]))
    expected = curves(moving_take().at(FRAME_RATES["60"]), load_rigmap("metahuman_animation"))
    np.testing.assert_allclose(from_csv[:, 2:], expected, atol=2e-6)
    named = dict(zip(RAW, from_csv[:, 2:].T, strict=True))
    assert set(named["HeadControlSwitch"]) == {1.0}
    assert set(named["CTRL_expressions_noseWrinkleUpperL"]) == {1.0}
    yaw = np.degrees(moving_take().at(FRAME_RATES["60"]).head[:, 0])
    np.testing.assert_allclose(named["HeadRoll"], yaw, atol=2e-5)


def test_numpy_reads_the_arrays() -> None:
    take = moving_take()
    with np.load(io.BytesIO(exported("npz"))) as read:
        expected = curves(take.at(FRAME_RATES["60"]), load_rigmap("arkit"))
        np.testing.assert_allclose(read["curves"], expected, atol=1e-6)
        np.testing.assert_array_equal(read["board"], take.board)
        np.testing.assert_array_equal(read["head"], take.head)
        assert read["names"].tolist() == list(load_rigmap("arkit").outputs)
        assert read["channels"].tolist() == list(take.channels)
        assert (read["rate"].tolist(), read["board_rate"].tolist()) == ([60, 1], [50, 1])
        np.testing.assert_allclose(read["times_s"], np.arange(144) / 60)


def test_an_archive_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "moving.take"
    path.write_bytes(exported("take"))
    read = load_take(path)
    np.testing.assert_array_equal(read.board, moving_take().board)
    assert read.sound is not None
    assert read.sound.frames == 8000


def test_hours_of_curves_come_in_small_pieces() -> None:
    for format_id in ("json", "npz", "metahuman-csv"):
        pieces = list(export_take(moving_take(2000), format_id, ExportConfig()))
        assert max(map(len, pieces)) < 2 << 20, format_id


def test_an_impossible_export_is_reported() -> None:
    with pytest.raises(UserError, match=r"no format 'fbx'.*use one of take, csv"):
        find_format("fbx")
    settings = ExportConfig(rigmap=load_rigmap("vrm"))
    with pytest.raises(
        UserError, match="'vrm' is for vrm, format csv needs one for livelinkface61"
    ):
        export_take(moving_take(), "csv", settings)
    assert json.loads(b"".join(export_take(moving_take(), "json", settings)))["target"] == "vrm"


def test_format_names_are_unique() -> None:
    names = {export_name(moving_take(), form) for form in FORMATS.values()}
    assert len(names) == len(FORMATS)
    assert "moving_1.metahuman.json" in names
    assert FORMATS["glb"].name("speech") == "speech.glb"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Grüße an 'alle' (1)", "Grüße an 'alle' (1)"),
        ("../../etc/passwd", "___.._etc_passwd"),
        ("..", "__"),
        ("CON", "_CON"),
        ("nul.wav", "_nul.wav"),
        ("conference", "conference"),
        ('a:b*c?"d"<e>|f', "a_b_c__d__e__f"),
        ("ends. ", "ends__"),
        ("\udcff", "_"),
        ("", "_"),
    ],
)
def test_hostile_names_are_sanitised(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.text(max_size=300))
def test_every_name_is_writable_and_sanitising_is_idempotent(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert safe_name(name) == name
