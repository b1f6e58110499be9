"""However a voice is cut up, the evidence is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.emotions import EMOTIONS
from models.mood.stream import PIECE_HOPS, MoodStream, hear
from models.timing import HOP_SAMPLES
from tests.models.mood.conftest import SIZES, voice

if TYPE_CHECKING:
    from models.mood.network import MoodNetwork

TOLERANCE = 1e-4


@pytest.mark.parametrize("hops", [1, 2, 5, 7, 40])
def test_hops_one_by_one_or_together_tell_the_same(network: MoodNetwork, hops: int) -> None:
    sound = voice(5.6)
    whole, stream = hear(network, sound), MoodStream(network)
    size = hops * HOP_SAMPLES
    pieces = [stream.step(sound[i : i + size]) for i in range(0, len(sound), size)]
    odds = np.concatenate([piece.odds for piece in pieces])
    voicing = np.concatenate([piece.voicing for piece in pieces])
    np.testing.assert_allclose(odds, whole.odds, atol=TOLERANCE)
    np.testing.assert_allclose(voicing, whole.voicing, atol=TOLERANCE)
    assert whole.voicing.mean() > 0.4
    assert np.ptp(whole.odds, axis=0).min() > 10 * TOLERANCE


def test_recordings_longer_than_a_piece_are_heard_as_one(network: MoodNetwork) -> None:
    sound = voice((PIECE_HOPS + 30) * 0.02)
    stream = MoodStream(network)
    np.testing.assert_allclose(stream.step(sound).odds, hear(network, sound).odds, atol=TOLERANCE)


def test_what_is_reset_is_forgotten(network: MoodNetwork) -> None:
    stream = MoodStream(network)
    first = stream.step(voice(1.0)).odds
    assert not np.allclose(stream.step(voice(1.0)).odds, first, atol=TOLERANCE)
    stream.reset()
    np.testing.assert_array_equal(stream.step(voice(1.0)).odds, first)


def test_nothing_after_a_hop_changes_it(network: MoodNetwork) -> None:
    sound = voice(2.0)
    early = hear(network, sound[: 50 * HOP_SAMPLES])
    np.testing.assert_allclose(hear(network, sound).odds[:50], early.odds, atol=TOLERANCE)
    assert SIZES.past_hops < 50


@pytest.mark.parametrize(("samples", "hops"), [(0, 0), (1, 1), (320, 1), (321, 2)])
def test_a_begun_hop_is_a_row(network: MoodNetwork, samples: int, hops: int) -> None:
    heard = hear(network, np.zeros(samples, dtype=np.float32))
    assert heard.odds.shape == (hops, len(EMOTIONS))
    assert heard.voicing.shape == (hops,)
