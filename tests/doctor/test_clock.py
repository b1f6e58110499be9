"""Timecode, what steers the clock, and ticks."""

from __future__ import annotations

import pytest

from bridge.audio.spec import AudioSpec
from bridge.clock.discipline import UNKNOWN, Discipline, Steering
from bridge.clock.rate import FRAME_RATES
from bridge.clock.spec import TimecodeSpec
from bridge.clock.sync import Status, Sync
from bridge.config.schema import Config, SubjectConfig
from bridge.doctor.clock import (
    examine_steering,
    examine_ticks,
    examine_timecode,
    judge_steering,
    judge_ticks,
    judge_timecode,
)
from bridge.doctor.finding import State
from bridge.errors import UserError
from bridge.links.spec import parse_link_url

RATE = FRAME_RATES["60"]


def test_the_system_clock_needs_no_ear() -> None:
    assert examine_timecode(TimecodeSpec(), FRAME_RATES["29.97df"]).what.endswith(
        "29.97df frames/s"
    )


def test_timecode_without_its_sound_is_a_problem_of_the_user() -> None:
    spec = TimecodeSpec(source="ltc", audio=AudioSpec(input="none.wav"))
    with pytest.raises(UserError, match=r"none\.wav"):
        examine_timecode(spec, RATE)


def test_sound_that_is_no_timecode_is_a_fault() -> None:
    spec = TimecodeSpec(source="ltc", audio=AudioSpec(input="test"))
    assert examine_timecode(spec, RATE).state is State.FAULT


def test_timecode_that_arrives_is_told() -> None:
    status = Status(Sync.SYNCED, 0.0, is_locked=True, jumps=0)
    finding = judge_timecode("LTC 25 10:00:00:00", status, RATE)
    assert (finding.state, "10:00:00:00 arrives" in finding.what) == (State.OK, True)


@pytest.mark.parametrize(
    ("discipline", "is_alone", "state"),
    [
        (Discipline(Steering.PTP, "PHC0", 1e-6), False, State.OK),
        (Discipline(Steering.NONE), True, State.OK),
        (Discipline(Steering.NONE), False, State.WARNING),
        (UNKNOWN, False, State.OK),
    ],
)
def test_a_free_clock_matters_where_there_are_others(
    discipline: Discipline, is_alone: bool, state: State
) -> None:
    finding = judge_steering(discipline, is_alone=is_alone, platform="linux")
    assert finding.state is state
    assert ("timedatectl" in finding.remedy) is (state is State.WARNING)


@pytest.mark.parametrize("url", ["livelink-face://localhost", "livelink-face://10.0.0.5"])
def test_this_system_is_asked_and_answers(url: str) -> None:
    config = Config(subjects=(SubjectConfig(links=(parse_link_url(url),)),))
    assert examine_steering(config).where == "system clock"


@pytest.mark.parametrize(
    ("lateness_ms", "state"),
    [([0.1] * 90, State.OK), ([0.1] * 85 + [6.0] * 5, State.WARNING), ([20.0] * 90, State.FAULT)],
)
def test_ticks_are_judged_by_their_lateness(lateness_ms: list[float], state: State) -> None:
    finding = judge_ticks([1e-3 * each for each in lateness_ms], RATE)
    assert finding.state is state
    assert f"late by {lateness_ms[0]:.1f} ms" in finding.what


def test_ticks_are_measured_and_the_priority_is_told() -> None:
    ticks, priority = examine_ticks(RATE)
    assert ticks.where == "ticks"
    assert "priority" in priority.what
