"""Offline, sliding window and cached streaming are the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.cstalk.network import CSTalkNetwork as Network
from cstalk_bridge.models.cstalk.torch_engine import WindowStream
from cstalk_bridge.models.loading import LIGHT_PATH, load_streaming_network
from tests.models.cstalk.streams import CPU, STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.streaming import Stream

    Made = tuple[Network, Description]


BOUND = 1e-4
HOPS = 90


@pytest.fixture(scope="module", params=["small", "light"])
def path(request: pytest.FixtureRequest, small_weights: Path) -> Path:
    return small_weights if request.param == "small" else LIGHT_PATH


@pytest.fixture(scope="module")
def generator(path: Path) -> Generator:
    return load_generator(path, "cpu")


@pytest.fixture(scope="module")
def made(path: Path) -> Made:
    network, description = load_streaming_network(path, CPU)
    assert isinstance(network, Network)
    return network, description


@pytest.fixture(scope="module")
def voices() -> np.ndarray:
    noise = np.random.default_rng(5).standard_normal((2, HOPS * 320)).astype(np.float32)
    swell = 0.2 * np.abs(np.sin(np.arange(HOPS * 320) / 3000)).astype(np.float32)
    return noise * swell


def play(
    stream: Stream,
    generator: Generator,
    voices: np.ndarray,
    emotions: list[dict[str, float]],
    delays: list[float],
) -> np.ndarray:
    """Step all voices together; return [voices, hops, channels]."""
    weights = np.stack([generator.emotion_vector(emotion) for emotion in emotions])
    rows = range(len(voices))
    faces = [
        stream.step(
            voices[:, hop * 320 : (hop + 1) * 320],
            weights,
            np.array(delays, np.float32),
            list(rows),
        )[:, 0]
        for hop in range(voices.shape[1] // 320)
    ]
    return np.stack(faces, 1)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_equals_the_offline_pass_with_the_delay_taken_out(
    kind: str, made: Made, generator: Generator, voices: np.ndarray
) -> None:
    emotions, delays = [{"happy": 0.7}, {}], [80.0, 0.0]
    stream = STREAMS[kind](*made, 2)
    live = play(stream, generator, voices, emotions, delays)
    for voice, (emotion, delay_ms) in enumerate(zip(emotions, delays, strict=True)):
        offline = generator.generate(voices[voice], 16_000, emotion, delay_ms)
        hops = round(delay_ms / 20)
        # The row after hop k is the face of (k + 1) hops less the delay.
        shown = live[voice, max(0, hops - 1) : HOPS - 1]
        first = max(0, 1 - hops)
        assert np.abs(shown - offline[first : first + len(shown)]).max() < BOUND


@pytest.mark.parametrize("kind", STREAMS)
def test_voices_that_step_apart_do_not_touch_each_other(
    kind: str, made: Made, generator: Generator, voices: np.ndarray
) -> None:
    together = play(STREAMS[kind](*made, 2), generator, voices, [{}, {}], [80.0, 80.0])
    apart = STREAMS[kind](*made, 2)
    nothing, delay = generator.emotion_vector({})[None], np.array([80.0], np.float32)
    for voice in (1, 0):
        for hop in range(20):
            face = apart.step(
                voices[voice : voice + 1, hop * 320 : (hop + 1) * 320], nothing, delay, [voice]
            )
            assert np.abs(face[0, 0] - together[voice, hop]).max() < BOUND


@pytest.mark.parametrize("kind", STREAMS)
def test_reset_forgets_the_past(
    kind: str, made: Made, generator: Generator, voices: np.ndarray
) -> None:
    stream = STREAMS[kind](*made, 2)
    first = play(stream, generator, voices, [{}, {}], [80.0, 80.0])
    stream.reset([0, 1])
    again = play(stream, generator, voices, [{}, {}], [80.0, 80.0])
    assert np.abs(first - again).max() < BOUND


@pytest.mark.parametrize("kind", STREAMS)
def test_one_bad_sample_does_not_poison_what_follows(
    kind: str, made: Made, generator: Generator, voices: np.ndarray
) -> None:
    stream = STREAMS[kind](*made, 2)
    poisoned = voices.copy()
    poisoned[:, 100] = np.nan
    poisoned[:, 101] = np.inf
    faces = play(stream, generator, poisoned, [{}, {}], [80.0, 80.0])
    assert np.isfinite(faces).all()


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("together", [2, 7, HOPS])
def test_hops_that_come_together_give_the_rows_of_hops_that_come_alone(
    kind: str, together: int, made: Made, generator: Generator, voices: np.ndarray
) -> None:
    """A sliding window makes the newest row alone, also of more hops than it is long."""
    alone = play(STREAMS[kind](*made, 2), generator, voices, [{"happy": 0.7}, {}], [80.0, 20.0])
    stream = STREAMS[kind](*made, 2)
    weights = np.stack([generator.emotion_vector({"happy": 0.7}), generator.emotion_vector({})])
    for first in range(0, HOPS - together + 1, together):
        piece = voices[:, first * 320 : (first + together) * 320]
        faces = stream.step(piece, weights, np.array([80.0, 20.0], np.float32), [0, 1])
        rows = 1 if kind == "torch window" else together
        assert faces.shape == (2, rows, len(generator.channels))
        expected = alone[:, first + together - rows : first + together]
        assert np.abs(faces - expected).max() < BOUND


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_the_cuda_graph_equals_the_eager_window(small_weights: Path, voices: np.ndarray) -> None:
    generator = load_generator(small_weights, "cuda")
    cuda = torch.device("cuda")
    network, _ = load_streaming_network(small_weights, cuda)
    graph = play(WindowStream(network, 2, cuda), generator, voices, [{}, {}], [80.0, 80.0])
    eager = play(
        WindowStream(network, 2, cuda, use_graph=False),
        generator,
        voices,
        [{}, {}],
        [80.0, 80.0],
    )
    assert np.abs(graph - eager).max() < BOUND


@pytest.mark.parametrize("kind", ["cached", "window"])
def test_voices_that_stay_go_on_when_others_come_and_go(
    generator: Generator, made: Made, voices: np.ndarray, kind: str
) -> None:
    """A voice among others makes the faces that it makes alone, from its first hop to its last."""

    def stream(count: int) -> Stream:
        return generator.stream(count) if kind == "cached" else WindowStream(made[0], count, CPU)

    def step(running: Stream, hop: int, rows: list[int], of: list[int]) -> np.ndarray:
        samples = voices[of, hop * 320 : (hop + 1) * 320]
        weights = np.zeros((len(rows), len(generator.emotions)), np.float32)
        return running.step(samples, weights, np.full(len(rows), 80, np.float32), rows)[:, -1]

    alone = [stream(1), stream(1)]
    running = stream(1)
    for hop in range(20):
        expected = step(alone[0], hop, [0], [0])
        np.testing.assert_allclose(step(running, hop, [0], [0]), expected, atol=BOUND)
    running = running.rearranged([None, 0])
    for hop in range(20, 40):
        faces = step(running, hop, [0, 1], [1, 0])
        for place, voice in ((0, 1), (1, 0)):
            expected = step(alone[voice], hop, [0], [voice])
            np.testing.assert_allclose(faces[[place]], expected, atol=BOUND)
    running = running.rearranged([0])
    for hop in range(40, 50):
        expected = step(alone[1], hop, [0], [1])
        np.testing.assert_allclose(step(running, hop, [0], [1]), expected, atol=BOUND)
