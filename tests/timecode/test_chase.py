"""Chasing a time of day, on simulated clocks."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.timecode.chase import (
    DAY_S,
    EDGE_FRAMES,
    LOST_S,
    Chase,
    ChaseMode,
    ClockReading,
    SyncState,
)
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Callable


HOST_S = 5000.0
READINGS_HZ = 25


class Stage:
    """A chase with a source that reads `day_s(host_s)`, at 25 Hz, and ticks between."""

    def __init__(
        self,
        day_s: Callable[[float], float],
        *,
        mode: ChaseMode = ChaseMode.CHASE,
        rate: str = "60",
    ) -> None:
        self.rate = FRAME_RATES[rate]
        self.chase = Chase(self.rate, mode)
        self.day_s = day_s
        self.number = 0
        self.jitter_s = 0.0
        self._rng = random.Random(1)
        self._next_reading_s = HOST_S

    @property
    def host_s(self) -> float:
        return HOST_S + self.number * float(self.rate.frame_s)

    def run(self, seconds: float, *, has_source: bool = True) -> list[Tick]:
        ticks = []
        for _ in range(round(seconds * self.rate.hz)):
            while self._next_reading_s <= self.host_s:
                if has_source:
                    day_s = self.day_s(self._next_reading_s) % DAY_S
                    day_s += self._rng.uniform(-1, 1) * self.jitter_s
                    self.chase.read(ClockReading(self._next_reading_s, day_s))
                self._next_reading_s += 1 / READINGS_HZ
            # The system clock has nothing to do with the source's time.
            ticks.append(self.chase.stamp(Tick(self.number, self.host_s, 1_000 + self.number)))
            self.number += 1
        return ticks

    def error_s(self, tick: Tick) -> float:
        shown_s = (tick.frame + tick.subframe) * float(self.rate.frame_s)
        return (shown_s - self.day_s(tick.due_s) + DAY_S / 2) % DAY_S - DAY_S / 2


def steady(day_s: float = 36_000.0, drift: float = 0.0) -> Callable[[float], float]:
    return lambda host_s: day_s + (host_s - HOST_S) * (1 + drift)


@pytest.mark.parametrize("rate", ["24", "25", "29.97df", "60"])
def test_ticks_get_the_time_of_the_source(rate: str) -> None:
    stage = Stage(steady(), rate=rate)
    ticks = stage.run(2)
    assert ticks[0] == Tick(0, HOST_S, 1_000)
    assert stage.chase.status(stage.host_s).sync is SyncState.SYNCED
    for tick in ticks[round(0.5 * stage.rate.hz) :]:
        assert stage.error_s(tick) == pytest.approx(0, abs=1e-6)
        assert 0 <= tick.subframe < 1


@given(st.floats(-300e-6, 300e-6), st.floats(0, DAY_S - 1), st.floats(0, 0.002))
def test_a_drifting_clock_is_followed_without_repeating_a_frame(
    drift: float, day_s: float, jitter_s: float
) -> None:
    stage = Stage(steady(day_s, drift))
    stage.jitter_s = jitter_s
    ticks = stage.run(20)[60:]
    # At an edge of a frame, its number is held for up to a quarter of it.
    limit_s = EDGE_FRAMES / 60 + 0.001 + 1.5 * jitter_s
    assert max(abs(stage.error_s(tick)) for tick in ticks) < limit_s
    assert stage.chase.status(stage.host_s).jumps == 0
    steps = [after.frame - before.frame for before, after in pairwise(ticks)]
    assert sum(step != 1 for step in steps) <= 1
    times = [tick.frame + tick.subframe for tick in ticks]
    assert all(after > before for before, after in pairwise(times))


def test_after_a_loss_it_freewheels_and_reports_so() -> None:
    stage = Stage(steady())
    stage.run(1)
    ticks = stage.run(LOST_S + 60, has_source=False)
    assert stage.chase.status(stage.host_s).sync is SyncState.LOST
    assert stage.chase.status(stage.host_s).is_locked
    assert abs(stage.error_s(ticks[-1])) < 1e-4
    stage.run(1)
    status = stage.chase.status(stage.host_s)
    assert (status.sync, status.jumps) == (SyncState.SYNCED, 0)


def test_a_reset_source_is_followed_at_once() -> None:
    stage = Stage(steady())
    stage.run(1)
    stage.day_s = steady(100.0)
    ticks = stage.run(1)
    assert abs(stage.error_s(ticks[-1])) < 1e-6
    assert stage.chase.status(stage.host_s).jumps == 1


def test_a_small_offset_is_corrected_in_small_steps() -> None:
    stage = Stage(steady())
    stage.run(2)
    stage.day_s = steady(36_000.050)
    ticks = stage.run(12)
    steps = [
        after.frame + after.subframe - before.frame - before.subframe
        for before, after in pairwise(ticks)
    ]
    assert 0.7 < min(steps) <= max(steps) < 1.3
    assert abs(stage.error_s(ticks[-1])) < 0.002
    assert stage.chase.status(stage.host_s).jumps == 0


@pytest.mark.parametrize("offset_s", [0.5, -0.5])
def test_a_jam_keeps_its_time_and_is_distinguished_from_its_source(offset_s: float) -> None:
    stage = Stage(steady(), mode=ChaseMode.JAM)
    stage.run(3)
    assert stage.chase.status(stage.host_s).sync is SyncState.SYNCED
    stage.day_s = steady(36_000.0 + offset_s)
    ticks = stage.run(3)
    status = stage.chase.status(stage.host_s)
    assert status.sync is (SyncState.BEHIND if offset_s > 0 else SyncState.AHEAD)
    assert status.ahead_s == pytest.approx(-offset_s, abs=1e-6)
    assert stage.error_s(ticks[-1]) == pytest.approx(-offset_s, abs=1e-6)
    stage.chase.jam()
    stage.run(1)
    assert stage.chase.status(stage.host_s).sync is SyncState.SYNCED


def test_free_running_time_is_unchanged() -> None:
    stage = Stage(steady(), mode=ChaseMode.FREE)
    ticks = stage.run(2)
    assert [tick.frame for tick in ticks] == list(range(1_000, 1_120))
    status = stage.chase.status(stage.host_s)
    assert (status.sync, status.is_locked) == (SyncState.BEHIND, False)
    assert status.ahead_s == pytest.approx(1_000 / 60 - 36_000)


@pytest.mark.parametrize("speed", [-1.0, 0.0, 2.0, 10.0])
def test_a_source_at_another_speed_is_ignored(speed: float) -> None:
    stage = Stage(lambda host_s: 36_000 + speed * (host_s - HOST_S))
    ticks = stage.run(3)
    assert [tick.frame for tick in ticks] == list(range(1_000, 1_180))
    assert stage.chase.status(stage.host_s).sync is SyncState.LOST


def test_one_wrong_reading_changes_nothing() -> None:
    stage = Stage(steady())
    stage.run(2)
    stage.chase.read(ClockReading(stage.host_s - 1e-3, 10.0))
    ticks = stage.run(2)
    assert max(abs(stage.error_s(tick)) for tick in ticks) < 1e-6
    assert stage.chase.status(stage.host_s).jumps == 0


def test_frames_do_not_wrap_at_midnight() -> None:
    stage = Stage(steady(DAY_S - 2.0))
    ticks = stage.run(6)[60:]
    assert [tick.frame for tick in ticks] == list(range(ticks[0].frame, ticks[0].frame + 300))
    assert ticks[-1].frame > DAY_S * 60
    assert stage.chase.status(stage.host_s).sync is SyncState.SYNCED


def test_before_any_reading_the_source_is_lost() -> None:
    status = Chase(FRAME_RATES["60"]).status(HOST_S)
    assert (status.sync, status.is_locked, status.jumps) == (SyncState.LOST, False, 0)
