"""The teacher's port against the same network written out in NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models.encoder.network import WhisperMel
from cstalk_bridge.models.features import slaney_filters
from cstalk_bridge.models.training.encoder.whisper import (
    LAYER_NAMES,
    TEACHER_LAYERS,
    WIDTH,
    content_directions,
    fit_content,
    moved,
    positions,
    read,
    whole_mel,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


SAMPLES = 16_000 * 2 + 77
SAME = 1e-4


def voice() -> NDArray[np.float32]:
    random = np.random.default_rng(3)
    times_s = np.arange(SAMPLES) / 16_000
    buzz = sum(np.sin(2 * np.pi * 130 * k * times_s) / k for k in range(1, 30))
    sound = 0.05 * buzz * (np.sin(2 * np.pi * 3 * times_s) > 0)
    return (sound + random.normal(0, 1e-3, SAMPLES)).astype(np.float32)


def numpy_mel(sound: Array) -> Array:
    """Whisper's log-mel in float64, [columns, bands]: ends are mirrored."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mirrored = np.concatenate((sound[200:0:-1], sound, sound[-2:-202:-1]))
    starts = range(0, len(sound) // 160 * 160, 160)
    power = [np.abs(np.fft.rfft(mirrored[s : s + 400] * window)) ** 2 for s in starts]
    log = np.log10(np.maximum(np.array(power) @ slaney_filters().T, 1e-10))
    return np.asarray((np.maximum(log, log.max() - 8) + 4) / 4)


def gelu(x: Array) -> Array:
    return np.asarray(x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2)


def convolved(x: Array, weight: Array, bias: Array, stride: int) -> Array:
    padded = np.pad(x, ((1, 1), (0, 0)))
    ends = range(3, len(padded) + 1, stride)
    return (
        np.array([np.tensordot(padded[e - 3 : e].T, weight, ((0, 1), (1, 2))) for e in ends]) + bias
    )


def normed(x: Array, weight: Array, bias: Array) -> Array:
    centred = x - x.mean(1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * weight + bias


def attended(x: Array, v: Mapping[str, Array], heads: int = 6) -> Array:
    """One layer of the checkpoint's names in `v`."""
    made = normed(x, v["self_attention.layer_norm.gamma"], v["self_attention.layer_norm.beta"])
    made = made @ v["self_attention.linear_0.weight"].T + v["self_attention.linear_0.bias"]
    mixed = []
    for head in range(heads):
        own = slice(head * 64, head * 64 + 64)
        query, key, value = (part[:, own] for part in np.split(made, 3, 1))
        share = np.exp(query @ key.T / 8)
        mixed.append(share / share.sum(1, keepdims=True) @ value)
    x = x + np.concatenate(mixed, 1) @ v["self_attention.linear_1.weight"].T
    x = x + v["self_attention.linear_1.bias"]
    made = normed(x, v["ffn.layer_norm.gamma"], v["ffn.layer_norm.beta"])
    made = gelu(made @ v["ffn.linear_0.weight"].T + v["ffn.linear_0.bias"])
    return x + made @ v["ffn.linear_1.weight"].T + v["ffn.linear_1.bias"]


def numpy_layers(sound: Array, path: Path) -> list[Array]:
    tensors = {name: tensor.astype(np.float64) for name, tensor in np.load(path).items()}
    x = gelu(convolved(numpy_mel(sound), tensors["conv1.weight"], tensors["conv1.bias"], 1))
    x = gelu(convolved(x, tensors["conv2.weight"], tensors["conv2.bias"], 2))
    slowing = 10000 ** (-np.arange(WIDTH // 2) / (WIDTH // 2 - 1))
    angle = np.outer(np.arange(len(x)), slowing)
    outputs = [x + np.hstack((np.sin(angle), np.cos(angle)))]
    for number in range(TEACHER_LAYERS):
        prefix = f"layer_{number}."
        own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        outputs.append(attended(outputs[-1], own))
    return outputs


def test_it_equals_the_network_in_numpy(checkpoint: Path) -> None:
    wanted = numpy_layers(voice().astype(np.float64), checkpoint)
    with torch.no_grad():
        layers = read(checkpoint)(torch.from_numpy(voice()))
    assert len(layers) == len(wanted)
    for one, other in zip(layers, wanted, strict=True):
        assert one.shape == other.shape == (100, WIDTH)
        assert np.abs(one.numpy() - other).max() < SAME
    assert wanted[-1].std(0).min() > 100 * SAME


def test_its_input_is_whisper_s_log_mel() -> None:
    columns = whole_mel(WhisperMel(), torch.from_numpy(voice()))[0].T.numpy()
    assert np.abs(columns - numpy_mel(voice().astype(np.float64))).max() < SAME


def test_every_tensor_is_read_under_its_own_name(checkpoint: Path) -> None:
    state, tensors = read(checkpoint).state_dict(), np.load(checkpoint)
    for number in range(TEACHER_LAYERS):
        for ours, theirs in LAYER_NAMES.items():
            kept = state[f"layers.{number}.{ours}"].numpy()
            assert np.array_equal(kept, tensors[f"layer_{number}.{theirs}"])


def test_positions_are_sines_then_cosines() -> None:
    rows = positions(3)
    assert rows[0].tolist() == [0.0] * 192 + [1.0] * 192
    assert rows[2, 0].item() == pytest.approx(np.sin(2.0))


def test_filters_have_unit_area_and_lie_where_slaney_s_do() -> None:
    """Below 1 kHz the scale is linear: 200/3 Hz a mel, of which there are 45.25 up to 8 kHz."""
    filters = torch.from_numpy(slaney_filters())
    spacing_hz = 200 / 3 * (15 + np.log(8) / np.log(6.4) * 27) / 81
    bins_hz = torch.arange(201) * 40.0
    centres_hz = (filters * bins_hz).sum(1) / filters.sum(1)
    assert centres_hz[20].item() == pytest.approx(21 * spacing_hz, rel=0.02)
    areas = filters[25:].sum(1) * 40.0
    assert ((areas - 1.0).abs() < 0.1).all()


WIDE, SHARED = 12, 5


def test_directions_that_agree_are_found_in_any_mixture() -> None:
    random = np.random.default_rng(0)
    mixture, _ = np.linalg.qr(random.normal(size=(WIDE, WIDE)))
    content = random.normal(size=(4000, SHARED)) * (1.0, 2.0, 0.7, 1.0, 3.0)
    sides = [
        np.hstack((content, 5 * random.normal(size=(4000, WIDE - SHARED)))) @ mixture
        for _ in range(2)
    ]
    found = content_directions(*sides)
    assert found.shape == (WIDE, SHARED)
    here, there = (side @ found for side in sides)
    assert np.allclose(here, there, atol=0.15)
    assert abs(here.var(0).mean() - 1) < 0.1
    solution = np.linalg.lstsq(here, content, rcond=None)[0]
    assert np.allclose(here @ solution, content, atol=0.3)


def test_moved_to_the_first_row_nothing_changes(checkpoint: Path) -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    teacher = read(checkpoint)
    with torch.no_grad():
        layer = teacher(torch.from_numpy(sound))[-1]
    here = (layer - positions(len(layer))).numpy()
    assert np.abs(moved(teacher, sound, 0) - here).max() < 1e-4
    assert np.abs(moved(teacher, sound, 300) - here).max() > 0.1


def test_it_is_fitted_to_sounds_and_to_a_scale(checkpoint: Path) -> None:
    random = np.random.default_rng(2)
    teacher = read(checkpoint)
    sounds = [random.normal(0, 0.1, 32_000).astype(np.float32) for _ in range(4)]
    clips = [(sound, moved(teacher, sound, 0)) for sound in sounds]
    spread = np.ones(WIDTH, np.float32)
    directions = fit_content(teacher, clips, spread)
    assert directions.shape[0] == WIDTH
    assert 1 < directions.shape[1] < WIDTH
    doubled = fit_content(teacher, clips, 2 * spread)
    assert torch.isfinite(doubled).all()
