"""Recognition of emotions in animated faces, on small recordings laid out like the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNELS
from cstalk_bridge.models.evaluation.multimodal import UNITS, MultimodalClip
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.emotion import (
    UPPER_SHAPES,
    MultimodalEmotion,
    fit_classifier,
    recognised_takes,
)
from cstalk_bridge.models.evaluation.voices import emotional_speech
from cstalk_bridge.models.timing import rows_of
from cstalk_bridge.models.training.sources import GRID_CURVES
from tests.models.evaluation.recorded import noise

if TYPE_CHECKING:
    from pathlib import Path


CODES = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "08": "surprised"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training actors and a test actor, 11 s in each emotion, and faces that show it."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("ravdess/audio", "grid_s1", "iphone"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(1)
    clips, means = [], []
    for place, code in enumerate(CODES):
        for actor in ("01", "02", "17"):
            stem = f"{code}-01-01-01-{actor}"
            path = folder / f"ravdess/audio/03-01-{stem}.opus"
            soundfile.write(path, noise(11.0, place), 16_000, format="OGG", subtype="OPUS")
            clips.append(f"01-01-{stem}")
            means.append(np.eye(len(UNITS))[place] * 3 + 0.1 * random.random(len(UNITS)))
    names = np.array([f"{unit}_r" for unit in UNITS])
    path = folder / "ravdess/action_units_means.npz"
    np.savez(path, names=names, clips=np.array(clips), means=np.array(means))
    heads: dict[str, Any] = {f"clip{i}__head": np.zeros((10, 6), np.float32) for i in range(3)}
    np.savez(folder / "grid_s1" / GRID_CURVES, names=np.array(["jawOpen"]), **heads)
    write_phone_takes(folder / "iphone/idle_emotion_60fps.npz")
    return folder


def write_phone_takes(path: Path) -> None:
    sides = [
        f"{shape}{side}" for shape in (*UPPER_SHAPES, "EyeBlink") for side in ("Left", "Right")
    ]
    turns = [f"{side}Eye{axis}" for side in ("Left", "Right") for axis in ("Yaw", "Pitch")]
    names = [*sides, *turns]
    random = np.random.default_rng(2)
    takes: dict[str, Any] = {}
    for place, label in enumerate(("Angry", "Sad", "default")):
        for take in range(1 if label == "default" else 3):
            curves = 0.05 * random.random((1800, len(names)))
            curves[:, 2 * place : 2 * place + 2] += 0.5
            takes[f"{label}_{take}"] = curves.astype(np.float16)
    np.savez(path, names=np.array(names), **takes)


def test_phone_takes_that_differ_are_classified_apart(data: Path) -> None:
    measured, windows = recognised_takes(data / "iphone/idle_emotion_60fps.npz")
    assert measured == 100.0
    assert windows == 3 * 3 + 3 * 3 + 3


def test_an_actor_speaks_each_emotion_in_one_go(data: Path) -> None:
    voices = emotional_speech(Folders(data, data), "test", 100)
    assert sorted(voice.emotion for voice in voices) == sorted(CODES.values())
    assert {voice.name for voice in voices} == {"ravdess/17"}
    assert len(emotional_speech(Folders(data, data), "train", 100)) == 10


class Silent:
    """A predictor of still faces."""

    name = "still"

    def faces(self, sound: np.ndarray, emotions: np.ndarray, lookahead_ms: int) -> np.ndarray:
        del emotions, lookahead_ms
        return np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), np.float32)


def nodding(sound: np.ndarray, emotions: np.ndarray, face: np.ndarray, seed: int) -> MultimodalClip:
    """An animation whose head alone shows the emotion."""
    del sound
    random = np.random.default_rng(seed)
    head = 0.001 * random.standard_normal((len(face), 6)).astype(np.float32)
    _, happy, sad, angry, surprised = emotions.T[:5]
    head[:, 1] += 0.2 * (happy - sad)
    head[:, 2] += 0.2 * angry
    head[:, 5] += 2.0 * surprised
    board = np.zeros((len(face), len(CHANNELS)), np.float32)
    return MultimodalClip(board, head, np.zeros((len(face), 2), np.float32))


def test_an_expressive_head_is_recognised_and_a_still_face_is_not(data: Path) -> None:
    suite = MultimodalEmotion(Folders(data, data), 100, nodding)
    found = {one.key: one for one in suite.measure(Silent(), 80)}
    assert found["joint.manner"].value == 100.0
    assert found["joint.whole"].value == pytest.approx(20.0)
    assert found["joint.real_all"].value == 100.0
    assert found["joint.manner"].count == 5


def test_without_animation_there_is_nothing_to_classify(data: Path) -> None:
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        MultimodalEmotion(Folders(data, data), 100, None)


def clouds(seed: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5]], dtype=np.float32)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    return centres[classes] + 0.6 * random.standard_normal((len(classes), 3)), classes


def test_separate_clouds_are_classified_also_where_one_is_rare() -> None:
    classifier = fit_classifier(*clouds(0, (200, 200, 8)))
    features, classes = clouds(1, (50, 50, 50))
    assert (classifier.classes(features) == classes).mean() > 0.97


def test_a_feature_that_never_moves_does_no_harm() -> None:
    features, classes = clouds(0, (30, 30, 30))
    features[:, 2] = 5.0
    assert (fit_classifier(features, classes).classes(features) == classes).mean() > 0.97
