"""The CSV file by the rules of the programs that import it."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.formats import FORMATS, export_name, export_take
from cstalk_bridge.takes.export.tables import (
    LIMIT,
    PLACES,
    ExportConfig,
    column_order,
    comma_separated,
    digits,
    text_of,
    two_digits,
)
from cstalk_bridge.takes.file import subject_in
from cstalk_bridge.takes.take import Take, curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.takes import moving_take

SMALL = st.floats(-LIMIT, LIMIT, width=32)
LARGE = st.floats(-1e6, 1e6, width=32)


def printed(values: list[float], decimals: int) -> str:
    texts = [f"{value:.{decimals}f}" for value in values]
    zero = f"{-0.0:.{decimals}f}"
    return "".join("," + (text[1:] if text == zero else text) for text in texts)


@pytest.mark.parametrize("decimals", PLACES)
@given(values=arrays.arrays(np.float32, st.integers(1, 40), elements=SMALL))
def test_decimal_digits_equal_those_of_printf(values: np.ndarray, decimals: int) -> None:
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


@pytest.mark.parametrize("decimals", PLACES)
@given(values=arrays.arrays(np.float32, st.integers(1, 5), elements=LARGE))
def test_large_numbers_keep_their_digits(values: np.ndarray, decimals: int) -> None:
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


@pytest.mark.parametrize("decimals", PLACES)
def test_halves_and_zeros(decimals: int) -> None:
    values = np.array([0.0, -0.0, 0.5, -1e-12, 2.0**-11, -(2.0**-7), 99.0], dtype=np.float32)
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


def test_a_table_keeps_its_rows() -> None:
    text_words = comma_separated(np.array([[0.25, -1.0], [12.5, 0.0]], np.float32), 6)
    assert [text_of(row) for row in text_words] == [b",0.250000,-1.000000", b",12.500000,0.000000"]


def test_decimals_are_counted() -> None:
    assert two_digits(np.array([0, 7, 59])).tobytes() == b"000759"
    assert digits(np.array([0, 123, 9999])).tobytes() == b"000001239999"


HEADER = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)
ROTATIONS = 9


def table(take: Take, rate: str = "60") -> list[list[str]]:
    settings = ExportConfig(rate=FRAME_RATES[rate])
    text = b"".join(export_take(take, "csv", settings)).decode("ascii")
    assert text.endswith("\n")
    return list(csv.reader(text.splitlines()))


def seconds(timecode: str, base: int) -> float:
    hours, minutes, rest, frames = timecode.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + int(rest) + float(frames) / base


def inferred_base(lines: list[list[str]]) -> int:
    """What Unreal's importer takes for the frame rate: 60 if any frame number is above 30."""
    return 60 if any(int(line[0].split(":")[3].split(".")[0]) > 30 for line in lines[1:]) else 30


def test_the_header_is_that_of_the_app() -> None:
    assert ",".join(table(moving_take())[0]) == HEADER
    assert sorted(column_order()) == sorted(c.name for c in load_table("livelinkface61").curves)


def test_unreal_finds_its_first_columns_and_every_line_has_all() -> None:
    lines = table(moving_take())
    assert [name.lower() for name in lines[0][:2]] == ["timecode", "blendshapecount"]
    assert {len(line) for line in lines} == {63}
    assert {line[1] for line in lines[1:]} == {"61"}


def test_values_are_under_their_names_and_round_trip() -> None:
    take, rigmap = moving_take(), load_rigmap("livelinkface61")
    expected = curves(take.at(FRAME_RATES["60"]), rigmap)
    lines = table(take)
    assert len(lines) == 1 + len(expected) == 145
    for name, values in zip(rigmap.outputs, expected.T, strict=True):
        column = lines[0].index(name)
        read = np.array([float(line[column]) for line in lines[1:]])
        np.testing.assert_allclose(read, values, atol=1e-6)
    assert np.ptp(expected[:, rigmap.outputs.index("MouthLeft")]) > 0.1


