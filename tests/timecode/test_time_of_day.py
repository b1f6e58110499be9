"""Timecode from audio blocks, from a played file, and from the system clock."""

from __future__ import annotations

import itertools
import threading
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.source import AudioConfig, Block
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.chase import Chase, ChaseMode, ClockReading, SyncState
from cstalk_bridge.timecode.smpte import FRAME_RATES, Timecode, day_length_s
from cstalk_bridge.timecode.system_clock import SystemClock, SystemSource
from cstalk_bridge.timecode.tick import Tick, host_now
from cstalk_bridge.timecode.time_of_day import LtcReader, TimecodeConfig, open_time_of_day
from tests.timecode.ltc_sound import labels, sound
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


TIMEOUT_S = 20.0


def readings(
    wave: np.ndarray, rate_hz: int = 48_000, offset_s: float = 0.0
) -> tuple[LtcReader, list[ClockReading]]:
    reader = LtcReader(rate_hz, offset_s)
    found = []
    size = rate_hz // 100
    for number in range(len(wave) // size):
        arrived_s = 100.0 + (number + 1) / 100
        block = Block(wave[number * size : (number + 1) * size], arrived_s - 0.01, arrived_s)
        found += reader.push(block)
    return reader, found


@pytest.mark.parametrize("name", ["23.976", "24", "25", "29.97", "29.97df", "30"])
def test_readings_are_exact_in_real_time(name: str) -> None:
    rate = FRAME_RATES[name]
    start = "00:00:59;10" if rate.drop_frame else "00:00:59:10"
    reader, found = readings(sound(labels(rate, start, 60), rate))
    assert reader.rate == rate
    assert len(found) > 30
    begin_s = float(Timecode.from_label(rate, start).seconds)
    for host_s, day_s, _ in found:
        assert host_s - 100.0 == pytest.approx(day_s - begin_s, abs=1e-4)


@pytest.mark.parametrize(
    ("ltc", "fps"),
    [("23.976", "23.976"), ("23.976", "47.952"), ("29.97", "119.88"), ("30", "120"), ("24", "96")],
)
def test_timecode_across_midnight_numbers_frames_without_a_jump(ltc: str, fps: str) -> None:
    rate, ticks = FRAME_RATES[ltc], FRAME_RATES[fps]
    start = f"23:59:57:{rate.nominal - 5:02d}"
    _, found = readings(sound(labels(rate, start, 5 * rate.nominal), rate))
    chase = Chase(ticks, ChaseMode.CHASE)
    for reading in found:
        chase.read(reading)
    assert {reading.length_s for reading in found} == {float(day_length_s(rate))}
    assert chase.status(found[-1].host_s).jumps == 0
    due_s = found[-1].host_s
    stamped = chase.stamp(Tick(0, due_s, 0))
    at = Timecode.from_label(rate, start).seconds + Fraction(due_s - 100.0)
    assert stamped.frame + stamped.subframe == pytest.approx(float(at) * ticks.hz, abs=0.05)
    assert Timecode(ticks, stamped.frame).label.startswith("00:00:0")


def test_an_offset_is_added() -> None:
    wave = sound(labels(FRAME_RATES["25"], "01:00:00:00", 40), FRAME_RATES["25"])
    plain, later = readings(wave)[1], readings(wave, offset_s=0.02)[1]
    assert [r.day_s for r in later] == pytest.approx([r.day_s + 0.02 for r in plain])


def test_other_speeds_and_reverse_give_no_time() -> None:
    rate = FRAME_RATES["25"]
    wave = sound(labels(rate, "01:00:00:00", 60), rate)
    slow = sound(labels(rate, "01:00:10:00", 60), rate, speed=0.95)
    reader, found = readings(np.concatenate((wave, wave[::-1], slow)))
    assert {int(reading.day_s) for reading in found} <= {3600, 3601, 3602}
    assert len(found) <= 60
    assert reader.label.startswith("01:00:12")


def test_timecode_of_a_file_locks_ticks(tmp_path: Path) -> None:
    rate = FRAME_RATES["25"]
    wave = sound(labels(rate, "10:00:00:00", 200), rate)
    path = tmp_path / "ltc.wav"
    soundfile.write(path, np.stack([np.zeros_like(wave), wave], axis=1), 48_000)
    audio = AudioConfig(input=str(path), channel=2)
    spec = TimecodeConfig(source="ltc", mode=ChaseMode.CHASE, audio=audio)
    source = open_time_of_day(spec, FRAME_RATES["50"])
    chase = source.chase
    try:
        numbers = itertools.count()

        def is_synced() -> bool:
            number = next(numbers)
            source.stamp(Tick(number, host_now(), number))
            return source.status(host_now()).sync is SyncState.SYNCED

        wait_until(is_synced)
        number = next(numbers)
        assert chase.status(host_now()).is_locked
        tick = chase.stamp(Tick(number, host_now(), number))
        assert 50 * 36_000 < tick.frame < 50 * 36_009
        assert source.text.startswith("LTC 25 10:00:0")
    finally:
        source.close()
        source.close()
    assert not any(thread.name == "timecode" for thread in threading.enumerate())


def test_timecode_needs_an_input() -> None:
    for audio in (None, AudioConfig()):
        with pytest.raises(ValueError, match=r"audio\.input"):
            TimecodeConfig(source="ltc", audio=audio)
    assert TimecodeConfig().mode is ChaseMode.FREE


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    audio = AudioConfig(input=str(tmp_path / "none.wav"))
    with pytest.raises(UserError):
        open_time_of_day(TimecodeConfig(source="ltc", audio=audio), FRAME_RATES["60"])


def test_the_system_clock_is_local_time_of_day() -> None:
    clock = SystemClock(now=lambda: 7.0, wall=lambda: 86_400.0 * 3 + 3661.25, localtime=time.gmtime)
    assert clock.read() == pytest.approx(ClockReading(7.0, 3661.25))


def test_a_change_of_the_system_clock_is_followed() -> None:
    host, wall = [0.0], [86_400.0 + 3600.0]
    clock = SystemClock(now=lambda: host[0], wall=lambda: wall[0], localtime=time.gmtime)
    chase = Chase(FRAME_RATES["60"], ChaseMode.CHASE)
    for step_s in (0.0, 2.0):
        wall[0] += step_s
        for _ in range(30):
            host[0] += 0.2
            wall[0] += 0.2
            chase.read(clock.read())
    tick = chase.stamp(Tick(0, host[0], 0))
    assert (tick.frame + tick.subframe) / 60 == pytest.approx(3600 + 12 + 2, abs=1e-3)
    assert chase.status(host[0]).jumps == 1


def test_the_system_source_reads_until_it_is_closed() -> None:
    chase = Chase(FRAME_RATES["60"])
    source = SystemSource(chase)
    wait_until(lambda: chase.status(host_now()).is_locked)
    source.close()
    assert chase.status(host_now()).is_locked
    local = time.localtime()
    ours_s = chase.stamp(Tick(0, host_now(), 0)).frame / 60
    theirs_s = 3600 * local.tm_hour + 60 * local.tm_min + local.tm_sec
    assert (ours_s - theirs_s + 43_200) % 86_400 - 43_200 == pytest.approx(0, abs=2)
