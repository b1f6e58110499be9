"""Every network that can be trained keeps the one contract, so that they can be compared."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.loading import build_network, create_generator, load_network, save_network
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from cstalk_bridge.models.cstalk.network import FaceNetwork


CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "cstalk": {"width": 16, "encoder_dilations": (1, 2), "decoder_dilations": (1, 4)},
    "faceformer-like": {"width": 16, "ear_dilations": (1, 2), "memory_rows": 7, "run_in_rows": 2},
    "emotalk-like": {
        "content_width": 16,
        "emotion_width": 12,
        "width": 16,
        "ear_dilations": (1, 2),
        "emotion_dilations": (1,),
        "memory_rows": 5,
    },
}
TRAINED_ON_SOUND = [name for name in NETWORKS if name not in ("teacher", "cstalk-encoder")]
"""Those that learn from sound; the others use a trained encoder."""


def described(name: str) -> Description:
    sizes = NETWORKS[name].sizes(**SMALL[name])
    return Description(sizes, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {"licence": "none"}, name)


def made(name: str) -> FaceNetwork:
    torch.manual_seed(5)
    return build_network(described(name)).eval()


def inputs(network: FaceNetwork, rows: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    dice = torch.Generator().manual_seed(1)
    hops = network.architecture.window_hops - 1 + rows
    samples = 0.1 * torch.randn(batch, HISTORY_SAMPLES + hops * HOP_SAMPLES, generator=dice)
    emotion = torch.rand(batch, len(CONDITIONS), generator=dice)
    return samples, emotion, torch.tensor([3, 8])[:batch]


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_the_sizes_are_about_ours(name: str) -> None:
    network = build_network(
        Description(NETWORKS[name].sizes(), AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, name)
    )
    count = sum(p.numel() for p in network.parameters())
    assert 1.95e6 < count < 2.05e6


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
@torch.inference_mode()
def test_an_output_for_each_hop_after_the_window(name: str) -> None:
    network = made(name)
    samples, emotion, delays = inputs(network, 9)
    channels, phones = network(samples, emotion, delays)
    assert channels.shape == (2, len(AUDIO_DRIVEN), 9)
    assert phones is not None
    assert phones.shape[:2] == (2, network.architecture.phones)
    assert phones.shape[2] >= 9
    by_hop = emotion[..., None].expand(-1, -1, network.architecture.window_hops + 8)
    assert torch.allclose(network(samples, by_hop, delays)[0], channels, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
@torch.inference_mode()
def test_sound_to_come_changes_nothing(name: str) -> None:
    network = made(name)
    samples, emotion, delays = inputs(network, 9)
    other = samples.clone()
    changed = 5  # the first output that may change
    first = HISTORY_SAMPLES + (network.architecture.window_hops - 1 + changed) * HOP_SAMPLES
    other[:, first:] = 0.3
    before, phones = network(samples, emotion, delays)
    after, phones_after = network(other, emotion, delays)
    assert torch.allclose(before[..., :changed], after[..., :changed], atol=1e-6)
    assert (before[..., changed] - after[..., changed]).abs().max() > 1e-4
    assert torch.allclose(phones[..., : changed - 9], phones_after[..., : changed - 9], atol=1e-6)


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
@torch.inference_mode()
def test_a_windowed_network_depends_on_its_window_and_all_of_it(name: str) -> None:
    network = made(name)
    samples, emotion, delays = inputs(network, 1)
    earlier = torch.full((2, 30 * HOP_SAMPLES), 0.2)
    after = network(torch.cat((earlier, samples), 1), emotion, delays)[0][..., -1]
    alone = network(samples, emotion, delays)[0][..., -1]
    assert torch.allclose(after, alone, atol=1e-5) == network.is_windowed
    silent_start = samples.clone()
    silent_start[:, : HISTORY_SAMPLES + HOP_SAMPLES] = 0.0
    assert (network(silent_start, emotion, delays)[0][..., -1] != alone).any()


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
@torch.inference_mode()
def test_emotion_and_delay_are_heeded(name: str) -> None:
    network = made(name)
    samples, emotion, delays = inputs(network, 4)
    plain = network(samples, emotion, delays)[0]
    assert (network(samples, emotion.flip(1), delays)[0] - plain).abs().max() > 1e-4
    assert (network(samples, emotion, delays + 2)[0] - plain).abs().max() > 1e-4


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_a_file_brings_the_same_network_back(name: str, tmp_path: Path) -> None:
    network, description = made(name), described(name)
    save_network(tmp_path / "w.safetensors", network, description)
    again, read = load_network(tmp_path / "w.safetensors", CPU)
    assert read == description
    given = inputs(network, 3)
    with torch.inference_mode():
        assert torch.allclose(network(*given)[0], again(*given)[0], atol=1e-6)


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_only_what_streams_is_let_into_the_bridge(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_network(path, made(name), described(name))
    if NETWORKS[name].streams:
        load_generator(path, "cpu").stream(1)
        return
    with pytest.raises(WeightsError, match=rf"w\.safetensors: a {name} .+ cannot stream.+; use"):
        load_generator(path, "cpu")
    network, description = load_network(path, CPU)
    whole = create_generator(network, description)
    for call in (
        lambda: whole.stream(1),
        lambda: whole.passes(np.zeros((1, 1, len(EMOTIONS)), np.float32)),
    ):
        with pytest.raises(WeightsError, match=f"{name} network cannot stream"):
            call()


def test_an_unknown_network_and_sizes_that_make_none_are_refused(tmp_path: Path) -> None:
    network = made("emotalk-like")
    sizes = asdict(cast("Any", network.architecture))
    for fields, message in (
        ({"network": "wav2lip"}, "description is damaged"),
        ({"architecture": sizes | {"heads": 0}}, "make no network"),
        ({"architecture": sizes | {"memory_rows": 10**9}}, "memory_rows"),
        ({"architecture": sizes | {"width": 10**9}}, "do not fit"),
    ):
        path = tmp_path / "w.safetensors"
        save_network(path, network, altered(described("emotalk-like"), fields))
        with pytest.raises(WeightsError, match=message):
            load_network(path, CPU)


def altered(description: Description, fields: dict[str, Any]) -> Description:
    document = asdict(description) | fields
    return Description(**document)
