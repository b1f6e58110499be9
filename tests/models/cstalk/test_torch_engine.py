"""Whole recordings through networks without caches: the rows the generator's own way gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk import torch_engine as module
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.cstalk.torch_engine import MAX_WHOLE_S, recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD, conditions
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.predictors import NetworkPredictor
from cstalk_bridge.models.loading import build_network, create_generator, save_network
from cstalk_bridge.models.timing import HOP_SAMPLES, ROW_RATE_HZ
from tests.models.baselines.test_transformers import described, made

if TYPE_CHECKING:
    from pathlib import Path


def sounds(batch: int, rows: int) -> np.ndarray:
    random = np.random.default_rng(2)
    return random.normal(0, 0.1, (batch, rows * HOP_SAMPLES)).astype(np.float32)


def emotion_rows(batch: int, rows: int) -> np.ndarray:
    return np.random.default_rng(3).random((batch, rows, len(EMOTIONS)), dtype=np.float32)


def guarded(emotions: np.ndarray) -> np.ndarray:
    return conditions(emotions, MOUTH_GUARD, len(CONDITIONS))


@pytest.mark.parametrize("delay_hops", [0, 1, 5])
def test_windows_give_what_caches_give(delay_hops: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_ROWS", 14)
    generator = create_generator(made("cstalk"), described("cstalk"))
    sound, emotions = sounds(1, 40), emotion_rows(1, 1).repeat(40, 1)
    by_caches = generator.generate_batch([sound[0]], [emotions[0]], delay_hops * 20)[0]
    by_windows = recording_faces(made("cstalk"), sound, guarded(emotions), delay_hops)[0]
    # Before the recording windows hold silence for a while, caches for ever: the same.
    assert np.allclose(by_caches, by_windows, atol=1e-4)


@pytest.mark.parametrize("name", ["faceformer-like", "emotalk-like"])
def test_recordings_of_a_batch_are_as_alone(name: str) -> None:
    generator = create_generator(made(name), described(name))
    sound, emotions = sounds(2, 30), emotion_rows(2, 30)
    short = sound[1, : 12 * HOP_SAMPLES - 100]
    both = generator.generate_batch([sound[0], short], [emotions[0], emotions[1, :12]])
    assert [face.shape for face in both] == [(30, len(AUDIO_DRIVEN)), (12, len(AUDIO_DRIVEN))]
    alone = generator.generate_batch([short], [emotions[1, :12]])[0]
    assert np.allclose(alone, both[1], atol=1e-5)
    assert np.isfinite(both[0]).all()


def test_faces_stay_within_the_board() -> None:
    network = made("faceformer-like")
    network.get_parameter("head.bias").data += 50.0
    face = recording_faces(network, sounds(1, 20), guarded(emotion_rows(1, 20)), 4)
    assert (face <= network.maximum.numpy().T).all()


def test_pieces_of_a_windowed_network_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    network = made("emotalk-like")
    sound, condition_rows = sounds(1, 50), guarded(emotion_rows(1, 50))
    once = recording_faces(network, sound, condition_rows, 4)
    monkeypatch.setattr(module, "PIECE_ROWS", 9)
    assert np.allclose(recording_faces(network, sound, condition_rows, 4), once, atol=1e-5)


def test_a_recording_too_long_for_one_pass_is_refused() -> None:
    rows = MAX_WHOLE_S * ROW_RATE_HZ + 1
    sound, conditions = np.zeros((1, 0), np.float32), np.zeros((1, rows, 7), np.float32)
    with pytest.raises(ValueError, match="at most 600 s"):
        recording_faces(made("faceformer-like"), sound, conditions, 4)


def test_a_default_network_of_each_kind_makes_a_face_of_an_instant() -> None:
    for name in ("faceformer-like", "emotalk-like"):
        sizes = NETWORKS[name].sizes()
        description = Description(sizes, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, name)
        generator = create_generator(build_network(description), description)
        face = generator.generate(np.zeros(80, dtype=np.float32), 16_000, {"happy": 1.0})
        assert face.shape == (1, len(AUDIO_DRIVEN))
        assert np.isfinite(face).all()


@pytest.mark.parametrize("name", ["faceformer-like", "emotalk-like"])
def test_evaluation_measures_its_file_offline_and_refuses_to_stream_it(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.safetensors"
    save_network(path, made(name), described(name))
    predictor = NetworkPredictor.open(path)
    sound, emotions = sounds(1, 20)[0], emotion_rows(1, 20)[0]
    assert predictor.faces(sound, emotions, 60).shape == (20, len(AUDIO_DRIVEN))
    predicted_phones = predictor.phones(sound)
    assert predicted_phones is not None
    assert predicted_phones.shape == (20,)
    with pytest.raises(WeightsError, match="cannot stream"):
        NetworkPredictor.open(path, streaming=True)
