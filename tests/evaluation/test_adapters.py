"""Lips with and without life."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.evaluation.adapters import animate
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.candidates import LoudnessFace
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.lips import AnimatedLips, change_percent
from cstalk_bridge.models.timing import rows_of
from tests.models.evaluation.recorded import write_kokoro
from tests.models.speech_emotion.conftest import voice

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MultimodalClip

    Floats = NDArray[np.float32]


def test_a_living_face_is_the_same_for_the_same_seed() -> None:
    sound = voice(4.0)
    rows = rows_of(len(sound))
    face = np.zeros((rows, len(AUDIO_DRIVEN)), np.float32)
    emotions = np.zeros((rows, len(EMOTIONS)), np.float32)
    one, again, other = (animate(sound, emotions, face, seed) for seed in (1, 1, 2))
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
    board = animate(sound, np.zeros((rows, len(EMOTIONS)), np.float32), face, 1).board
    names = [channel.name for channel in CHANNELS]
    np.testing.assert_allclose(board[:, names.index("CTRL_C_jaw.ty")], 0.4, atol=1e-6)


def chewing(sound: Floats, emotions: Floats, face: Floats, seed: int) -> MultimodalClip:
    """A life that opens the jaw by half as much again."""
    alive = animate(sound, emotions, face, seed)
    alive.board[:, CHANNEL_INDEX["CTRL_C_jaw.ty"]] *= 1.5
    return alive


def test_life_leaves_lips_alone(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo", "oo oo")
    suite = AnimatedLips(Folders(tmp_path, tmp_path), 10, animate)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found == {"alive.lips": 0.0, "alive.silence": 0.0}


def test_a_life_that_moves_lips_is_found_out(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo")
    suite = AnimatedLips(Folders(tmp_path, tmp_path), 10, chewing)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found["alive.lips"] > 3.0


def test_without_life_or_recordings_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        AnimatedLips(Folders(tmp_path, tmp_path), 10, None)
    with pytest.raises(MissingDataError, match="no recordings"):
        AnimatedLips(Folders(tmp_path, tmp_path), 10, animate)


def test_a_change_is_told_in_percent_of_what_was() -> None:
    assert change_percent(2.0, 1.9) == pytest.approx(5.0)
    assert change_percent(0.0, 0.0) == change_percent(math.nan, math.nan) == 0.0
    assert change_percent(0.0, 0.1) == math.inf
