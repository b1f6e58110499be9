from __future__ import annotations

import inspect
import math

import pytest

from cstalk_bridge.models.evaluation.catalog import MEASURES, SUITES
from cstalk_bridge.models.evaluation.measures import Bar
from cstalk_bridge.models.evaluation.request import EvaluationRequest


def test_a_bar_holds_from_its_look_ahead_on() -> None:
    jaw = MEASURES["grid.jaw_r"]
    assert jaw.bar(0) is None
    for lookahead_ms, limit in ((20, 0.90), (40, 0.90), (60, 0.93), (120, 0.93)):
        bar = jaw.bar(lookahead_ms)
        assert bar is not None
        assert bar.at_least == limit


@pytest.mark.parametrize(
    ("bar", "value", "is_met"),
    [
        (Bar(at_least=0.9), 0.9, True),
        (Bar(at_least=0.9), 0.89, False),
        (Bar(at_most=3), 3.1, False),
        (Bar(0.015, 0.04), 0.02, True),
        (Bar(0.015, 0.04), 0.05, False),
        (Bar(at_most=3), math.nan, False),
    ],
)
def test_bars_are_met_or_not(bar: Bar, value: float, is_met: bool) -> None:
    assert bar.is_met(value) is is_met


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_is_created_from_its_entry(name: str) -> None:
    entry = SUITES[name]
    lent = [entry.needs] if entry.needs else []
    assert list(inspect.signature(entry.create()).parameters) == ["folders", "max_clips", *lent]
    assert entry.measures
    assert {f"{name}.{measure}" for measure in entry.measures} <= set(MEASURES)
    assert not entry.needs or hasattr(EvaluationRequest, entry.needs)
