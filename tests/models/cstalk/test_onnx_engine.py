"""The ONNX graph makes the numbers of the torch network, whatever its sizes and its calls."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Architecture, Description
from cstalk_bridge.models.cstalk.onnx_engine import (
    OnnxEngine,
    OnnxNetwork,
    build_conditions,
    build_hops,
)
from cstalk_bridge.models.cstalk.streaming import CachedStream
from cstalk_bridge.models.cstalk.torch_engine import TorchNetwork, recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, conditions
from cstalk_bridge.models.loading import LIGHT_PATH, build_network, create_generator, read_weights
from cstalk_bridge.models.timing import HOP_SAMPLES, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    from onnx import ModelProto

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.network import CSTalkNetwork as Network
    from cstalk_bridge.models.cstalk.streaming import Stream


CPU = torch.device("cpu")
BOUND, OFFLINE_BOUND = 1e-5, 1e-4
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

DILATIONS = st.lists(st.sampled_from([1, 2, 3, 4, 8]), min_size=1, max_size=3).map(tuple)
ARCHITECTURES = st.builds(
    Architecture,
    width=st.sampled_from([7, 16, 24]),
    encoder_dilations=DILATIONS,
    decoder_dilations=DILATIONS,
    condition_width=st.sampled_from([2, 6, 64]),
    phones=st.sampled_from([1, 33]),
    emotions=st.sampled_from([len(EMOTIONS), len(CONDITIONS)]),
)
CALLS = st.lists(st.integers(1, 20), min_size=1, max_size=5)
VOICES = st.integers(1, 3)
SEEDS = st.integers(0, 2**32 - 1)


class Made(NamedTuple):
    """One network in both forms."""

    network: Network
    description: Description
    onnx: OnnxNetwork
    torch: TorchNetwork

    @property
    def generator(self) -> Generator:
        generator = create_generator(self.network, self.description)
        assert isinstance(generator.engine, OnnxEngine)
        return generator


def made(architecture: Architecture, seed: int) -> Made:
    """Return an untrained network of which every tensor is drawn at random, gains and all."""
    description = Description(architecture, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {})
    torch.manual_seed(seed)
    network: Any = build_network(description).eval().requires_grad_(requires_grad=False)
    for name, parameter in network.named_parameters():
        if name.endswith("gain"):
            parameter.mul_(torch.rand_like(parameter) + 0.5)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    minimum, maximum = (np.array(limit, dtype=np.float32) for limit in description.limits)
    onnx = OnnxNetwork(architecture, tensors, (minimum, maximum))
    return Made(network, description, onnx, TorchNetwork(network, CPU))


def voices_of(random: np.random.Generator, voices: int, hops: int) -> np.ndarray:
    """Noise that swells and breaks off: [voices, samples]."""
    swell = np.repeat(random.choice([0.0, 1e-3, 0.05, 0.3], (voices, hops)), HOP_SAMPLES, axis=1)
    noise = random.standard_normal((voices, hops * HOP_SAMPLES))
    return (swell * noise).astype(np.float32)


@FEW
@given(ARCHITECTURES, CALLS, VOICES, SEEDS)
def test_the_graph_equals_the_network_hop_by_hop_under_changing_conditions(
    architecture: Architecture, calls: list[int], voices: int, seed: int
) -> None:
    both, random = made(architecture, seed), np.random.default_rng(seed)
    delays = random.integers(0, architecture.delays, voices)
    first = random.random((voices, architecture.emotions), dtype=np.float32)
    onnx = both.onnx.silent_past(first, delays)
    other = both.torch.silent_past(first, delays)
    for hops in calls:
        samples = voices_of(random, voices, hops)
        emotions = random.random((voices, hops, architecture.emotions), dtype=np.float32)
        delays = random.integers(0, architecture.delays, voices)
        faces, onnx = both.onnx.advance(samples, emotions, delays, onnx)
        expected, other = both.torch.advance(samples, emotions, delays, other)
        assert faces.shape == expected.shape == (voices, hops, architecture.channels)
        assert faces.dtype == np.float32
        assert np.abs(faces - expected).max() < BOUND


@FEW
@given(ARCHITECTURES, CALLS, SEEDS)
def test_a_stream_of_both_kinds_follows_the_same_changes(
    architecture: Architecture, calls: list[int], seed: int
) -> None:
    """Emotion, guard and look-ahead change call by call, and voices come, rest and begin anew."""
    both, random = made(architecture, seed), np.random.default_rng(seed)
    voices = 3
    streams: list[Stream] = [CachedStream(both.onnx, voices), CachedStream(both.torch, voices)]
    for hops in calls * 2:
        chosen = sorted(random.choice(voices, random.integers(1, voices + 1), replace=False))
        samples = voices_of(random, len(chosen), hops)
        emotion = random.random((len(chosen), len(EMOTIONS)), dtype=np.float32) * 1.5
        lookahead_ms = random.integers(0, MAX_LOOKAHEAD_MS + 1, len(chosen)).astype(np.float32)
        is_guarded = architecture.emotions == len(CONDITIONS)
        guard = random.random(len(chosen)) if is_guarded else 0.45
        faces, expected = (
            stream.step(samples, emotion, lookahead_ms, chosen, guard) for stream in streams
        )
        assert faces.shape == (len(chosen), hops, architecture.channels)
        assert np.abs(faces - expected).max() < BOUND
        if random.random() < 0.3:
            for stream in streams:
                stream.reset([chosen[0]])


@FEW
@given(ARCHITECTURES, st.integers(0, MAX_LOOKAHEAD_MS), VOICES, SEEDS)
def test_offline_it_equals_the_network_on_whole_windows(
    architecture: Architecture, lookahead_ms: int, batch: int, seed: int
) -> None:
    both, random = made(architecture, seed), np.random.default_rng(seed)
    rows = int(random.integers(1, 60))
    sounds = voices_of(random, batch, rows)
    emotions = random.random((batch, rows, len(EMOTIONS)), dtype=np.float32)
    is_guarded = architecture.emotions == len(CONDITIONS)
    guard = random.random(batch) if is_guarded else 0.45
    given = conditions(emotions, guard, architecture.emotions)
    generator = both.generator
    faces = generator.generate_batch(list(sounds), list(emotions), lookahead_ms, guard)
    # With an emotion that changes a window and a cache differ, by nature; so one for all rows.
    still = np.repeat(given[:, :1], rows, axis=1)
    constant = generator.engine.faces(sounds, still, generator.delay_hops(lookahead_ms))
    expected = recording_faces(both.network, sounds, still, generator.delay_hops(lookahead_ms))
    assert np.abs(constant - expected).max() < OFFLINE_BOUND
    assert [face.shape for face in faces] == [(rows, architecture.channels)] * batch
    passes = generator.passes(emotions, lookahead_ms, guard)
    again = np.concatenate([*passes.process(sounds), *passes.finish()], axis=1)
    assert np.abs(np.stack(faces) - again).max() < OFFLINE_BOUND


@FEW
@given(ARCHITECTURES, st.integers(0, MAX_LOOKAHEAD_MS), CALLS, SEEDS)
def test_any_split_into_calls_gives_the_rows_of_the_whole_recording(
    architecture: Architecture, lookahead_ms: int, calls: list[int], seed: int
) -> None:
    both, random = made(architecture, seed), np.random.default_rng(seed)
    generator = both.generator
    rows = sum(calls)
    sound = voices_of(random, 1, rows)
    emotion = random.random((1, len(EMOTIONS)), dtype=np.float32)
    stream = generator.stream(1)
    ends = np.cumsum(calls)
    pieces = np.split(sound, ends[:-1] * HOP_SAMPLES, axis=1)
    lookahead = np.array([lookahead_ms], dtype=np.float32)
    live = np.concatenate([stream.step(p, emotion, lookahead, [0]) for p in pieces], axis=1)[0]
    offline = generator.generate_batch([sound[0]], [np.repeat(emotion, rows, axis=0)], lookahead_ms)
    # The row after hop k is the face of k + 1 hops less the look-ahead.
    delay = generator.delay_hops(lookahead_ms)
    shown = live[max(0, delay - 1) : rows - 1]
    first = max(0, 1 - delay)
    np.testing.assert_allclose(shown, offline[0][first : first + len(shown)], atol=OFFLINE_BOUND)


@FEW
@given(ARCHITECTURES)
def test_the_sizes_give_the_shape_of_every_tensor(architecture: Architecture) -> None:
    description = Description(architecture, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, "cstalk")
    network: Any = build_network(description)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert architecture.tensor_shapes() == shapes
    stack = (*network.encoder, *network.decoder)
    assert architecture.past_hops == sum(block.conv.reach for block in stack)


def test_the_default_sizes_are_those_of_the_shipped_weights() -> None:
    assert Architecture().window_hops == 75
    assert sum(int(np.prod(shape)) for shape in Architecture().tensor_shapes().values()) > 1.9e6


@FEW
@given(ARCHITECTURES, SEEDS)
def test_a_row_depends_on_its_window_alone(architecture: Architecture, seed: int) -> None:
    both, random = made(architecture, seed), np.random.default_rng(seed)
    hops = architecture.window_hops
    first = random.random((1, architecture.emotions), dtype=np.float32)
    delays = np.array([4], dtype=np.int64)
    given = np.repeat(first[:, None], hops, axis=1)
    window = voices_of(random, 1, hops)
    window[:] += 0.01 * random.standard_normal(window.shape)
    last = []
    for _ in range(2):
        past = both.onnx.silent_past(first, delays)
        before = voices_of(random, 1, 20)
        _, past = both.onnx.advance(before, given[:, :1].repeat(20, axis=1), delays, past)
        past.sound[:] = 0.0
        last.append(both.onnx.advance(window, given, delays, past)[0][:, -1])
    assert np.abs(last[0] - last[1]).max() < BOUND


def axes(model: ModelProto) -> dict[str, list[str | int]]:
    return {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }


def test_the_graphs_serve_any_number_of_voices_and_hops() -> None:
    both = made(Architecture(width=16, encoder_dilations=(1,), decoder_dilations=(2,)), 1)
    architecture = both.description.streaming_architecture
    assert isinstance(architecture, Architecture)
    tensors = {name: tensor.numpy() for name, tensor in both.network.state_dict().items()}
    limits = (np.array(limit, dtype=np.float32) for limit in both.description.limits)
    assert axes(build_conditions(architecture, tensors)) == {
        "conditions": ["voices", "n", 8],
        "delay_hops": ["voices"],
        "films": ["voices", "n", 32],
    }
    assert axes(build_hops(architecture, tensors, *limits)) == {
        "features": ["voices", "input_hops", 128],
        "films": ["voices", "n", 32],
        "past": ["voices", 6, 16],
        "taps_1": ["hops", 3],
        "taps_2": ["hops", 3],
        "faces": ["voices", "hops", 81],
        "new_past": ["voices", 6, 16],
    }


def test_a_tensor_that_is_missing_is_named() -> None:
    architecture = Architecture(width=16)
    nothing = np.zeros(81, dtype=np.float32)
    with pytest.raises(KeyError, match=r"stem\.conv\.weight"):
        build_hops(architecture, {}, nothing, nothing)
    with pytest.raises(KeyError, match=r"emotion\.weight"):
        build_conditions(architecture, {})


def test_a_graph_that_onnx_runtime_refuses_is_a_plain_error() -> None:
    sizes = Architecture(width=16, encoder_dilations=(1,), decoder_dilations=(2,))
    both = made(sizes, 1)
    tensors = {name: tensor.numpy() for name, tensor in both.network.state_dict().items()}
    five = np.zeros(5, dtype=np.float32)
    with pytest.raises(RuntimeError, match="refuses the network"):
        OnnxNetwork(sizes, tensors, (five, five))


def test_an_engine_of_log_mel_features_keeps_no_second_copy_of_its_weights() -> None:
    tensors, description = read_weights(LIGHT_PATH)
    kept = [weakref.ref(tensor) for tensor in tensors.values()]
    engine = OnnxEngine(tensors, description)
    del tensors
    gc.collect()
    assert [tensor for tensor in kept if tensor() is not None] == []
    assert engine.device == "cpu"
