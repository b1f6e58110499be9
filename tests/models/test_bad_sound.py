"""Sound that is hardly speech: a calm face, bounded values, and memory that does not grow."""

from __future__ import annotations

import os
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from cstalk_bridge.bench.daemon_process import resident_mb
from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS, jaw, opening
from cstalk_bridge.models.evaluation.predictors import stream_recording
from cstalk_bridge.models.metrics.curves import SHUT, pearson

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator

RATE_HZ = 16_000
TELEPHONE_HZ = 8_000
HALF_AN_HOUR_S = 30 * 60
PIECE_S = 10
GROWTH_MB = 8.0
SETTLED_ROWS = 80
"""Rows after which the beginning of a steady sound has left the network's window of 1.5 s."""
EIGHT_BITS = 0.06
"""Most by which a channel of the live face, whose encoder computes in 8 bits, differs."""
CLICK_ROWS = 10
"""Rows before its end that may depend on the click with which it ends."""


@pytest.fixture(scope="module")
def shipped() -> Generator:
    return load_generator(device="cpu")


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    with resources.files("cstalk_bridge.audio").joinpath("speech.ogg").open("rb") as file:
        samples, rate_hz = soundfile.read(file, dtype="float32")
    return soxr.resample(samples, rate_hz, RATE_HZ)[: 4 * RATE_HZ]


@pytest.fixture(scope="module")
def clear(shipped: Generator, speech: np.ndarray) -> np.ndarray:
    return shipped.generate(speech, RATE_HZ)


def both(generator: Generator, sound: np.ndarray, rate_hz: int = RATE_HZ) -> list[np.ndarray]:
    """Return the face of `sound` offline and hop by hop, each finite and within the board."""
    resampled = sound if rate_hz == RATE_HZ else soxr.resample(sound, rate_hz, RATE_HZ)
    offline = generator.generate(sound, rate_hz)
    emotions = np.zeros((len(offline), len(generator.emotions)), dtype=np.float32)
    faces = [offline, stream_recording(generator, resampled, emotions, 80)]
    ranges = [CHANNELS[CHANNEL_INDEX[name]] for name in generator.channels]
    for face in faces:
        assert np.isfinite(face).all()
        assert (face >= [channel.minimum for channel in ranges]).all()
        assert (face <= [channel.maximum for channel in ranges]).all()
    assert np.abs(faces[0] - faces[1]).max(initial=0.0) < EIGHT_BITS
    return faces


@pytest.mark.parametrize("samples", [0, 1, 80])
def test_hardly_any_sound_is_hardly_a_face(
    shipped: Generator, speech: np.ndarray, samples: int
) -> None:
    for face in both(shipped, speech[RATE_HZ : RATE_HZ + samples]):
        assert face.shape == (min(samples, 1), len(shipped.channels))
        assert opening(face).max(initial=0.0) < SHUT


@pytest.mark.parametrize("level", [0.0, 1e-30, 0.1, 1.0, -1.0])
def test_silence_and_a_constant_leave_the_face_calm(shipped: Generator, level: float) -> None:
    for face in both(shipped, np.full(3 * RATE_HZ, level, dtype=np.float32)):
        settled = face[SETTLED_ROWS:-CLICK_ROWS]
        assert opening(settled).max() < SHUT
        assert np.abs(np.diff(settled, axis=0)).max() < 0.01


def test_clipped_speech_moves_the_jaw_as_speech_does(
    shipped: Generator, speech: np.ndarray, clear: np.ndarray
) -> None:
    for face in both(shipped, np.clip(30 * speech, -1.0, 1.0)):
        assert pearson(jaw(face), jaw(clear)) > 0.7


def test_speech_on_a_constant_moves_the_jaw_as_speech_does(
    shipped: Generator, speech: np.ndarray, clear: np.ndarray
) -> None:
    for face in both(shipped, speech + 0.3):
        assert pearson(jaw(face), jaw(clear)) > 0.8


def test_telephone_speech_moves_the_jaw_as_speech_does(
    shipped: Generator, speech: np.ndarray, clear: np.ndarray
) -> None:
    for face in both(shipped, soxr.resample(speech, RATE_HZ, TELEPHONE_HZ), TELEPHONE_HZ):
        assert pearson(jaw(face)[: len(clear)], jaw(clear)[: len(face)]) > 0.7


@pytest.mark.parametrize("scale", [32_768.0, 1e20, 3e38])
def test_no_sample_is_too_large_for_a_face(
    shipped: Generator, speech: np.ndarray, scale: float
) -> None:
    loud = np.clip(speech[:RATE_HZ], -1.0, 1.0) * np.float32(scale)
    both(shipped, loud)


def test_half_an_hour_processed_piece_by_piece_takes_no_memory(generator: Generator) -> None:
    rows = HALF_AN_HOUR_S * generator.rate_hz
    emotions = np.zeros((1, rows, len(generator.emotions)), dtype=np.float32)
    passes = generator.passes(emotions, lookahead_ms=80)
    random = np.random.default_rng(0)
    piece = 0.1 * random.standard_normal((1, PIECE_S * RATE_HZ), dtype=np.float32)
    rows_so_far, held_mb = 0, []
    for _ in range(HALF_AN_HOUR_S // PIECE_S):
        for faces in passes.process(piece):
            rows_so_far += faces.shape[1]
            assert np.isfinite(faces).all()
        held_mb.append(resident_mb(os.getpid()))
    assert rows_so_far + sum(faces.shape[1] for faces in passes.finish()) == rows
    assert grown(held_mb) < GROWTH_MB


def test_half_an_hour_in_one_call_has_every_row(generator: Generator) -> None:
    face = generator.generate(np.zeros(HALF_AN_HOUR_S * TELEPHONE_HZ, np.float32), TELEPHONE_HZ)
    assert face.shape == (HALF_AN_HOUR_S * generator.rate_hz, len(generator.channels))
    assert np.isfinite(face).all()


def test_a_stream_of_minutes_takes_no_memory(generator: Generator) -> None:
    stream = generator.stream(1)
    random = np.random.default_rng(0)
    hops = 0.1 * random.standard_normal((50, 1, generator.hop_samples), dtype=np.float32)
    nothing, late_ms = generator.emotion_vector(None)[None], np.array([80.0], dtype=np.float32)
    held_mb = []
    for _ in range(100):
        for hop in hops:
            face = stream.step(hop, nothing, late_ms, [0])
        assert np.isfinite(face).all()
        held_mb.append(resident_mb(os.getpid()))
    assert grown(held_mb) < GROWTH_MB


def grown(held_mb: list[float | None]) -> float:
    """Return by how much resident memory grew after its first tenth, where it can be read."""
    known = [held for held in held_mb[len(held_mb) // 10 :] if held is not None]
    return known[-1] - known[0] if known else 0.0
