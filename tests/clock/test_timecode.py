"""Timecode against the PyPI package `timecode` and against its own inverse."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timecode import Timecode as PeerTimecode

from bridge.clock.rate import FRAME_RATES, FrameRate
from bridge.clock.timecode import Timecode, day_length_s, frames_per_day

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
def test_labels_equal_those_of_the_peer(timecode: Timecode) -> None:
    assert timecode.label == str(peer(timecode.rate, frame=timecode.frame))


@pytest.mark.parametrize("rate", FRAME_RATES.values(), ids=str)
def test_labels_equal_those_of_the_peer_around_minutes(rate: FrameRate) -> None:
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
def test_the_known_steps(name: str, before: str, after: str) -> None:
    assert (Timecode.from_label(FRAME_RATES[name], before) + 1).label == after


def test_days_of_labels_without_drop_frame_outlast_those_of_the_sun() -> None:
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
def test_what_is_no_label_is_refused(name: str, label: str) -> None:
    with pytest.raises(ValueError, match="0"):
        Timecode.from_label(FRAME_RATES[name], label)


def test_rates_do_not_mix() -> None:
    one, other = Timecode(FRAME_RATES["25"], 1), Timecode(FRAME_RATES["24"], 1)
    assert one != other
    with pytest.raises(ValueError, match="25 and 24"):
        one.frames_since(other)
    with pytest.raises(ValueError, match="compared"):
        assert one < other
