"""The timecode decoder on sound of the tests' own encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.timecode.ltc import LtcDecoder, LtcFrame, label_of, rate_of
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.timecode.ltc_sound import codeword, labels, sound

if TYPE_CHECKING:
    from numpy.typing import NDArray


STARTS = {
    "23.976": "23:59:59:10",
    "24": "01:02:03:20",
    "25": "23:59:59:20",
    "29.97": "10:20:30:15",
    "29.97df": "00:00:59;20",
    "30": "00:00:00:00",
}
"""Each near an edge: of a second, of the day, of the labels that are left out."""


def decoded(wave: NDArray[np.float32], rate_hz: int = 48_000) -> list[LtcFrame]:
    return LtcDecoder(rate_hz).push(wave)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", STARTS)
def test_every_rate_is_decoded_and_reported(name: str, rate_hz: int) -> None:
    rate = FRAME_RATES[name]
    names = labels(rate, STARTS[name], 31)
    frames = decoded(sound(names, rate, rate_hz), rate_hz)
    # The first frame teaches the length of a bit.
    assert [frame.label for frame in frames][-30:] == names[-30:]
    assert rate_of(frames, rate_hz) == rate
    for frame in frames:
        begin = names.index(frame.label) * float(rate.frame_s) * rate_hz
        assert frame.place == pytest.approx(begin, abs=1.5)
        assert frame.length == pytest.approx(float(rate.frame_s) * rate_hz, abs=1)


@pytest.mark.parametrize("speed", [0.1, 0.3, 0.8, 1.0, 1.7, 4.0])
@pytest.mark.parametrize("is_reverse", [False, True])
def test_any_speed_and_direction_is_decoded(speed: float, is_reverse: bool) -> None:
    rate = FRAME_RATES["30"]
    names = labels(rate, "00:59:59:25", 10)
    wave = sound(names, rate, speed=speed)
    frames = decoded(wave[::-1] if is_reverse else wave)
    expected = names[::-1] if is_reverse else names
    found = [frame.label for frame in frames]
    # The wave has no edge at the begin of the first frame nor, mostly, the level before it.
    first = expected.index(found[0])
    assert found == expected[first : first + len(found)]
    assert len(found) >= 8
    assert all(frame.is_reverse == is_reverse for frame in frames)
    for frame in frames:
        begin = names.index(frame.label) * 1600 / speed
        place = len(wave) - frame.place if is_reverse else frame.place
        assert place == pytest.approx(begin, abs=2)


def test_reversing_tape_is_followed() -> None:
    rate = FRAME_RATES["25"]
    forwards = sound(labels(rate, "10:00:00:00", 6), rate)
    slow = sound(labels(rate, "10:00:10:00", 6), rate, speed=0.5)
    frames = decoded(np.concatenate((forwards, slow[::-1], forwards)))
    directions = [frame.is_reverse for frame in frames]
    assert directions == sorted(directions[:-5]) + [False] * 5
    assert {"10:00:00:04", "10:00:10:02"} <= {frame.label for frame in frames}


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_block_boundaries_do_not_change_the_decoding(sizes: list[int]) -> None:
    rate = FRAME_RATES["30"]
    wave = sound(labels(rate, "12:34:56:00", 8), rate)
    decoder = LtcDecoder(48_000)
    parts = np.split(wave, np.cumsum(sizes)[np.cumsum(sizes) < len(wave)])
    assert [frame for part in parts for frame in decoder.push(part)] == decoded(wave)


@pytest.mark.parametrize("level", [0.002, 0.02, 1.0])
def test_level_offset_hum_and_noise_are_tolerated(level: float) -> None:
    rate = FRAME_RATES["25"]
    names = labels(rate, "05:06:07:08", 20)
    wave = sound(names, rate, level=level)
    times_s = np.arange(len(wave)) / 48_000
    rng = np.random.default_rng(1)
    wave += np.float32(level) * (
        0.3 + 0.15 * np.sin(2 * np.pi * 50 * times_s) + rng.normal(0, 0.05, len(wave))
    ).astype(np.float32)
    found = [frame.label for frame in decoded(-wave)]
    assert found[-15:] == names[-15:]


def test_a_dropout_affects_only_its_frames() -> None:
    rate = FRAME_RATES["25"]
    names = labels(rate, "05:06:07:08", 12)
    wave = sound(names, rate)
    wave[5 * 1920 + 700 : 5 * 1920 + 900] = 0
    found = [frame.label for frame in decoded(wave)]
    assert set(names) - set(found) <= {names[0], names[5], names[6]}
    assert set(found) <= set(names)


@given(st.integers(0, 2**64 - 1))
def test_a_codeword_is_a_time_of_day_or_refused(address: int) -> None:
    try:
        label = label_of(address)
    except ValueError:
        return
    user = 0xF0F0F0F0F0F0F0F0
    flags = 1 << 11 | 1 << 27 | 1 << 43 | 1 << 58 | 1 << 59
    sent = int(codeword(label)[:64][::-1], 2)
    assert sent == address & ~user & ~flags


def test_user_bits_are_not_time() -> None:
    rate = FRAME_RATES["30"]
    names = labels(rate, "23:59:59:10", 8)
    assert [frame.label for frame in decoded(sound(names, rate, user=15))][-6:] == names[-6:]


@given(st.integers(0, 2**32 - 1), st.sampled_from(["noise", "steps", "silence", "nan"]))
@settings(max_examples=20, deadline=None)
def test_sound_without_timecode_gives_none(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    wave = {
        "noise": rng.normal(0, 0.3, 24_000),
        "steps": np.repeat(rng.choice([-1, 1], 2400), 10),
        "silence": np.zeros(24_000),
        "nan": np.full(24_000, np.nan),
    }[kind]
    assert decoded(wave.astype(np.float32)) == []


def test_an_invalid_codeword_is_counted() -> None:
    rate = FRAME_RATES["25"]
    decoder = LtcDecoder(48_000)
    assert decoder.push(sound(["12:00:00:00"] * 2 + ["29:00:00:00"] * 2, rate))
    assert decoder.rejected == 2


def test_varispeed_has_no_rate() -> None:
    rate = FRAME_RATES["25"]
    names = labels(rate, "01:00:00:00", 30)
    assert rate_of(decoded(sound(names, rate, speed=0.9)), 48_000) is None
    assert rate_of(decoded(sound(names[:20], rate)), 48_000) is None
