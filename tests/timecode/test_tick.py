"""The ticker on a simulated clock, and briefly on the real one."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.timecode.smpte import FRAME_RATES, FrameRate
from cstalk_bridge.timecode.tick import CATCH_UP_S, Ticker, host_now

RATES = st.sampled_from(sorted(FRAME_RATES.values(), key=lambda rate: rate.name))
NOON_S = 1_700_000_000.0 - 1_700_000_000.0 % 86400 + 43200


class FakeClock:
    """Host and system clock in one; sleeping takes the requested time and what a test adds."""

    def __init__(self, *, wall_s: float = NOON_S, host_s: float = 100.0) -> None:
        self.host_s = host_s
        self.wall_minus_host_s = wall_s - host_s
        self.oversleep_s = 0.0

    def now(self) -> float:
        return self.host_s

    def wall(self) -> float:
        return self.host_s + self.wall_minus_host_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s > 0
        # What a clock of that magnitude can hold: a sleep always ends after its time.
        self.host_s += duration_s + 1e-9 + self.oversleep_s

    def ticker(self, rate: FrameRate) -> Ticker:
        return Ticker(rate, now=self.now, wall=self.wall, sleep=self.sleep, localtime=time.gmtime)


@given(RATES, st.floats(0, 86399.999))
def test_ticks_are_on_frame_boundaries_of_the_system_clock(
    rate: FrameRate, time_of_day_s: float
) -> None:
    clock = FakeClock(wall_s=NOON_S - 43200 + time_of_day_s)
    first, *_, last = itertools.islice(clock.ticker(rate), 1000)
    for tick in (first, last):
        wall_s = tick.due_s + clock.wall_minus_host_s - (NOON_S - 43200)
        assert wall_s == pytest.approx(tick.frame * float(rate.frame_s), abs=1e-5)
        assert tick.subframe == 0.0
    assert first.frame <= (time_of_day_s + 1e-5) * rate.hz + 1


@given(RATES)
def test_frames_count_one_by_one_without_accumulated_error(rate: FrameRate) -> None:
    clock = FakeClock()
    ticks = list(itertools.islice(clock.ticker(rate), 500))
    first = ticks[0]
    for index, tick in enumerate(ticks):
        assert tick.number == index
        assert tick.frame == first.frame + index
        assert tick.due_s == pytest.approx(first.due_s + index * float(rate.frame_s), abs=1e-9)
        assert 0.0 <= tick.lateness_s < 1e-6


@given(st.lists(st.floats(0, 0.4), min_size=5, max_size=60))
def test_frame_time_stays_presentation_time_however_late(oversleeps_s: list[float]) -> None:
    clock = FakeClock()
    rate = FRAME_RATES["60"]
    ticker = clock.ticker(rate)
    first = next(ticker)
    previous = first
    for oversleep_s in oversleeps_s:
        clock.host_s += oversleep_s
        before_s, skipped = clock.host_s, ticker.skipped
        tick = next(ticker)
        assert tick.frame - previous.frame == 1 + ticker.skipped - skipped
        assert tick.frame - first.frame == tick.number - first.number
        assert tick.due_s == pytest.approx(first.due_s + tick.number / 60, abs=1e-9)
        assert tick.lateness_s == pytest.approx(max(0.0, before_s - tick.due_s), abs=1e-6)
        assert tick.lateness_s <= CATCH_UP_S
        previous = tick


def test_overdue_ticks_come_at_once_and_none_is_lost() -> None:
    clock = FakeClock()
    ticker = clock.ticker(FRAME_RATES["50"])
    first = next(ticker)
    clock.host_s = first.due_s + 0.201
    ticks = list(itertools.islice(ticker, 10))
    assert [tick.number for tick in ticks] == list(range(1, 11))
    assert clock.host_s == first.due_s + 0.201, "no sleep between overdue ticks"
    assert ticker.skipped == 0
    next(ticker)
    assert clock.host_s >= first.due_s + 0.22, "the schedule goes on where it was"


def test_beyond_the_limit_the_newest_due_tick_is_given_and_the_rest_counted() -> None:
    clock = FakeClock()
    ticker = clock.ticker(FRAME_RATES["50"])
    first = next(ticker)
    clock.host_s = first.due_s + 10.001
    tick = next(ticker)
    assert tick.number == 500
    assert tick.frame == first.frame + 500
    assert tick.lateness_s == pytest.approx(0.001, abs=1e-6)
    assert ticker.skipped == 499
    assert next(ticker).number == 501


def test_a_step_of_the_system_clock_is_reported_and_changes_no_frame() -> None:
    clock = FakeClock()
    ticker = clock.ticker(FRAME_RATES["60"])
    assert ticker.wall_offset_s == 0.0
    before = next(ticker)
    assert ticker.wall_offset_s == pytest.approx(0.0, abs=1e-6)
    clock.wall_minus_host_s -= 3600.0
    after = next(ticker)
    assert after.frame == before.frame + 1
    assert after.due_s == pytest.approx(before.due_s + 1 / 60, abs=1e-9)
    assert ticker.wall_offset_s == pytest.approx(-3600.0, abs=1e-6)


def test_frame_number_does_not_wrap_at_midnight() -> None:
    clock = FakeClock(wall_s=NOON_S + 43200 - 0.5)
    frames = [tick.frame for tick in itertools.islice(clock.ticker(FRAME_RATES["25"]), 50)]
    day = 86400 * 25
    assert frames[0] < day < frames[-1]
    assert frames == list(range(frames[0], frames[0] + 50))


def test_time_of_day_is_local() -> None:
    clock = FakeClock()
    ticker = Ticker(
        FRAME_RATES["60"],
        now=clock.now,
        wall=clock.wall,
        sleep=clock.sleep,
        localtime=lambda wall_s: time.gmtime(wall_s + 5.5 * 3600),
    )
    assert next(ticker).frame == pytest.approx(17.5 * 3600 * 60, abs=1)


def test_being_preempted_between_the_two_clocks_does_not_shift_the_frames() -> None:
    clock = FakeClock()
    delays = iter([0.050, 0.0, 0.030] + [0.001] * 100)

    def slow_wall() -> float:
        wall_s = clock.wall()
        clock.host_s += next(delays)
        return wall_s

    ticker = Ticker(
        FRAME_RATES["60"],
        now=clock.now,
        wall=slow_wall,
        sleep=clock.sleep,
        localtime=time.gmtime,
    )
    tick = next(ticker)
    wall_s = tick.due_s + clock.wall_minus_host_s - (NOON_S - 43200)
    assert wall_s == pytest.approx(tick.frame / 60, abs=1e-6)


def test_the_real_clock_gives_ticks_in_order_and_never_early() -> None:
    previous = None
    for tick in itertools.islice(Ticker(FRAME_RATES["60"]), 20):
        assert host_now() >= tick.due_s
        if previous is not None:
            skipped = tick.number - previous.number - 1
            assert skipped >= 0
            assert tick.frame - previous.frame == 1 + skipped
        previous = tick
