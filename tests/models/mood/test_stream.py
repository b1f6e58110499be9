"""However a voice is cut up, the evidence is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.emotions import EMOTIONS
from models.mood.features import PIECE_HOPS, VoiceEar
from models.mood.stream import Evidence, MoodStream, hear
from models.timing import HOP_SAMPLES
from tests.models.mood.conftest import SIZES, speech, voice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.mood.onnx_network import OnnxMoodNetwork

TOLERANCE = 1e-4


def heard_live(network: OnnxMoodNetwork, sound: np.ndarray, hops: int) -> Iterator[Evidence]:
    """Hear so many hops at once, as they come."""
    ear, stream, size = VoiceEar(), MoodStream(network), hops * HOP_SAMPLES
    for start in range(0, len(sound), size):
        yield stream.step(ear.hear(sound[start : start + size]))


@pytest.mark.parametrize("hops", [1, 2, 5, 7, 40])
def test_hops_one_by_one_or_together_tell_the_same(network: OnnxMoodNetwork, hops: int) -> None:
    sound = voice(5.6)
    whole, pieces = hear(network, sound), list(heard_live(network, sound, hops))
    odds = np.concatenate([piece.odds for piece in pieces])
    voicing = np.concatenate([piece.voicing for piece in pieces])
    np.testing.assert_allclose(odds, whole.odds, atol=TOLERANCE)
    np.testing.assert_allclose(voicing, whole.voicing, atol=TOLERANCE)
    assert whole.voicing.mean() > 0.4
    assert np.ptp(whole.odds, axis=0).min() > 10 * TOLERANCE


def test_recordings_longer_than_a_piece_are_heard_as_one(network: OnnxMoodNetwork) -> None:
    sound = voice((PIECE_HOPS + 30) * 0.02)
    (whole,) = heard_live(network, sound, PIECE_HOPS + 30)
    np.testing.assert_allclose(whole.odds, hear(network, sound).odds, atol=TOLERANCE)


def test_a_new_voice_is_held_against_none_before_it(network: OnnxMoodNetwork) -> None:
    first, again = heard_live(network, np.tile(voice(1.0), 2), 50)
    assert not np.allclose(again.odds, first.odds, atol=TOLERANCE)
    (another,) = heard_live(network, voice(1.0), 50)
    np.testing.assert_array_equal(another.odds, first.odds)


def test_two_voices_that_share_a_network_do_not_hear_each_other(network: OnnxMoodNetwork) -> None:
    sounds = (speech()[: 150 * HOP_SAMPLES], voice(3.0))
    together = [*zip(*(heard_live(network, sound, 5) for sound in sounds), strict=True)]
    for sound, pieces in zip(sounds, zip(*together, strict=True), strict=True):
        alone = np.concatenate([piece.odds for piece in heard_live(network, sound, 5)])
        np.testing.assert_array_equal(np.concatenate([piece.odds for piece in pieces]), alone)


def test_nothing_after_a_hop_changes_it(network: OnnxMoodNetwork) -> None:
    sound = voice(2.0)
    early = hear(network, sound[: 50 * HOP_SAMPLES])
    np.testing.assert_allclose(hear(network, sound).odds[:50], early.odds, atol=TOLERANCE)
    assert SIZES.past_hops < 50


@pytest.mark.parametrize(("samples", "hops"), [(0, 0), (1, 1), (320, 1), (321, 2)])
def test_a_begun_hop_is_a_row(network: OnnxMoodNetwork, samples: int, hops: int) -> None:
    heard = hear(network, np.zeros(samples, dtype=np.float32))
    assert heard.odds.shape == (hops, len(EMOTIONS))
    assert heard.voicing.shape == (hops,)
