from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.bench.daemon_process import Measurements, SecondState
from cstalk_bridge.bench.load import (
    FEW,
    LAGS_S,
    MANY,
    SECONDS,
    SUBJECTS,
    TARGETS,
    HinderedRun,
    Phase,
    faces_of,
    first_live_s,
    live_share,
    of_phases,
    of_run,
    of_streams,
    stream_rates,
    untrue_seconds,
)
from cstalk_bridge.bench.packets import Arrivals
from cstalk_bridge.bench.report import Figure, missed
from cstalk_bridge.monitor.metrics import Spread
from tests.bench.test_preview import phase

if TYPE_CHECKING:
    from collections.abc import Sequence


def arrivals(frames: int, streams: int = len(SUBJECTS) * TARGETS) -> Arrivals:
    numbers = np.repeat(np.arange(float(frames)), streams)
    which = np.tile(np.arange(float(streams)), frames)
    nothing = np.zeros(len(numbers))
    return Arrivals(numbers / 60, numbers, nothing, which)


def lasting(p99_ms: float) -> Phase:
    return Phase(phase(p99_ms), arrivals(3), load=1.0, bare_p99_s=1e-4)


def test_every_frame_of_every_stream_is_checked() -> None:
    assert missed(of_streams("all", arrivals(60))) == 0
    assert missed(of_streams("one missing", arrivals(60, 31))) == 1
    whole = arrivals(60)
    gone = np.delete(np.arange(len(whole.frames)), 100)
    parts = (whole.times_s, whole.frames, whole.jaws, whole.streams)
    lossy = Arrivals(*(part[gone] for part in parts))
    assert missed(of_streams("one lost", lossy)) == 1


def test_what_dead_targets_add_is_limited() -> None:
    quiet = lasting(0.5), lasting(0.5)
    assert missed(of_phases(quiet, lasting(1.0), lasting(1.5))) == 0
    assert missed(of_phases(quiet, lasting(1.0), lasting(2.5))) == 1
    assert missed(of_phases(quiet, lasting(4.5), lasting(4.6))) == 2


FPS, ROWS_HZ = 60.0, 50.0
BEGAN_S = 700.0
LAG_S = 0.115


def offline_jaw() -> np.ndarray:
    times_s = np.arange(round(SECONDS * ROWS_HZ)) / ROWS_HZ
    return 0.3 + 0.2 * np.sin(9.0 * times_s) * np.sin(2.1 * times_s)


def run(
    states: str = "OK", *, held_every: int = 1, frozen_s: tuple[float, float] = (0, 0)
) -> HinderedRun:
    """A run whose jaw changes at every `held_every`-th packet alone, and not while frozen."""
    offline = offline_jaw()
    shown_s = np.arange(round(SECONDS * FPS)) / FPS
    places = np.arange(len(shown_s)) // held_every * held_every
    times_s = shown_s[places]
    begin_s, end_s = frozen_s
    times_s = np.where((times_s >= begin_s) & (times_s < end_s), begin_s, times_s)
    jaws = np.interp((times_s - LAG_S) * ROWS_HZ, np.arange(len(offline)), offline)
    arrivals = Arrivals(
        BEGAN_S + shown_s,
        np.arange(len(shown_s), dtype=np.float64) + 5000,
        jaws,
        np.zeros(len(jaws)),
    )
    seconds = tuple(
        SecondState(BEGAN_S + number, states, "", 60, 60 // held_every)
        for number in range(1, round(SECONDS))
    )
    spreads = {"total": Spread(0.03, 0.04, 0.05, 100)}
    return HinderedRun(Measurements(spreads, {}, 1.0, seconds), arrivals, offline)


def limits_met(lines: Sequence[object]) -> list[bool]:
    return [line.is_met for line in lines if isinstance(line, Figure) and line.is_limited]


def test_a_face_that_follows_meets_its_limits_and_its_lag_is_measured() -> None:
    followed = run()
    r, lag_s = followed.fit(followed.between(2.0, SECONDS))
    assert r == pytest.approx(1.0, abs=1e-3)
    assert lag_s == pytest.approx(LAG_S, abs=LAGS_S[1] - LAGS_S[0])
    assert all(limits_met(of_run("now", followed, 0.99)))
    assert live_share(followed) == 1.0


def test_a_held_face_does_not_pass() -> None:
    held = run("OK", held_every=6)
    assert len(untrue_seconds(held)) > SECONDS / 2
    assert not all(limits_met(of_run("now", held, 0.99)))
    assert untrue_seconds(run("BEHIND", held_every=6)) == []


def test_the_face_is_live_again_with_the_first_of_many_packets_that_fit() -> None:
    stalled = run(frozen_s=(8.0, 11.2))
    assert first_live_s(stalled, LAG_S, 10.0) == pytest.approx(11.2, abs=0.05)
    assert first_live_s(stalled, LAG_S + 0.4, 10.0) > 12.0


def measured(tick_s: float, step_s: float) -> Measurements:
    spreads = {"send": Spread(tick_s, 0, 0, 1), "step": Spread(step_s, 0, 0, 1)}
    return Measurements(spreads, {}, 1.0)


def test_capacity_ends_where_ticks_or_the_network_use_half_of_their_time() -> None:
    each_s = 40e-6
    few, many = (measured(count * each_s, 0.001) for count in (FEW, MANY))
    assert faces_of(few, many) == pytest.approx(0.5 / 60 / each_s, abs=1)
    slower = measured(MANY * each_s, 0.001 + (MANY - FEW) * 100e-6)
    assert faces_of(few, slower) == pytest.approx(FEW + 0.009 / 100e-6, abs=1)


def test_every_stream_has_a_rate_of_its_own() -> None:
    times_s = np.repeat(np.arange(120) / 60, 2)
    times_s[1::2] *= 1.5
    arrivals = Arrivals(times_s, times_s, times_s, np.tile([0.0, 1.0], 120))
    assert stream_rates(arrivals) == pytest.approx([60.0, 40.0])