def test_columns_are_in_the_order_of_the_app() -> None:
    order = column_order()
    assert len(order) == 61
    assert order[14:24] == tuple(HEADER.split(",")[16:26])
    assert order[:14] == tuple(curve.name for curve in load_table("livelinkface61").curves[:14])
    assert order[52:] == tuple(curve.name for curve in load_table("livelinkface61").curves[52:])
    swapped = [
        a for a, b in zip(order, load_table("livelinkface61").curves, strict=True) if a != b.name
    ]
    assert swapped == ["JawRight", "JawLeft", "MouthRight", "MouthLeft"]


def test_every_number_has_ten_decimals() -> None:
    for line in table(moving_take(20))[1:]:
        assert all(re.fullmatch(r"-?\d\.\d{10}", cell) for cell in line[2:])


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
@given(start=st.integers(0, 10**7), rows=st.integers(1, 130))
def test_timecodes_give_real_time_at_the_rate_that_unreal_infers(
    rate: str, start: int, rows: int
) -> None:
    take = moving_take(rows, start=start, rate=rate)
    lines = table(take, rate)
    base = inferred_base(lines)
    first_s = float(start * take.rate.frame_s) % 86_400
    for number in (1, len(lines) - 1):
        code = lines[number][0]
        assert re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\.\d{3}", code)
        off_s = seconds(code, base) - first_s - float((number - 1) * take.rate.frame_s)
        assert abs((off_s + 43_200) % 86_400 - 43_200) < 1e-4


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
@given(start=st.integers(0, 10**7), rows=st.integers(1, 260))
def test_frames_are_recovered_from_their_timecodes(rate: str, start: int, rows: int) -> None:
    take = moving_take(rows, start=start, rate=rate)
    header, *lines = table(take, rate)
    base = inferred_base([header, *lines])
    day = round(86_400 * take.rate.hz)
    numbers = [round(seconds(line[0], base) * take.rate.hz) for line in lines]
    first_s = float(start * take.rate.frame_s) % 86_400
    for index, number in enumerate(numbers):
        off = number - first_s * take.rate.hz - index
        assert abs((off + day / 2) % day - day / 2) < 0.51


def test_a_short_take_at_60_fps_is_not_read_at_half_its_speed() -> None:
    lines = table(moving_take(20))
    assert inferred_base(lines) == 30
    assert [line[0] for line in lines[1:4]] == [
        "00:00:00:00.000",
        "00:00:00:00.500",
        "00:00:00:01.000",
    ]


def test_motionbuilder_drops_the_last_four_characters() -> None:
    codes = [line[0][:-4] for line in table(moving_take())[1:]]
    assert codes[:2] == ["00:00:00:00", "00:00:00:01"]
    assert all(re.fullmatch(r"\d\d(:\d\d){3}", code) for code in codes)


def test_timecode_wraps_at_midnight() -> None:
    lines = table(moving_take(3, start=86_400 * 60 - 1, rate="60"))
    codes = [line[0] for line in lines[1:]]
    assert codes == ["23:59:59:59.000", "00:00:00:00.000", "00:00:00:01.000"]


def test_a_file_name_has_the_slate_and_ends_with_the_subject() -> None:
    form = FORMATS["csv"]
    name = export_name(moving_take(slate="scene_1_take_2"), form)
    assert name == "scene-1-take-2_take_1_CSTalk_cal.csv"
    assert subject_in(name.removesuffix(".csv")) == "CSTalk"


def test_hours_of_curves_come_in_small_pieces() -> None:
    pieces = export_take(moving_take(20_000), "csv", ExportConfig())
    assert max(map(len, pieces)) < 1 << 20


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8))
def test_a_closed_lid_round_trip(closures: list[float]) -> None:
    board = np.array(closures, dtype=np.float32)[:, None]
    head = np.zeros((len(board), 6), dtype=np.float32)
    take = Take("lids", ("CTRL_L_eye_blink.ty",), board, head, rate=FRAME_RATES["60"])
    lines = table(take)
    column = lines[0].index("EyeBlinkLeft")
    assert [np.float32(line[column]) for line in lines[1:]] == pytest.approx(closures, abs=1e-7)
