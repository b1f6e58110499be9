from __future__ import annotations

import math

import pytest

from cstalk_bridge.models.evaluation.suites.speech_emotion import percentile_ms, real_time_factor


def test_percentiles_are_in_milliseconds() -> None:
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)
    assert math.isnan(percentile_ms([], 99))


def test_half_the_time_is_a_factor_of_a_half() -> None:
    assert real_time_factor(5.0, 10.0) == 0.5
