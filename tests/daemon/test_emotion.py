"""Emotion estimated from the voice, in the running daemon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.config.schema import SubjectConfig
from tests.daemon.running import config, run, speech
from tests.models.speech_emotion.conftest import voice
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from cstalk_bridge.config.schema import Config

ROOT = Path(__file__).parents[2]


def with_emotion(given: Config, emotion: str) -> Config:
    """Return a config whose subject has another emotion."""
    (subject,) = given.subjects
    choice = SubjectConfig.model_validate({"emotion": emotion}).emotion
    return given.model_copy(update={"subjects": (subject.model_copy(update={"emotion": choice}),)})


@pytest.fixture(scope="module")
def excited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice that gets louder and higher."""
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    sound = np.concatenate((0.05 * voice(5.0, hz=120.0), 0.4 * voice(4.0, hz=190.0)))
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    return path


def test_emotion_from_the_voice_reports_its_terms_once(weights: Path, excited: Path) -> None:
    with receiver() as source:
        metrics = run(with_emotion(config(weights, str(excited), source.target), "auto"))
    notices = [notice.text for notice in metrics.notices() if "CC BY-NC-SA" in notice.text]
    assert len(notices) == 1
    assert "mood_research.md" in notices[0]


def test_arousal_raises_a_chosen_emotion(weights: Path, excited: Path) -> None:
    with receiver() as source:
        metrics = run(
            with_emotion(config(weights, str(excited), source.target), "happy:0.5,arousal:1")
        )
    (subject,) = metrics.subjects
    assert subject.emotion_at(1e9)["happy"] > 0.55
    assert not any("research" in notice.text for notice in metrics.notices())


@pytest.mark.parametrize(
    ("emotion", "needed_module"),
    [
        ("auto:1", "cstalk_bridge.models.speech_emotion.weights"),
        ("happy:0.5,arousal:1", "cstalk_bridge.models.speech_emotion.estimator"),
    ],
)
def test_emotion_from_the_voice_needs_no_torch(
    tmp_path: Path, emotion: str, needed_module: str
) -> None:
    """From the command line to the last packet, with the shipped weights."""
    code = (
        "import sys; from cstalk_bridge.cli import main; status = main(sys.argv[1:])\n"
        "print(status, *sorted(m for m in sys.modules if m.startswith(('torch', "
        "'cstalk_bridge.models.speech_emotion'))))"
    )
    with receiver() as source:
        where = f"livelink-face://{source.target.host}:{source.target.port}"
        arguments = ["run", "--no-ui", "--audio", str(speech(tmp_path / "a.wav")), "--link", where]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--device", "cpu", "--emotion", emotion],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert len(source.all_waiting()) > 60
    status, *modules = done.stdout.split("\n")[-2].split()
    assert status == "0", done.stderr
    assert needed_module in modules
    assert not any(module.startswith("torch") for module in modules)
