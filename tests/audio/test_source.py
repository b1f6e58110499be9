from __future__ import annotations

import pytest
from pydantic import ValidationError

from cstalk_bridge.audio.source import (
    BLOCKS_PER_HOP,
    MAX_BEHIND_BLOCKS,
    AudioConfig,
    BlockSchedule,
    GateConfig,
)


def test_the_defaults_are_the_microphone_mixed_without_gain_and_gate() -> None:
    spec = AudioConfig()
    assert (spec.input, spec.channel, spec.gain_db, spec.gate.enabled) == ("mic", None, 0.0, False)


def test_an_index_may_be_written_as_a_number() -> None:
    assert AudioConfig.model_validate({"input": 3}).input == "3"


@pytest.mark.parametrize(
    "data",
    [
        {"input": ""},
        {"input": True},
        {"channel": 0},
        {"gain_db": 61},
        {"gain_db": float("nan")},
        {"gate": {"hold_ms": -1}},
        {"gate": {"open_db": 1}},
        {"volume": 1},
    ],
)
def test_invalid_values_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AudioConfig.model_validate(data)


def test_a_gate_closes_at_or_below_the_level_at_which_it_opens() -> None:
    GateConfig(open_db=-50, close_db=-50)
    with pytest.raises(ValidationError, match="close_db -40 is above open_db -50"):
        GateConfig(open_db=-50, close_db=-40)


def test_a_block_is_due_when_its_last_sample_would_have_been_recorded() -> None:
    schedule = BlockSchedule(5.0)
    assert list(schedule.take(5.009)) == []
    assert list(schedule.take(5.01)) == [0]
    assert list(schedule.take(5.01)) == []
    assert schedule.captured_s(0) == 5.0


def test_a_late_reader_receives_all_blocks_that_are_due() -> None:
    schedule = BlockSchedule(0.0)
    assert list(schedule.take(0.055)) == [0, 1, 2, 3, 4]
    assert list(schedule.take(0.059)) == []
    assert list(schedule.take(0.06)) == [5]


def test_a_source_is_due_when_a_hop_is_complete() -> None:
    schedule = BlockSchedule(5.0)
    assert schedule.next_due_s == pytest.approx(5.02)
    assert list(schedule.take(5.01)) == [0]
    assert schedule.next_due_s == pytest.approx(5.02)
    assert list(schedule.take(5.045)) == [1, 2, 3]
    assert schedule.next_due_s == pytest.approx(5.06)


def test_after_a_long_pause_the_schedule_moves_without_dropping_blocks() -> None:
    schedule = BlockSchedule(0.0)
    taken = list(schedule.take(100.0))
    assert taken == list(range(MAX_BEHIND_BLOCKS))
    assert schedule.next_due_s == pytest.approx(100.02)
    assert list(schedule.take(100.01)) == [MAX_BEHIND_BLOCKS]


def test_polling_at_the_due_time_suffices_for_hours() -> None:
    """Rounding never makes a reader who comes exactly in time come for nothing."""
    schedule = BlockSchedule(123456.789)
    for _ in range(100_000):
        assert len(schedule.take(schedule.next_due_s)) == BLOCKS_PER_HOP
