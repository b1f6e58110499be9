from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.face.emotion import VoiceWeights
from cstalk_bridge.face.networks import (
    live_device,
    load_network,
    open_emotion_estimator,
    open_ser_network,
)
from cstalk_bridge.models.errors import UserError
from tests.networks import GUARDED, write_weights

if TYPE_CHECKING:
    from pathlib import Path


def test_live_faces_are_made_on_the_cpu_unless_the_user_asks_for_more() -> None:
    assert [live_device(name) for name in ("auto", "cpu", "cuda")] == ["cpu", "cpu", "cuda"]


def test_a_device_that_is_none_is_a_problem_of_the_device_and_a_file_one_of_the_weights(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match="device"):
        load_network(write_weights(tmp_path / "w.safetensors", GUARDED), "tpu")
    with pytest.raises(UserError) as caught:
        load_network(tmp_path / "none.safetensors", "cpu")
    assert [problem.where for problem in caught.value.problems] == ["weights"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_moods_without_onnx_runtime_are_refused_with_a_remedy_and_arousal_goes_on(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for module in (
        "cstalk_bridge.models.cstalk.onnx_graph",
        "cstalk_bridge.models.speech_emotion.weights",
        "cstalk_bridge.models.speech_emotion.weights",
    ):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    open_ser_network.cache_clear()
    with pytest.raises(UserError, match=r"emotion auto: ONNX Runtime.*install onnx and.* again"):
        open_emotion_estimator(VoiceWeights(auto=1.0))
    assert open_emotion_estimator(VoiceWeights(arousal=1.0)) is not None
