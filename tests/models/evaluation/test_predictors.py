"""What makes faces: networks offline and hop by hop, a teacher, and rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.baselines.teacher import TeacherSizes, fingerprint
from cstalk_bridge.models.board import AUDIO_DRIVEN, jaw, together
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.candidates import LoudnessFace, PhoneRuleFace
from cstalk_bridge.models.evaluation.predictors import (
    NetworkPredictor,
    PhoneDecoder,
    StreamingPredictor,
    predict_face,
)
from cstalk_bridge.models.evaluation.recordings import Recording
from cstalk_bridge.models.loading import build_network, save_network
from cstalk_bridge.models.wav2vec import load_wav2vec
from tests.models import tiny_wav2vec
from tests.models.conftest import SMALL

if TYPE_CHECKING:
    from pathlib import Path


SOUND = (0.2 * np.random.default_rng(5).standard_normal(11_111)).astype(np.float32)


@pytest.mark.parametrize("lookahead_ms", [0, 20, 80])
def test_offline_and_hop_by_hop_give_the_same_face(small_weights: Path, lookahead_ms: int) -> None:
    offline = NetworkPredictor.open(small_weights)
    emotions = np.zeros((35, len(EMOTIONS)), dtype=np.float32)
    emotions[:, 1] = 0.8
    face = offline.faces(SOUND, emotions, lookahead_ms)
    assert face.shape == (35, len(AUDIO_DRIVEN))
    assert face.std(0).max() > 0.001
    streamed = offline.streamed().faces(SOUND, emotions, lookahead_ms)
    assert np.abs(streamed - face).max() < 1e-4


def test_phones_are_predicted_for_every_row(small_weights: Path) -> None:
    predictor = NetworkPredictor.open(small_weights)
    assert isinstance(predictor, PhoneDecoder)
    phones = predictor.phones(SOUND)
    assert phones is not None
    assert phones.shape == (35,)
    # What comes later than the encoder's delay of 3 hops changes nothing.
    later = predictor.phones(np.concatenate((SOUND[: 30 * 320], np.zeros(3200, dtype=np.float32))))
    assert later is not None
    assert np.array_equal(phones[:28], later[:28])


@pytest.mark.parametrize("columns", [len(EMOTIONS), len(CONDITIONS)])
def test_weights_with_and_without_a_mouth_guard_are_measured(tmp_path: Path, columns: int) -> None:
    sizes = replace(SMALL, emotions=columns)
    described = Description(sizes, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {})
    path = tmp_path / "small.safetensors"
    save_network(path, build_network(described), described)
    predictor = NetworkPredictor.open(path)
    clip = Recording("x", SOUND)
    offline = predict_face(predictor, clip, 60, {"happy": 1.0})
    hop_by_hop = predict_face(predictor.streamed(), clip, 60, {"happy": 1.0})
    assert offline is not None
    assert hop_by_hop is not None
    assert np.abs(offline - hop_by_hop).max() < 1e-4
    assert predictor.phones(SOUND) is not None
    assert len(predictor.hop_durations_s(SOUND, 60, lambda: 0.0)) == 34 - 25


def test_a_teacher_runs_on_the_checkpoint_it_was_trained_with(tmp_path: Path) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path)
    front_end_network = load_wav2vec(tmp_path)
    sizes = TeacherSizes(
        hidden=tiny_wav2vec.HIDDEN,
        front_end=fingerprint(front_end_network),
        width=16,
        window_hops=8,
    )
    described = Description(sizes, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, "teacher")
    path = tmp_path / "teacher.safetensors"
    save_network(path, build_network(described), described)
    predictor = NetworkPredictor.open(path, front_end=front_end_network)
    face = predict_face(predictor, Recording("x", SOUND), 60, {"happy": 1.0})
    assert face is not None
    assert face.shape == (35, len(AUDIO_DRIVEN))
    assert predictor.phones(SOUND) is None
    own = sum(p.numel() for p in build_network(described).parameters())
    assert predictor.parameters == own + sum(p.numel() for p in front_end_network.parameters())
    assert not predictor.can_stream
    with pytest.raises(WeightsError, match="cannot stream"):
        predictor.streamed()
    with pytest.raises(WeightsError, match=r"teacher\.safetensors: .*--wav2vec"):
        NetworkPredictor.open(path)


def test_each_measured_hop_has_a_duration(small_weights: Path) -> None:
    predictor = NetworkPredictor.open(small_weights)
    assert isinstance(predictor, StreamingPredictor)
    ticks = iter(range(1000))
    durations = predictor.hop_durations_s(SOUND, 80, lambda: next(ticks))
    assert durations == [1] * (34 - 25)


def test_the_loud_open_the_jaw_and_silence_does_not() -> None:
    sound = np.concatenate((np.zeros(16_000, dtype=np.float32), SOUND))
    face = predict_face(LoudnessFace(), Recording("x", sound), 80)
    assert face is not None
    assert jaw(face)[:45].max() == 0.0
    assert jaw(face)[60:80].min() > 0.3
    nothing = predict_face(LoudnessFace(), Recording("x", np.zeros(3200, dtype=np.float32)), 80)
    assert nothing is not None
    assert not nothing.any()


def test_the_rules_close_the_lips_on_a_bilabial_and_want_phones() -> None:
    phones = ((0.1, 0.3, "AA"), (0.3, 0.4, "B"), (0.4, 0.6, "AA"))
    face = predict_face(PhoneRuleFace(), Recording("x", SOUND, phones=phones), 80)
    assert face is not None
    assert together(face)[17] > 0.8
    assert together(face)[25] < 0.2
    assert jaw(face)[25] > 0.2
    assert predict_face(PhoneRuleFace(), Recording("x", SOUND), 80) is None


def test_an_emotion_shows_in_the_rules_as_strong_as_it_is() -> None:
    clip = Recording("x", SOUND, phones=())
    corner = AUDIO_DRIVEN.index("CTRL_L_mouth_cornerPull.ty")
    pulls = []
    for emotion in (None, {"happy": 0.5}, {"happy": 1.0}):
        face = predict_face(PhoneRuleFace(), clip, 80, emotion)
        assert face is not None
        pulls.append(face[:, corner].min())
    assert pulls[0] == 0.0
    assert pulls[2] == pytest.approx(2 * pulls[1])
    assert pulls[1] > 0.1
