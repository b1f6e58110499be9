"""Lips with and without life."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bridge.evaluation.living import perform
from models.board import INDEX
from models.evaluation.recordings import Folders, MissingDataError
from models.evaluation.rule_faces import LoudnessFace
from models.evaluation.suites.alive import Alive, change
from tests.models.evaluation.recorded import write_kokoro

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from models.evaluation.joint.performance import Performance

    Floats = NDArray[np.float32]


def chewing(sound: Floats, emotions: Floats, face: Floats, seed: int) -> Performance:
    """A life that opens the jaw by half as much again."""
    alive = perform(sound, emotions, face, seed)
    alive.board[:, INDEX["CTRL_C_jaw.ty"]] *= 1.5
    return alive


def test_life_leaves_lips_alone(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo", "oo oo")
    suite = Alive(Folders(tmp_path, tmp_path), 10, perform)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found == {"alive.lips": 0.0, "alive.silence": 0.0}


def test_a_life_that_moves_lips_is_found_out(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo")
    suite = Alive(Folders(tmp_path, tmp_path), 10, chewing)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found["alive.lips"] > 3.0


def test_without_life_or_recordings_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        Alive(Folders(tmp_path, tmp_path), 10, None)
    with pytest.raises(MissingDataError, match="no recordings"):
        Alive(Folders(tmp_path, tmp_path), 10, perform)


def test_a_change_is_told_in_percent_of_what_was() -> None:
    assert change(2.0, 1.9) == pytest.approx(5.0)
    assert change(0.0, 0.0) == change(math.nan, math.nan) == 0.0
    assert change(0.0, 0.1) == math.inf
