"""Timecode, what steers the clock, and ticks."""

from __future__ import annotations

import pytest

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.diagnostics.checks import FindingState
from cstalk_bridge.diagnostics.clock_check import (
    examine_clock_sync,
    examine_ticks,
    examine_timecode,
    judge_clock_sync,
    judge_ticks,
    judge_timecode,
)
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.parse import parse_link_url
from cstalk_bridge.timecode.chase import SyncState, SyncStatus
from cstalk_bridge.timecode.config import TimecodeConfig
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.system_clock import UNKNOWN_DISCIPLINE, ClockReference, Discipline

RATE = FRAME_RATES["60"]


def test_the_system_clock_needs_no_ear() -> None:
    assert examine_timecode(TimecodeConfig(), FRAME_RATES["29.97df"]).what.endswith(
        "29.97df frames/s"
    )


def test_timecode_without_its_sound_is_a_problem_of_the_user() -> None:
    spec = TimecodeConfig(source="ltc", audio=AudioConfig(input="none.wav"))
    with pytest.raises(UserError, match=r"none\.wav"):
        examine_timecode(spec, RATE)


def test_sound_that_is_no_timecode_is_a_fault() -> None:
    spec = TimecodeConfig(source="ltc", audio=AudioConfig(input="test"))
    assert examine_timecode(spec, RATE).state is FindingState.FAULT


def test_timecode_that_arrives_is_told() -> None:
    status = SyncStatus(SyncState.SYNCED, 0.0, is_locked=True, jumps=0)
    finding = judge_timecode("LTC 25 10:00:00:00", status, RATE)
    assert (finding.state, "10:00:00:00 arrives" in finding.what) == (FindingState.OK, True)


@pytest.mark.parametrize(
    ("discipline", "is_alone", "state"),
    [
        (Discipline(ClockReference.PTP, "PHC0", 1e-6), False, FindingState.OK),
        (Discipline(ClockReference.NONE), True, FindingState.OK),
        (Discipline(ClockReference.NONE), False, FindingState.WARNING),
        (UNKNOWN_DISCIPLINE, False, FindingState.OK),
    ],
)
def test_a_free_clock_matters_where_there_are_others(
    discipline: Discipline, is_alone: bool, state: FindingState
) -> None:
    finding = judge_clock_sync(discipline, is_alone=is_alone, platform="linux")
    assert finding.state is state
    assert ("timedatectl" in finding.remedy) is (state is FindingState.WARNING)


@pytest.mark.parametrize("url", ["livelink-face://localhost", "livelink-face://10.0.0.5"])
def test_this_system_is_asked_and_answers(url: str) -> None:
    config = Config(subjects=(SubjectConfig(links=(parse_link_url(url),)),))
    assert examine_clock_sync(config).where == "system clock"


@pytest.mark.parametrize(
    ("lateness_ms", "state"),
    [
        ([0.1] * 90, FindingState.OK),
        ([0.1] * 85 + [6.0] * 5, FindingState.WARNING),
        ([20.0] * 90, FindingState.FAULT),
    ],
)
def test_ticks_are_judged_by_their_lateness(lateness_ms: list[float], state: FindingState) -> None:
    finding = judge_ticks([1e-3 * each for each in lateness_ms], RATE)
    assert finding.state is state
    assert f"late by {lateness_ms[0]:.1f} ms" in finding.what


def test_ticks_are_measured_and_the_priority_is_told() -> None:
    ticks, priority = examine_ticks(RATE)
    assert ticks.where == "ticks"
    assert "priority" in priority.what
