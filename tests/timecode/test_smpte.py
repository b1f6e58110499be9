"""Frame rates and timecode labels, with drop-frame, against an independent library."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timecode.timecode import Timecode as PeerTimecode

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.smpte import (
    FRAME_RATES,
    FrameRate,
    Timecode,
    day_length_s,
    duration_text,
    frames_per_day,
    parse_rate,
)


def test_the_table_holds_every_promised_rate() -> None:
    names = "23.976 24 25 29.97 29.97df 30 47.952 48 50 59.94 59.94df 60 72 90 96 100 119.88 120"
    assert list(FRAME_RATES) == names.split()


@pytest.mark.parametrize("name", FRAME_RATES)
def test_name_numbers_and_nominal_agree(name: str) -> None:
    rate = FRAME_RATES[name]
    assert rate.hz == pytest.approx(float(name.removesuffix("df")), abs=0.001)
    assert rate.nominal == round(rate.hz)
    assert rate.frame_s == Fraction(rate.denominator, rate.numerator)
    assert rate.drop_frame == name.endswith("df")


def test_case_and_spaces_do_not_matter() -> None:
    assert parse_rate(" 29.97DF ") is FRAME_RATES["29.97df"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("23.98", "23.976"),
        ("23.976024", "23.976"),
        ("24000/1001", "23.976"),
        ("24.00", "24"),
        ("24/1", "24"),
        ("30000/1001", "29.97"),
        ("47.95", "47.952"),
        ("48000/1001", "47.952"),
        ("59.9401", "59.94"),
        ("119.880", "119.88"),
        ("120000/1001", "119.88"),
        ("120.0", "120"),
    ],
)
def test_rates_are_known_by_their_fractions_and_roundings(text: str, name: str) -> None:
    assert parse_rate(text) is FRAME_RATES[name]


@given(st.sampled_from(sorted(FRAME_RATES)), st.integers(2, 6))
def test_every_rate_is_recognised_at_any_rounding(name: str, decimals: int) -> None:
    rate = FRAME_RATES[name]
    if not rate.drop_frame:
        assert parse_rate(f"{rate.numerator}/{rate.denominator}") is rate
        assert parse_rate(f"{rate.hz:.{decimals}f}") is rate


@pytest.mark.parametrize("text", ["23.97", "23.9", "29.98", "1/0", "0/1", "24000/1000.1", "24.01"])
def test_values_near_a_rate_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="unknown frame rate"):
        parse_rate(text)


def test_an_unknown_rate_is_reported_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown frame rate '61'.*24, 25, .*59\.94df, 60"):
        parse_rate("61")


RATES = st.sampled_from(sorted(FRAME_RATES.values(), key=lambda rate: rate.name))


@st.composite
def timecodes(draw: st.DrawFn) -> Timecode:
    rate = draw(RATES)
    return Timecode(rate, draw(st.integers(0, frames_per_day(rate) - 1)))


def peer(rate: FrameRate, *, frame: int) -> PeerTimecode:
    # The peer counts frames from 1.
    return PeerTimecode(
        rate.name.removesuffix("df"), frames=frame + 1, force_non_drop_frame=not rate.drop_frame
    )


@given(timecodes())
def test_labels_equal_those_of_an_independent_library(timecode: Timecode) -> None:
    assert timecode.label == str(peer(timecode.rate, frame=timecode.frame))


@pytest.mark.parametrize("rate", FRAME_RATES.values(), ids=str)
def test_labels_equal_those_of_an_independent_library_around_minutes(rate: FrameRate) -> None:
    for minute in (1, 2, 9, 10, 11, 59, 60, 70, 1439, 1440):
        near = minute * 60 * rate.nominal
        for frame in range(near - 2 * minute - 8, near - 2 * minute + 8):
            wrapped = frame % frames_per_day(rate)
            assert Timecode(rate, frame).label == str(peer(rate, frame=wrapped))


@given(timecodes())
def test_label_and_frame_are_inverse(timecode: Timecode) -> None:
    assert Timecode.from_label(timecode.rate, timecode.label) == timecode


@given(timecodes(), st.integers(-3, 3))
def test_label_wraps_at_24_hours_and_the_frame_does_not(timecode: Timecode, days: int) -> None:
    later = timecode + days * frames_per_day(timecode.rate)
    assert later.label == timecode.label
    assert later.frame - timecode.frame == days * frames_per_day(timecode.rate)


@given(timecodes())
def test_next_label_is_greater(timecode: Timecode) -> None:
    following = timecode + 1
    assert following > timecode
    before, after = (list(map(int, re.split("[:;]", t.label))) for t in (timecode, following))
    assert after > before or after == [0, 0, 0, 0]


@given(timecodes(), st.fractions(0, Fraction(999, 1000)))
def test_seconds_are_exact_both_ways(timecode: Timecode, part: Fraction) -> None:
    rate = timecode.rate
    within = timecode.seconds + part * rate.frame_s
    assert Timecode.from_seconds(rate, within) == timecode
    assert timecode.seconds == Fraction(timecode.frame * rate.denominator, rate.numerator)


@given(timecodes(), st.integers(-(10**7), 10**7))
def test_adding_and_taking_away_frames(timecode: Timecode, frames: int) -> None:
    assert timecode + frames - frames == timecode
    assert (timecode + frames).frames_since(timecode) == frames


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("29.97df", "01:00:59;29", "01:01:00;02"),
        ("29.97df", "01:09:59;29", "01:10:00;00"),
        ("59.94df", "00:00:59;59", "00:01:00;04"),
        ("59.94df", "23:59:59;59", "00:00:00;00"),
        ("29.97", "01:00:59:29", "01:01:00:00"),
        ("25", "23:59:59:24", "00:00:00:00"),
        ("23.976", "23:59:59:23", "00:00:00:00"),
        ("23.976", "01:00:59:23", "01:01:00:00"),
        ("47.952", "23:59:59:47", "00:00:00:00"),
        ("48", "23:59:59:47", "00:00:00:00"),
        ("72", "23:59:59:71", "00:00:00:00"),
        ("90", "23:59:59:89", "00:00:00:00"),
        ("96", "23:59:59:95", "00:00:00:00"),
        ("100", "23:59:59:99", "00:00:00:00"),
        ("119.88", "23:59:59:119", "00:00:00:00"),
        ("120", "00:00:00:99", "00:00:00:100"),
        ("120", "23:59:59:119", "00:00:00:00"),
    ],
)
def test_known_label_steps(name: str, before: str, after: str) -> None:
    assert (Timecode.from_label(FRAME_RATES[name], before) + 1).label == after


def test_days_of_non_drop_frame_labels_are_longer_than_solar_days() -> None:
    long = {rate.name for rate in FRAME_RATES.values() if day_length_s(rate) > 86_400}
    assert long == {"23.976", "29.97", "47.952", "59.94", "119.88"}
    assert day_length_s(FRAME_RATES["23.976"]) == Fraction(864864, 10)
    assert frames_per_day(FRAME_RATES["23.976"]) == 24 * 86_400


@pytest.mark.parametrize("name", ["29.97df", "59.94df"])
def test_drop_frame_labels_stay_within_150_ms_of_real_time_all_day(name: str) -> None:
    rate = FRAME_RATES[name]
    for minute in range(0, 1440, 7):
        first = Timecode.from_seconds(rate, Fraction(60 * minute))
        hours, minutes, seconds, frames = map(int, first.label.replace(";", ":").split(":"))
        label_s = 3600 * hours + 60 * minutes + seconds + Fraction(frames, rate.nominal)
        assert abs(label_s - 60 * minute) < Fraction(15, 100)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("60", "00:00:00"),
        ("60", "24:00:00:00"),
        ("60", "00:60:00:00"),
        ("60", "00:00:60:00"),
        ("60", "00:00:00:60"),
        ("60", "00:00:00:100"),
        ("120", "00:00:00:120"),
        ("23.976", "00:00:00:24"),
        ("23.976", "00:00:00;00"),
        ("60", "00:00:00;00"),
        ("60", "\uff10\uff10:00:00:00"),
        ("29.97df", "00:00:00:00"),
        ("29.97df", "00:01:00;00"),
        ("59.94df", "00:01:00;03"),
    ],
)
def test_an_invalid_label_is_refused(name: str, label: str) -> None:
    with pytest.raises(ValueError, match="0"):
        Timecode.from_label(FRAME_RATES[name], label)


def test_rates_do_not_mix() -> None:
    one, other = Timecode(FRAME_RATES["25"], 1), Timecode(FRAME_RATES["24"], 1)
    assert one != other
    with pytest.raises(ValueError, match="25 and 24"):
        one.frames_since(other)
    with pytest.raises(ValueError, match="compared"):
        assert one < other


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (0, 0, "0:00"),
        (59.7, 0, "1:00"),
        (3661, 0, "1:01:01"),
        (62.346, 2, "1:02.35"),
        (59.996, 2, "1:00.00"),
        (3602.34, 2, "1:00:02.34"),
    ],
)
def test_durations_are_read_as_on_a_clock(seconds: float, decimals: int, text: str) -> None:
    assert duration_text(seconds, decimals) == text
