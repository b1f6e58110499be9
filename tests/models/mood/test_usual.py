from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.mood.features import LEVEL, MOTIONS, PITCH, TRAITS, VoiceFeatures
from models.mood.sizes import INPUTS
from models.mood.usual import FIRST_HOPS, MEMORY_HOPS, PITCH_GAIN, Usual, inputs_of

RANDOM = np.random.default_rng(8)
AVERAGE = RANDOM.standard_normal(TRAITS).astype(np.float32)


def some(hops: int, voicing: float | np.ndarray) -> VoiceFeatures:
    """Features of a voice that stays as it is, but for some chance."""
    mean = np.linspace(-1.0, 1.0, TRAITS)
    traits = mean + 0.1 * RANDOM.standard_normal((hops, TRAITS))
    motions = RANDOM.standard_normal((hops, MOTIONS))
    voiced = np.broadcast_to(voicing, hops)
    return VoiceFeatures(*(part.astype(np.float32) for part in (traits, motions, voiced)))


def test_a_silent_voice_is_held_against_the_average_and_its_own_level() -> None:
    heard = some(30, 0.0)
    differences = Usual(AVERAGE).hear(heard)
    expected = heard.traits - AVERAGE
    expected[:, LEVEL] = 0.0
    np.testing.assert_allclose(differences, expected, atol=1e-6)


def test_a_voice_is_held_against_what_it_was_and_the_average_that_came_first() -> None:
    heard = some(60, RANDOM.random(60))
    differences = Usual(AVERAGE).hear(heard)
    sums, hops = np.zeros(TRAITS), 0.0
    for traits, voicing, difference in zip(heard.traits, heard.voicing, differences, strict=True):
        keep = 1.0 - voicing / MEMORY_HOPS
        sums, hops = keep * sums + voicing * traits, keep * hops + voicing
        usual = (sums + FIRST_HOPS * AVERAGE) / (hops + FIRST_HOPS)
        usual[LEVEL] = sums[LEVEL] / hops
        np.testing.assert_allclose(difference, traits - usual, atol=1e-5)


def test_a_long_known_voice_differs_from_nothing() -> None:
    usual = Usual(AVERAGE)
    for _ in range(10):
        usual.hear(some(3000, 1.0))
    assert np.abs(usual.hear(some(50, 1.0)).mean(axis=0)).max() < 0.06


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=5))
def test_hops_one_by_one_or_together_differ_the_same(cuts: list[int]) -> None:
    heard, one, two = some(60, RANDOM.random(60)), Usual(AVERAGE), Usual(AVERAGE)
    pieces = zip(*(np.split(part, sorted(cuts)) for part in heard), strict=True)
    together = np.concatenate([one.hear(VoiceFeatures(*piece)) for piece in pieces])
    np.testing.assert_array_equal(together, two.hear(heard))


def test_the_network_hears_pitch_of_a_voice_only_and_never_the_level_itself() -> None:
    heard, silent = some(20, 1.0), some(20, 0.0)
    differences = RANDOM.standard_normal((20, TRAITS)).astype(np.float32)
    place = LEVEL + PITCH
    inputs = inputs_of(heard, differences)
    assert inputs.shape == (20, INPUTS)
    np.testing.assert_array_equal(inputs[:, place], np.float32(PITCH_GAIN) * differences[:, PITCH])
    assert not inputs_of(silent, differences)[:, place].any()
    louder = heard._replace(traits=heard.traits.copy())
    louder.traits[:, LEVEL] += 1.0
    np.testing.assert_array_equal(inputs_of(louder, differences), inputs)
