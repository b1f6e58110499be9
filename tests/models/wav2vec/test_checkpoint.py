"""A folder that is no checkpoint says why; nothing is loaded by half, and no code runs."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.wav2vec import load_wav2vec
from tests.models.wav2vec import tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.write_checkpoint(tmp_path / "tiny")
    return tmp_path / "tiny"


def change(folder: Path, name: str, **fields: Any) -> None:
    document = json.loads((folder / name).read_text("utf-8")) | fields
    (folder / name).write_text(json.dumps(document), encoding="utf-8")


def test_every_weight_is_read_and_frozen(folder: Path) -> None:
    network = load_wav2vec(folder)
    layer = network.encoder.layers[1]
    wanted = tiny.sines("encoder.layers.1.attention.q_proj.weight", (tiny.HIDDEN, tiny.HIDDEN))
    assert torch.equal(layer.attention.q_proj.weight, wanted)
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(p.is_meta for p in (*network.parameters(), *network.buffers()))


def test_without_a_preprocessor_file_sound_is_normalised(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    assert load_wav2vec(folder).sizes.do_normalize


def test_half_precision_is_read(folder: Path) -> None:
    tensors = tiny.write_checkpoint(folder)
    save_file({n: t.half() for n, t in tensors.items()}, folder / "model.safetensors")
    assert {p.dtype for p in load_wav2vec(folder).parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=f"{name}: .+; "):
        load_wav2vec(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="none: there is no such folder; "):
        load_wav2vec(tmp_path / "none")


class Bomb:
    exploded = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Bomb, "exploded", True))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_pickled_weights_are_refused_and_never_run(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError, match=r"pickled|no safetensors"):
        load_wav2vec(folder)
    assert not Bomb.exploded


def test_missing_unexpected_and_misshapen_tensors_are_all_told(folder: Path) -> None:
    tensors = tiny.write_checkpoint(folder)
    del tensors["wav2vec2.encoder.layer_norm.bias"]
    tensors["wav2vec2.encoder.extra"] = torch.zeros(1)
    tensors["wav2vec2.feature_projection.projection.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_wav2vec(folder)
    for told in (
        "1 missing tensors (encoder.layer_norm.bias)",
        "1 unexpected tensors (encoder.extra)",
        "feature_projection.projection.bias is [3], not [24]",
    ):
        assert told in str(caught.value)


def test_half_a_weight_norm_is_a_missing_tensor(folder: Path) -> None:
    tensors = tiny.write_checkpoint(folder)
    del tensors["wav2vec2.encoder.pos_conv_embed.conv.weight_g"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing tensors \(encoder.pos_conv_embed.conv.wei"):
        load_wav2vec(folder)


def test_values_that_are_not_finite_are_refused(folder: Path) -> None:
    tensors = tiny.write_checkpoint(folder)
    tensors["wav2vec2.encoder.layer_norm.bias"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        load_wav2vec(folder)


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="damaged"):
        load_wav2vec(folder)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model_type": "hubert"}, "model_type is 'hubert'"),
        ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
        ({"num_hidden_layers": 10**6, "hidden_size": "x"}, "num_hidden_layers"),
        ({"conv_kernel": [3] * 500}, "equally long"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 4]}, "640 samples"),
        ({"conv_dim": 512}, "conv_dim is 512"),
        ({"num_attention_heads": 5}, "no multiple of num_attention_heads"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"do_stable_layer_norm": "yes"}, "neither true nor false"),
        ({"feat_extract_norm": "batch"}, "neither 'group' nor 'layer'"),
        ({"layer_norm_eps": -1.0}, "layer_norm_eps"),
        ({"add_adapter": True}, "add_adapter"),
    ],
)
def test_a_config_of_another_network_is_refused(
    folder: Path, fields: dict[str, Any], told: str
) -> None:
    change(folder, "config.json", **fields)
    with pytest.raises(WeightsError, match=r"config\.json: .+; ") as caught:
        load_wav2vec(folder)
    assert told in str(caught.value)


def test_sound_of_another_rate_is_refused(folder: Path) -> None:
    change(folder, "preprocessor_config.json", sampling_rate=8000, feature_size=2, do_normalize=1)
    with pytest.raises(WeightsError, match=r"8000 Hz.+feature_size 2.+do_normalize 1"):
        load_wav2vec(folder)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\ud800"])
def test_a_config_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_wav2vec(folder)
