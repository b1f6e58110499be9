"""Suites of recordings that hold little, or nothing, of what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.board import AUDIO_DRIVEN, JAW, columns_of
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.candidates import PhoneRuleFace
from cstalk_bridge.models.evaluation.measures import mean, median, percentile
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.lips import Lips, Silence
from cstalk_bridge.models.timing import rows_of
from tests.models.evaluation.recorded import write_kokoro

if TYPE_CHECKING:
    from pathlib import Path


class SmilingShut:
    """Lips that meet without an emotion, and part under any but the neutral."""

    name = "smiling shut"

    def faces(self, sound: np.ndarray, emotions: np.ndarray, lookahead_ms: int) -> np.ndarray:
        del lookahead_ms
        face = np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), dtype=np.float32)
        face[:, JAW] = 0.5
        calm = emotions[:, 1:].max(1) == 0
        face[np.ix_(calm, columns_of("mouth_lipsTogether"))] = 1.0
        return face


def test_no_values_are_no_finding() -> None:
    for found in (mean("x", []), median("x", []), percentile("x", [], 90)):
        assert found.count == 0
        assert np.isnan(found.value)


def test_speech_without_bilabials_has_no_closures(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "oo oo")
    suite = Lips(Folders(tmp_path, tmp_path), 10)
    found = {one.key: one for one in suite.measure(PhoneRuleFace(), 60)}
    assert found["lips.closures"].count == found["lips.gap"].count == 0
    assert found["lips.closing_ms"].count == 1


def test_closures_are_counted_under_emotions_in_turn(tmp_path: Path) -> None:
    write_kokoro(tmp_path, *["bo bo"] * len(EMOTIONS))
    suite = Lips(Folders(tmp_path, tmp_path), 10)
    found = {one.key: one for one in suite.measure(SmilingShut(), 60)}
    assert found["lips.closures"].value == 100.0
    assert found["lips.felt_closures"].value == pytest.approx(100 / len(EMOTIONS))
    assert found["lips.felt_closures"].count == 2 * len(EMOTIONS)


def test_a_source_without_held_out_clips_is_missing(tmp_path: Path) -> None:
    write_kokoro(tmp_path)
    for suite in (Lips, Silence):
        with pytest.raises(MissingDataError, match="no clips for this suite"):
            suite(Folders(tmp_path, tmp_path), 1)
