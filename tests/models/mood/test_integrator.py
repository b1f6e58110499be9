from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.emotions import EMOTIONS
from models.mood.integrator import SHOWN, MoodIntegrator, course
from models.mood.stream import Evidence

ANGRY = EMOTIONS.index("angry")
HOPS_A_SECOND = 50
FASTEST = 0.015
"""What a weight moves in a hop at most: in a second less than the whole way."""


def evidence_for(emotion: int, seconds: float, *, voicing: float = 1.0) -> Evidence:
    hops = round(seconds * HOPS_A_SECOND)
    odds = np.zeros((hops, len(EMOTIONS)), dtype=np.float32)
    odds[:, emotion] = 3.0
    return Evidence(odds, np.full(hops, voicing, dtype=np.float32))


def joined(*parts: Evidence) -> Evidence:
    return Evidence(
        np.concatenate([part.odds for part in parts]),
        np.concatenate([part.voicing for part in parts]),
    )


def test_a_mood_needs_seconds_and_then_shows() -> None:
    shown = course(evidence_for(ANGRY, 6.0))[:, ANGRY]
    assert shown[: HOPS_A_SECOND // 2].max() < 0.1
    assert shown[-1] > 0.9


def test_one_loud_word_makes_no_mood() -> None:
    heard = joined(evidence_for(0, 4.0), evidence_for(ANGRY, 0.3), evidence_for(0, 2.0))
    assert course(heard).max() < 0.2


def test_unvoiced_evidence_is_none() -> None:
    assert course(evidence_for(ANGRY, 20.0, voicing=0.0)).max() == 0.0


def test_a_mood_outlasts_a_pause_and_not_a_long_silence() -> None:
    angry, silence = evidence_for(ANGRY, 6.0), evidence_for(ANGRY, 120.0, voicing=0.0)
    shown = course(joined(angry, silence))[:, ANGRY]
    assert shown[8 * HOPS_A_SECOND] > 0.8
    assert shown[-1] < 0.05


def test_a_change_of_mood_goes_over_in_seconds() -> None:
    happy = EMOTIONS.index("happy")
    shown = course(joined(evidence_for(ANGRY, 6.0), evidence_for(happy, 8.0)))
    assert shown[-1, happy] > 0.9
    assert shown[-1, ANGRY] < 0.05


@settings(max_examples=30, deadline=None)
@given(
    odds=arrays(np.float32, (200, len(EMOTIONS)), elements=st.floats(-20, 20, width=32)),
    voicing=arrays(np.float32, 200, elements=st.floats(0, 1, width=32)),
)
def test_weights_stay_in_range_and_never_jump(odds: np.ndarray, voicing: np.ndarray) -> None:
    shown = course(Evidence(odds, voicing))
    assert shown.min() >= 0.0
    assert shown.max() <= 1.0
    assert shown.sum(1).max() <= 1.0 + 1e-6
    assert shown[:, SHOWN == 0.0].max() == 0.0
    assert np.abs(np.diff(shown, axis=0)).max() <= FASTEST


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_evidence_that_is_no_number_is_none(bad: float) -> None:
    odds = np.full((50, len(EMOTIONS)), bad, dtype=np.float32)
    weights = course(Evidence(odds, np.ones(50, dtype=np.float32)))
    assert np.isfinite(weights).all()
    assert weights.max() == 0.0


def test_evidence_that_is_no_number_leaves_the_rest_as_it_is() -> None:
    angry, lost = evidence_for(ANGRY, 6.0), evidence_for(ANGRY, 0.02)
    lost.odds[:] = np.nan
    silent = evidence_for(ANGRY, 0.02, voicing=0.0)
    np.testing.assert_array_equal(
        course(joined(angry, lost, angry)), course(joined(angry, silent, angry))
    )


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 199), max_size=5))
def test_hops_taken_one_by_one_or_together_show_the_same(cuts: list[int]) -> None:
    random = np.random.default_rng(4)
    odds = random.normal(0.0, 3.0, (200, len(EMOTIONS))).astype(np.float32)
    heard = Evidence(odds, random.random(200, dtype=np.float32))
    integrator = MoodIntegrator()
    bounds = [0, *sorted(cuts), 200]
    pieces = [
        integrator.take(Evidence(heard.odds[begin:end], heard.voicing[begin:end]))
        for begin, end in itertools.pairwise(bounds)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), course(heard))
