from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.timing import rows_of

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator


ROWS = 120
SOUND = np.random.default_rng(3).normal(0.0, 0.1, (1, ROWS * 320)).astype(np.float32)


def weights(generator: Generator, rows: int = ROWS) -> np.ndarray:
    return np.zeros((1, rows, len(generator.emotions)), dtype=np.float32)


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, SOUND.size), max_size=6), delay=st.sampled_from([0, 20, 240]))
def test_pieces_of_any_length_give_the_face_of_the_whole(
    generator: Generator, cuts: list[int], delay: int
) -> None:
    whole = generator.generate(SOUND[0], 16_000, lookahead_ms=delay)
    passes = generator.passes(weights(generator), delay)
    pieces = np.split(SOUND, sorted(cuts), axis=1)
    rows = [row for piece in pieces for row in passes.process(piece)]
    rows += passes.finish()
    assert np.abs(np.concatenate(rows, axis=1)[0] - whole).max() < 1e-4


def test_sound_that_is_missing_or_too_much_changes_no_count(generator: Generator) -> None:
    passes = generator.passes(weights(generator, 40), 80)
    rows = [*passes.process(SOUND[:, :5000]), *passes.finish()]
    assert sum(piece.shape[1] for piece in rows) == 40
    passes = generator.passes(weights(generator, 40), 80)
    rows = [*passes.process(SOUND), *passes.finish()]
    assert sum(piece.shape[1] for piece in rows) == 40


def test_an_emotion_that_changes_shows_in_the_rows_it_changes_at(generator: Generator) -> None:
    emotions = weights(generator)
    emotions[0, 60:] = generator.emotion_vector({"happy": 1.0})
    passes = generator.passes(emotions, 80)
    face = np.concatenate([*passes.process(SOUND), *passes.finish()], axis=1)[0]
    neutral = generator.generate(SOUND[0], 16_000)
    happy = generator.generate(SOUND[0], 16_000, {"happy": 1.0})
    assert np.abs(face[:60] - neutral[:60]).max() < 1e-4
    window = 2 * (1 + 3 + 5)
    assert np.abs(face[60 + window :] - happy[60 + window :]).max() < 1e-4
    assert np.abs(face[60] - neutral[60]).max() > 1e-3


@pytest.mark.parametrize(("samples", "rows"), [(0, 0), (1, 1), (320, 1), (321, 2)])
def test_a_row_for_every_begun_hop(samples: int, rows: int) -> None:
    assert rows_of(samples) == rows
