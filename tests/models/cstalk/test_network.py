"""The generator on the speech encoder: every form of it makes the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import (
    ENCODER_DELAYS,
    Description,
    EncoderArchitecture,
)
from cstalk_bridge.models.cstalk.onnx_engine import EncoderOnnxNetwork, OnnxEngine
from cstalk_bridge.models.cstalk.streaming import CachedStream
from cstalk_bridge.models.cstalk.torch_engine import TorchNetwork, WindowStream, recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, conditions
from cstalk_bridge.models.encoder.network import WhisperMel, next_rows, silent_caches
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import (
    ENCODER_HISTORY_SAMPLES,
    RIGHT_HOPS,
    columns_of,
    delay_hops,
)
from cstalk_bridge.models.loading import (
    build_network,
    create_generator,
    load_network,
    open_generator,
    save_network,
)
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.run import create_network

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.network import EncoderGenerator
    from cstalk_bridge.models.cstalk.streaming import Stream


CPU = torch.device("cpu")
BOUND = 1e-4
FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
SMALL = EncoderArchitecture(
    ear_width=24,
    ear_heads=2,
    ear_inner=32,
    width=16,
    decoder_dilations=(1, 3),
    condition_width=6,
    emotions=len(CONDITIONS),
)


def described(architecture: EncoderArchitecture = SMALL) -> Description:
    return Description(
        architecture, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, network="cstalk-encoder"
    )


@pytest.fixture(scope="module")
def network() -> EncoderGenerator:
    """An untrained network of which every tensor is drawn at random."""
    torch.manual_seed(3)
    made: Any = build_network(described()).eval().requires_grad_(requires_grad=False)
    for parameter in made.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    made.ear.mean.normal_()
    made.ear.spread.uniform_(0.5, 2.0)
    return made


@pytest.fixture(scope="module")
def onnx(network: EncoderGenerator) -> EncoderOnnxNetwork:
    return _onnx(network)


def _onnx(network: EncoderGenerator) -> EncoderOnnxNetwork:
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    minimum, maximum = (np.array(limit, dtype=np.float32) for limit in described().limits)
    return EncoderOnnxNetwork(SMALL, tensors, (minimum, maximum))


def noise(random: np.random.Generator, voices: int, hops: int) -> np.ndarray:
    """Noise that swells and breaks off: [voices, samples]."""
    swell = np.repeat(random.choice([0.0, 1e-3, 0.05, 0.3], (voices, hops)), HOP_SAMPLES, axis=1)
    return (swell * random.standard_normal((voices, hops * HOP_SAMPLES))).astype(np.float32)


def test_the_shapes_are_those_of_the_network() -> None:
    for architecture in (SMALL, EncoderArchitecture()):
        with torch.device("meta"):
            state = build_network(described(architecture)).state_dict()
        assert {n: tuple(t.shape) for n, t in state.items()} == architecture.tensor_shapes()


def test_the_log_mel_of_numpy_is_that_of_torch() -> None:
    sound = np.random.default_rng(0).standard_normal((2, ENCODER_HISTORY_SAMPLES + 9 * HOP_SAMPLES))
    quiet = (sound * [[0.1], [1e-6]]).astype(np.float32)
    expected = WhisperMel()(torch.from_numpy(quiet)).transpose(1, 2).numpy()
    assert columns_of(quiet).shape == expected.shape
    assert np.abs(columns_of(quiet) - expected).max() < 1e-5


def test_every_look_ahead_uses_as_much_future_as_it_leaves() -> None:
    assert [ENCODER_DELAYS[hops] for hops in (0, 3, 4, 5, 6, 12)] == [0, 0, 1, 1, 2, 2]
    for hops in range(delay_hops(0), len(ENCODER_DELAYS)):
        assert delay_hops(ENCODER_DELAYS[hops]) <= hops


def test_a_batch_of_delays_computes_what_each_computes_alone(network: EncoderGenerator) -> None:
    sound = torch.from_numpy(noise(np.random.default_rng(4), 3, 160))
    padded = torch.nn.functional.pad(sound, (ENCODER_HISTORY_SAMPLES, 0))
    delays = torch.arange(len(RIGHT_HOPS))
    rows = next_rows(network.ear, padded, delays, silent_caches(network.ear, delays))
    for delay in range(len(RIGHT_HOPS)):
        alone = padded[delay : delay + 1]
        expected = network.ear(alone, delay, network.ear.silent_caches(1, delay))
        assert (rows[delay] - expected[0]).abs().max() < BOUND


@FEW
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_the_graph_equals_the_network_under_changing_conditions(
    network: EncoderGenerator, onnx: EncoderOnnxNetwork, calls: list[int], seed: int
) -> None:
    random, other = np.random.default_rng(seed), TorchNetwork(network, CPU)
    delays = random.integers(0, SMALL.delays, 3)
    first = random.random((3, SMALL.emotions), dtype=np.float32)
    here, there = onnx.silent_past(first, delays), other.silent_past(first, delays)
    for hops in calls:
        samples = noise(random, 3, hops)
        rows_of_conditions = random.random((3, hops, SMALL.emotions), dtype=np.float32)
        delays = random.integers(0, SMALL.delays, 3)
        faces, here = onnx.advance(samples, rows_of_conditions, delays, here)
        expected, there = other.advance(samples, rows_of_conditions, delays, there)
        assert faces.shape == expected.shape == (3, hops, SMALL.channels)
        assert np.abs(faces - expected).max() < BOUND


@pytest.mark.parametrize("lookahead_ms", [0, 60, 80, 120, 240])
def test_files_windows_and_hops_make_the_same_faces(
    network: EncoderGenerator, lookahead_ms: int
) -> None:
    random = np.random.default_rng(lookahead_ms)
    rows, delay = 60, lookahead_ms // 20
    sound = noise(random, 1, rows)
    emotion = random.random((1, len(EMOTIONS)), dtype=np.float32)
    rows_of_conditions = np.repeat(conditions(emotion, 0.4, SMALL.emotions)[:, None], rows, axis=1)
    whole = recording_faces(network, sound, rows_of_conditions, delay)[0]
    generator = create_generator(network, described())
    assert isinstance(generator.engine, OnnxEngine)
    assert np.abs(generator.engine.faces(sound, rows_of_conditions, delay)[0] - whole).max() < BOUND
    ways: list[Stream] = [
        CachedStream(_onnx(network), 1),
        CachedStream(TorchNetwork(network, CPU), 1),
        WindowStream(network, 1, CPU),
    ]
    ahead = np.array([lookahead_ms], dtype=np.float32)
    after = np.pad(sound, ((0, 0), (0, delay * HOP_SAMPLES)))
    hops = [after[:, i * HOP_SAMPLES : (i + 1) * HOP_SAMPLES] for i in range(rows + delay)]
    for stream in ways:
        made = [stream.step(hop, emotion, ahead, [0], 0.4)[0, -1] for hop in hops]
        # What follows a hop is the face of the time at which it ends, less the look-ahead.
        assert (
            np.abs(np.stack(made[delay:-1]) - whole[1:rows][: len(made) - delay - 1]).max() < BOUND
        )


def test_one_voice_is_streamed_in_8_bits_and_several_as_recordings(
    network: EncoderGenerator,
) -> None:
    random = np.random.default_rng(8)
    sound = noise(random, 2, 40)
    emotion = np.zeros((2, len(EMOTIONS)), dtype=np.float32)
    ahead = np.full(2, 80.0, dtype=np.float32)
    generator = create_generator(network, described())
    exact = CachedStream(TorchNetwork(network, CPU), 2)
    both = generator.stream(2).step(sound, emotion, ahead, [0, 1])
    expected = exact.step(sound, emotion, ahead, [0, 1])
    assert np.abs(both - expected).max() < BOUND
    alone = generator.stream(1)
    one = np.concatenate(
        [
            alone.step(sound[:1, i * HOP_SAMPLES :][:, :HOP_SAMPLES], emotion[:1], ahead[:1], [0])
            for i in range(40)
        ],
        1,
    )
    error = np.abs(one[0] - expected[0])
    assert 0 < error.mean() < 0.02 * np.abs(expected).mean() + 0.01


def test_a_file_of_it_is_read_again(network: EncoderGenerator, tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    save_network(path, network, described())
    read, description = load_network(path, CPU)
    assert description.streams
    assert description.architecture == SMALL
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name].half().float())
    assert open_generator(path, "cpu").engine.device == "cpu"


def test_weights_of_the_log_mel_generator_are_refused_to_begin_with() -> None:
    from cstalk_bridge.models.cstalk.architecture import Architecture

    old = Description(
        Architecture(emotions=len(CONDITIONS)), AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}
    )
    with pytest.raises(WeightsError, match="another network"):
        create_network(described(), None, build_network(old))
