from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.errors import UserError
from cstalk_bridge.face.emotion import VoiceWeights
from cstalk_bridge.face.networks import (
    check_mouth_guards,
    live_device,
    load_network,
    open_emotion_estimator,
    open_ser_network,
)
from cstalk_bridge.models.emotions import MOUTH_GUARD
from tests.networks import GUARDED, UNGUARDED, small_generator, write_weights

if TYPE_CHECKING:
    from pathlib import Path


def test_every_guard_that_the_weights_do_not_know_is_told_where_it_was_set() -> None:
    generator = small_generator(UNGUARDED)
    check_mouth_guards(generator, {"A: mouth_guard": MOUTH_GUARD})
    with pytest.raises(UserError) as caught:
        check_mouth_guards(generator, {"A": 0.1, "B": MOUTH_GUARD, "C": 0.9})
    assert [problem.where for problem in caught.value.problems] == ["A", "C"]
    assert "trained without" in str(caught.value.problems[0])


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


def test_weights_that_know_a_guard_take_any() -> None:
    check_mouth_guards(small_generator(GUARDED), {"A": 0.0, "B": 1.0})


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
