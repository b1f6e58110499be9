from __future__ import annotations

import numpy as np
import pytest

from models.board import AUDIO_DRIVEN
from models.evaluation.groups import JAW, MOUTH, UPPER, columns_of, mouth_close, opening, pucker


def test_lips_that_meet_shut_an_open_jaw() -> None:
    face = np.zeros((1, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[:, JAW] = 0.4
    assert opening(face)[0] == pytest.approx(0.4)
    face[:, columns_of("mouth_lipsTogether")] = 0.75
    assert opening(face)[0] == pytest.approx(0.1)
    assert mouth_close(face)[0] == pytest.approx(0.3)
    assert pucker(face)[0] == 0.0


def test_groups_hold_no_tongue_and_nothing_twice() -> None:
    names = [AUDIO_DRIVEN[i] for i in (*MOUTH, *UPPER)]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "tongue" in name]


def test_a_slider_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="mouth_whistle"):
        columns_of("mouth_whistle")
