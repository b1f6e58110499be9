"""A voice that has a say in the emotion of its face, in the running daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from bridge.config.schema import SubjectConfig
from tests.links.receiving import receiver
from tests.models.mood.conftest import voice
from tests.test_daemon import config, run, weights

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.schema import Config

__all__ = ["weights"]


def feeling(given: Config, emotion: str) -> Config:
    """Return a config whose subject has another emotion."""
    (subject,) = given.subjects
    felt = SubjectConfig.model_validate({"emotion": emotion}).emotion
    return given.model_copy(update={"subjects": (subject.model_copy(update={"emotion": felt}),)})


@pytest.fixture(scope="module")
def excited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice that gets louder and higher."""
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    sound = np.concatenate((0.05 * voice(5.0, hz=120.0), 0.4 * voice(4.0, hz=190.0)))
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    return path


def test_who_uses_auto_is_told_its_terms_once(weights: Path, excited: Path) -> None:
    with receiver() as source:
        metrics = run(feeling(config(weights, str(excited), source.target), "auto"))
    told = [notice.text for notice in metrics.notices() if "CC BY-NC-SA" in notice.text]
    assert len(told) == 1
    assert "mood_research.md" in told[0]


def test_a_chosen_emotion_swells_with_the_voice(weights: Path, excited: Path) -> None:
    with receiver() as source:
        metrics = run(feeling(config(weights, str(excited), source.target), "happy:0.5,arousal:1"))
    (subject,) = metrics.subjects
    assert subject.emotion_at(1e9)["happy"] > 0.55
    assert not any("research" in notice.text for notice in metrics.notices())
