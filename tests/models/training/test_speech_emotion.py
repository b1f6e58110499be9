"""The speech emotion network computes the same in ONNX as in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.speech_emotion.estimator import recording_evidence
from cstalk_bridge.models.speech_emotion.features import (
    HISTORY_SAMPLES,
    SpeakerBaseline,
    VoiceFeatures,
    network_inputs,
    recording_features,
    voice_features,
)
from cstalk_bridge.models.speech_emotion.weights import (
    INPUTS,
    OnnxSpeechEmotionNetwork,
    SpeechEmotionSizes,
    load_speech_emotion,
)
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.speech_emotion import SpeechEmotionNetwork
from tests.models.speech_emotion.conftest import speech, voice

if TYPE_CHECKING:
    from collections.abc import Callable


BOUND = 1e-4
SIZES = st.builds(
    SpeechEmotionSizes,
    width=st.sampled_from([1, 7, 16]),
    dilations=st.lists(st.sampled_from([1, 2, 3, 8]), min_size=1, max_size=3).map(tuple),
)


def shipped() -> tuple[SpeechEmotionNetwork, OnnxSpeechEmotionNetwork]:
    weights = load_speech_emotion()
    network = SpeechEmotionNetwork(weights.description.sizes).eval()
    network.load_state_dict({name: torch.from_numpy(t) for name, t in weights.tensors.items()})
    return network, OnnxSpeechEmotionNetwork(network.sizes, weights.tensors)


def judged(network: SpeechEmotionNetwork, features: VoiceFeatures) -> np.ndarray:
    """Return the torch network's evidence after endless silence, [hops, emotions]."""
    average = network.average.numpy()
    silence = voice_features(np.zeros(HISTORY_SAMPLES + HOP_SAMPLES, dtype=np.float32))
    before = network_inputs(silence, SpeakerBaseline(average).update(silence))
    inputs = network_inputs(features, SpeakerBaseline(average).update(features))
    rows = np.concatenate((np.tile(before, (network.sizes.past_hops, 1)), inputs))
    with torch.inference_mode():
        return network(torch.from_numpy(rows.T)[None])[0].T.numpy()


@pytest.mark.parametrize("make", [speech, lambda: voice(6.0)], ids=["speech", "buzz"])
def test_the_shipped_network_computes_in_onnx_what_it_computes_in_torch(
    make: Callable[[], np.ndarray],
) -> None:
    network, onnx_network = shipped()
    sound = make()
    (features,) = recording_features(sound)
    odds = judged(network, features)
    np.testing.assert_allclose(recording_evidence(onnx_network, sound).odds, odds, atol=BOUND)
    assert np.ptp(odds, axis=0).min() > 1.0


@settings(max_examples=20, deadline=None)
@given(
    sizes=SIZES, calls=st.lists(st.integers(1, 20), min_size=1, max_size=4), seed=st.integers(0, 99)
)
def test_any_sizes_and_any_calls_make_the_numbers_of_torch(
    sizes: SpeechEmotionSizes, calls: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    network = SpeechEmotionNetwork(sizes).eval()
    onnx_network = OnnxSpeechEmotionNetwork(sizes, network.tensors())
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((sum(calls), INPUTS), dtype=np.float32)
    past, odds = onnx_network.silent_past, []
    for piece in np.split(inputs, np.cumsum(calls)[:-1]):
        evidence, past = onnx_network.advance(piece, past)
        odds.append(evidence)
    silence = voice_features(np.zeros(HISTORY_SAMPLES + HOP_SAMPLES, dtype=np.float32))
    before = network_inputs(silence, SpeakerBaseline(network.average.numpy()).update(silence))
    rows = np.concatenate((np.tile(before, (sizes.past_hops, 1)), inputs))
    with torch.inference_mode():
        expected = network(torch.from_numpy(rows.T)[None])[0].T.numpy()
    np.testing.assert_allclose(np.concatenate(odds), expected, atol=BOUND)


@settings(max_examples=20, deadline=None)
@given(sizes=SIZES)
def test_sizes_know_the_tensors_of_the_torch_network(sizes: SpeechEmotionSizes) -> None:
    shapes = {name: tensor.shape for name, tensor in SpeechEmotionNetwork(sizes).tensors().items()}
    assert shapes == sizes.tensor_shapes()


def test_a_tensor_that_is_missing_is_named() -> None:
    network, _ = shipped()
    tensors = network.tensors()
    del tensors["blocks.1.mix.weight"]
    with pytest.raises(KeyError, match=r"blocks\.1\.mix\.weight"):
        OnnxSpeechEmotionNetwork(network.sizes, tensors)
