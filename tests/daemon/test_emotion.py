"""A voice that has a say in the emotion of its face, in the running daemon."""

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
    notices = [notice.text for notice in metrics.notices() if "CC BY-NC-SA" in notice.text]
    assert len(notices) == 1
    assert "mood_research.md" in notices[0]


def test_a_chosen_emotion_swells_with_the_voice(weights: Path, excited: Path) -> None:
    with receiver() as source:
        metrics = run(feeling(config(weights, str(excited), source.target), "happy:0.5,arousal:1"))
    (subject,) = metrics.subjects
    assert subject.emotion_at(1e9)["happy"] > 0.55
    assert not any("research" in notice.text for notice in metrics.notices())


@pytest.mark.parametrize(
    ("emotion", "hears"),
    [
        ("auto:1", "cstalk_bridge.models.speech_emotion.weights"),
        ("happy:0.5,arousal:1", "cstalk_bridge.models.speech_emotion.estimator"),
    ],
)
def test_a_run_that_heeds_the_voice_does_without_torch(
    tmp_path: Path, emotion: str, hears: str
) -> None:
    """From the command line to the last packet, with the shipped weights."""
    code = (
        "import sys; from cstalk_bridge.cli import main; status = main(sys.argv[1:])\n"
        "print(status, *sorted(m for m in sys.modules if m.startswith(('torch', "
        "'cstalk_bridge.models.speech_emotion'))))"
    )
    with receiver() as source:
        where = f"livelink-face://{source.target.host}:{source.target.port}"
        words = ["run", "--no-ui", "--audio", str(speech(tmp_path / "a.wav")), "--link", where]
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--device", "cpu", "--emotion", emotion],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert len(source.all_waiting()) > 60
    status, *modules = done.stdout.split("\n")[-2].split()
    assert status == "0", done.stderr
    assert hears in modules
    assert not any(module.startswith("torch") for module in modules)
