from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.face.emotion import EmotionEstimator, VoiceWeights
from cstalk_bridge.face.emotion_trajectory import (
    KEYFRAME_HOPS,
    WEIGHT_DIGITS,
    EmotionTrajectory,
    Keyframe,
    estimated_trajectory,
    read_emotions,
    sidecar,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.speech_emotion.estimator import emotion_trajectory, recording_evidence
from cstalk_bridge.models.timing import HOP_S
from tests.models.speech_emotion.conftest import voice

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork


HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def test_a_change_eases_over_its_time_without_a_step() -> None:
    keys = (
        Keyframe(at_s=1.0, emotion={"happy": 1.0}, over_s=0.5),
        Keyframe(at_s=1.25, emotion={"sad": 0.6}),
    )
    times_s = np.arange(0, 2, 0.01)
    weights = EmotionTrajectory(keys).weights(times_s)
    assert not weights[:100].any()
    assert weights[125, HAPPY] == pytest.approx(0.5, abs=0.01)
    assert weights[-1, SAD] == pytest.approx(0.6)
    assert weights[-1, HAPPY] == 0.0
    assert np.abs(np.diff(weights, axis=0)).max() < 0.05


def test_a_cut_is_one_step_and_a_constant_has_none() -> None:
    times_s = np.array([0.0, 0.99, 1.0, 3.0])
    cut = EmotionTrajectory((Keyframe(at_s=1.0, emotion={"sad": 1.0}, over_s=0.0),)).weights(
        times_s
    )
    assert cut[:, SAD].tolist() == [0.0, 0.0, 1.0, 1.0]
    constant = EmotionTrajectory.constant({"happy": 0.25}).weights(times_s)
    assert constant[:, HAPPY].tolist() == [0.25] * 4


YAML = """\
- {at_s: 0, emotion: neutral}
- {at_s: 2.5, emotion: "happy:0.7, surprised:0.2", over_s: 0.5}
"""
CSV = 'at_s,emotion,over_s\n0,neutral,\n2.5,"happy:0.7, surprised:0.2",0.5\n'


def test_yaml_and_csv_hold_the_same_keyframes(tmp_path: Path) -> None:
    (tmp_path / "a.emotion.yaml").write_text(YAML)
    (tmp_path / "a.emotion.csv").write_text(CSV)
    trajectory = read_emotions(tmp_path / "a.emotion.yaml")
    assert trajectory == read_emotions(tmp_path / "a.emotion.csv")
    assert trajectory.keys[1] == Keyframe(
        at_s=2.5, emotion={"happy": 0.7, "surprised": 0.2}, over_s=0.5
    )


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        (
            "x.yaml",
            "- {at_s: 0, emotion: happi}\n- {at_s: -1, emotion: sad:9}\n",
            ["1:22", "2:10", "2:23"],
        ),
        ("x.csv", "at_s,emotion\n0,happi\nnow,sad:9\n", ["2:2", "3:1", "3:2"]),
        ("x.csv", "time,mood\n0,sad\n", ["1:1"]),
        ("x.yaml", "- {at_s: 2, emotion: sad}\n- {at_s: 1, emotion: sad}\n", ["1:1"]),
        pytest.param("x.csv", f"at_s,emotion\n0,{'x' * 131_073}\n", ["2:1"], id="a long cell"),
        pytest.param("x.csv", f"{'x' * 131_073}\n0,sad\n", ["1:1"], id="a long head"),
    ],
)
def test_errors_are_reported_with_their_places(
    tmp_path: Path, name: str, text: str, places: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_emotions(path)
    assert [problem.where for problem in error.value.problems] == [f"{path}:{at}" for at in places]


def test_a_sidecar_is_found_beside_its_recording(tmp_path: Path) -> None:
    recording = tmp_path / "my talk.v2.wav"
    assert sidecar(recording) is None
    (tmp_path / "my talk.v2.emotion.yaml").write_text(YAML)
    assert sidecar(recording) == tmp_path / "my talk.v2.emotion.yaml"
    (tmp_path / "my talk.v2.emotion.csv").write_text(CSV)
    with pytest.raises(UserError, match="both give its emotion"):
        sidecar(recording)


AUTO = VoiceWeights(auto=1.0)


@pytest.mark.parametrize("piece", [16_000 * 6, 1000, 333])
def test_keyframes_follow_the_estimated_emotion_whatever_the_block_size(
    network: OnnxSpeechEmotionNetwork, piece: int
) -> None:
    sound = voice(6.0)
    pieces = [sound[i : i + piece] for i in range(0, len(sound), piece)]
    estimate = estimated_trajectory(EmotionTrajectory(), AUTO, pieces, EmotionEstimator(network))
    at_s = np.arange(1.0, 12.0) * KEYFRAME_HOPS * HOP_S
    estimated = emotion_trajectory(recording_evidence(network, sound))[
        KEYFRAME_HOPS - 1 :: KEYFRAME_HOPS
    ][: len(at_s)]
    # A key starts to move when its emotion is known, and arrives half a second later.
    np.testing.assert_allclose(
        estimate.weights(at_s + KEYFRAME_HOPS * HOP_S),
        estimated,
        atol=0.51 * 10**-WEIGHT_DIGITS + 1e-3,
    )
    assert estimated.max() > 0.3


def test_the_chosen_mix_stays_and_leaves_less_room(network: OnnxSpeechEmotionNetwork) -> None:
    sound, times_s = voice(6.0), np.arange(300.0) * 0.02
    plain = estimated_trajectory(
        EmotionTrajectory(), AUTO, [sound], EmotionEstimator(network)
    ).weights(times_s)
    happy = EmotionTrajectory.constant({"happy": 0.75})
    mixed = estimated_trajectory(happy, AUTO, [sound], EmotionEstimator(network)).weights(times_s)
    np.testing.assert_allclose(mixed[:, 1], 0.75 + 0.25 * plain[:, 1], atol=0.02)
    np.testing.assert_allclose(mixed[:, 3], 0.25 * plain[:, 3], atol=0.02)


def test_silence_has_only_the_first_key(network: OnnxSpeechEmotionNetwork) -> None:
    estimate = estimated_trajectory(
        EmotionTrajectory(), AUTO, [np.zeros(160_000, np.float32)], EmotionEstimator(network)
    )
    assert [key.at_s for key in estimate.keys] == [0.0]
    assert not estimate.weights(np.arange(10.0)).any()
