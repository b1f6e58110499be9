from __future__ import annotations

import numpy as np

from bridge.evaluation.living import perform
from models.board import AUDIO_DRIVEN, CHANNELS
from models.emotions import EMOTIONS
from models.timing import rows_of
from tests.models.mood.conftest import voice


def test_a_living_face_is_the_same_for_the_same_seed() -> None:
    sound = voice(4.0)
    rows = rows_of(len(sound))
    face = np.zeros((rows, len(AUDIO_DRIVEN)), np.float32)
    emotions = np.zeros((rows, len(EMOTIONS)), np.float32)
    one, again, other = (perform(sound, emotions, face, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.head, again.head)
    np.testing.assert_array_equal(one.board, again.board)
    assert not np.array_equal(one.head, other.head)
    assert one.board.shape == (rows, len(CHANNELS))
    assert one.gaze_deg.shape == (rows, 2)


def test_the_face_it_was_given_is_in_it() -> None:
    sound = voice(2.0)
    rows = rows_of(len(sound))
    face = np.zeros((rows, len(AUDIO_DRIVEN)), np.float32)
    jaw = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")
    face[:, jaw] = 0.4
    board = perform(sound, np.zeros((rows, len(EMOTIONS)), np.float32), face, 1).board
    names = [channel.name for channel in CHANNELS]
    np.testing.assert_allclose(board[:, names.index("CTRL_C_jaw.ty")], 0.4, atol=1e-6)
