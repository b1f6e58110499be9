from __future__ import annotations

import pytest
from pydantic import ValidationError

from cstalk_bridge.audio.config import AudioConfig, GateConfig


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
def test_what_makes_no_sense_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AudioConfig.model_validate(data)


def test_a_gate_closes_at_or_below_the_level_at_which_it_opens() -> None:
    GateConfig(open_db=-50, close_db=-50)
    with pytest.raises(ValidationError, match="close_db -40 is above open_db -50"):
        GateConfig(open_db=-50, close_db=-40)
