"""Envelopes and variants of an acted emotion."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from cstalk_bridge.face.procedural.acting import (
    HELD,
    RELEASE_S,
    VARIANT_COUNT,
    VARIANTS,
    Acting,
    PhraseEnvelope,
)
from cstalk_bridge.face.procedural.cues import Cues, CueTracker, Moment
from cstalk_bridge.face.procedural.muscles import BRIDGED_S, GROUP_COUNT, GROUP_NAMES
from cstalk_bridge.face.procedural.prosody import Prosody
from cstalk_bridge.models.emotions import EMOTIONS
from tests.face.procedural.conversation import TICK_S, silence, talk

CORNER = GROUP_NAMES.index("corner")


def weights(**mix: float) -> NDArray[np.float32]:
    return np.array([mix.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def phrase(seconds: float, pause_s: float, phrases: int = 0) -> list[Prosody]:
    """Speech without stresses, then a pause."""
    said = [Prosody(level=0.5, pause_s=0.0, phrases=phrases)] * round(seconds / TICK_S)
    left = [
        Prosody(pause_s=(tick + 1) * TICK_S, phrases=phrases + ((tick + 1) * TICK_S >= 0.28))
        for tick in range(round(pause_s / TICK_S))
    ]
    return [*said, *left]


def strengths(voice: Iterable[Prosody], seed: int = 1) -> NDArray[np.float64]:
    envelope, tracker = PhraseEnvelope(Random(seed)), CueTracker()
    values = []
    for prosody in voice:
        envelope.step(tracker.step(Cues(prosody), TICK_S))
        values.append(envelope.value)
    return np.array(values)


def gains(
    voice: Iterable[Prosody], emotion: NDArray[np.float32], seed: int = 1, level: float = 1.0
) -> NDArray[np.float64]:
    acting, tracker = Acting(Random(seed)), CueTracker()
    rows = []
    for prosody in voice:
        acting.step(tracker.step(Cues(prosody, emotion), TICK_S), level)
        rows.append(acting.gains)
    return np.array(rows)


def test_a_phrase_rises_to_an_apex_and_sinks() -> None:
    for seed in range(20):
        values = strengths(phrase(1.8, 0.0), seed)
        apex = int(values.argmax())
        assert 0.25 <= apex * TICK_S <= 1.2
        assert values[apex] > HELD + 0.2
        assert values[apex:].min() < values[apex] - 0.2
        assert np.abs(np.diff(values)).max() < 0.08


def test_a_held_emotion_changes_by_thirty_percent_in_talk() -> None:
    values = np.concatenate([strengths(talk(seed, 30.0), seed) for seed in range(4)])
    assert values.std() / values.mean() >= 0.3
    assert values.mean() == pytest.approx(0.9, abs=0.15)


def test_a_short_pause_releases_nothing_and_a_long_one_slowly() -> None:
    for seed in range(10):
        said = phrase(3.0, 1.0 + BRIDGED_S + RELEASE_S[1])
        values = strengths(said, seed)
        at = round((3.0 + BRIDGED_S) / TICK_S)
        early = values[at + round(0.3 / TICK_S)]
        assert values[-1] == pytest.approx(HELD, abs=0.02)
        assert abs(early - HELD) >= 0.3 * abs(values[at] - HELD) - 0.05


def test_a_smile_does_not_pump_in_short_pauses() -> None:
    voice = [
        prosody for number in range(8) for prosody in phrase(1.2, BRIDGED_S - 0.1, phrases=number)
    ]
    corner = 1.0 + gains(voice, weights(happy=1.0))[:, CORNER]
    speed = np.abs(np.diff(corner)) / TICK_S
    assert speed.max() < 6.0
    turns = np.count_nonzero(np.diff(np.sign(np.diff(corner))))
    assert turns / (len(corner) * TICK_S) < 2.0
    assert corner.min() > 0.15


def test_each_phrase_shows_another_variant_and_a_seed_repeats_them() -> None:
    def shown(seed: int) -> list[int]:
        acting, tracker, found = Acting(Random(seed)), CueTracker(), []
        for number in range(12):
            for prosody in phrase(1.0, 0.4, phrases=number):
                acting.step(tracker.step(Cues(prosody, weights(sad=1.0)), TICK_S), 1.0)
            found.append(acting.variant)
        return found

    one = shown(3)
    assert one == shown(3) != shown(4)
    assert all(a != b for a, b in pairwise(one))
    assert len(set(one)) >= 4


def test_every_emotion_has_variants_that_stay_near_it() -> None:
    assert set(VARIANTS) == set(EMOTIONS) - {"neutral"}
    for variants in VARIANTS.values():
        assert len(variants) == VARIANT_COUNT == len({variant.name for variant in variants})
        for variant in variants:
            assert {*variant.gains, *variant.shifts} <= set(GROUP_NAMES)
            assert all(0.5 <= gain <= 1.6 for gain in variant.gains.values())
            assert all(abs(shift) <= 0.15 for shift in variant.shifts.values())
            assert 0.0 <= variant.tilt <= 0.3


def test_accents_lift_brows_and_leave_lip_corners() -> None:
    flat = phrase(2.0, 0.0)
    stressed = [
        Prosody(level=0.5, pause_s=0.0, stress=0.9, stresses=1 + (tick > 40))
        for tick in range(len(flat))
    ]
    emotion = weights(angry=1.0)
    change = gains(stressed, emotion) - gains(flat, emotion)
    assert change[:, GROUP_NAMES.index("brow_down")].max() > 0.15
    np.testing.assert_allclose(change[:, CORNER], 0.0, atol=1e-12)


def test_an_excited_voice_acts_more() -> None:
    calm = [Prosody(level=0.3, melody=-3.0, pause_s=0.0)] * 300
    excited = [Prosody(level=0.95, melody=6.0, pause_s=0.0)] * 300
    emotion = weights(sad=1.0)
    assert gains(excited, emotion)[100:].mean() > gains(calm, emotion)[100:].mean() + 0.1


@pytest.mark.parametrize(("emotion", "level"), [(weights(neutral=1.0), 1.0), (weights(sad=1), 0.0)])
def test_without_an_emotion_or_a_level_nothing_is_acted(
    emotion: NDArray[np.float32], level: float
) -> None:
    assert not gains(talk(2, 10.0), emotion, level=level).any()


def test_a_nose_is_never_wrinkled_further_than_generated() -> None:
    nose = [GROUP_NAMES.index("nose"), GROUP_COUNT + GROUP_NAMES.index("nose")]
    for name in ("angry", "disgusted"):
        assert gains(talk(5, 30.0), weights(**{name: 1.0}))[:, nose].max() <= 0.0


def test_silence_holds_an_emotion_still() -> None:
    values = gains(silence(20.0), weights(happy=1.0))
    assert np.ptp(values[600:], axis=0).max() < 1e-3
    assert isinstance(Moment().emotion, np.ndarray)
