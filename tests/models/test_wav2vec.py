"""The front end computes what the published network computes, from whole checkpoints only.

A folder that is no checkpoint says why; nothing is loaded by half, and no code runs.
"""

from __future__ import annotations

import json
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ
from cstalk_bridge.models.wav2vec import (
    CONFIG,
    MAX_BATCH_S,
    MAX_SOUND_S,
    Wav2Vec,
    load_wav2vec,
    read_config,
)
from tests.models import tiny_wav2vec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_wav2vec.write_checkpoint(tmp_path / "tiny")
    return tmp_path / "tiny"


def change(folder: Path, name: str, **fields: Any) -> None:
    document = json.loads((folder / name).read_text("utf-8")) | fields
    (folder / name).write_text(json.dumps(document), encoding="utf-8")


def test_every_weight_is_read_and_frozen(folder: Path) -> None:
    network = load_wav2vec(folder)
    layer = network.model.encoder.layers[1]
    wanted = tiny_wav2vec.sines(
        "encoder.layers.1.attention.q_proj.weight", (tiny_wav2vec.HIDDEN, tiny_wav2vec.HIDDEN)
    )
    assert torch.equal(layer.attention.q_proj.weight, wanted)
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(p.is_meta for p in (*network.parameters(), *network.buffers()))


def test_without_a_preprocessor_file_sound_is_normalised(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    assert load_wav2vec(folder).do_normalize


def test_half_precision_is_read(folder: Path) -> None:
    tensors = tiny_wav2vec.write_checkpoint(folder)
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


def test_missing_unexpected_and_misshapen_tensors_are_all_reported(folder: Path) -> None:
    tensors = tiny_wav2vec.write_checkpoint(folder)
    del tensors["wav2vec2.encoder.layer_norm.bias"]
    tensors["wav2vec2.encoder.extra"] = torch.zeros(1)
    tensors["wav2vec2.feature_projection.projection.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_wav2vec(folder)
    for message in (
        "1 missing tensors (encoder.layer_norm.bias)",
        "1 unexpected tensors (encoder.extra)",
        "feature_projection.projection.bias is [3], not [24]",
    ):
        assert message in str(caught.value)


def test_half_a_weight_norm_is_a_missing_tensor(folder: Path) -> None:
    tensors = tiny_wav2vec.write_checkpoint(folder)
    del tensors["wav2vec2.encoder.pos_conv_embed.conv.weight_g"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing tensors \(encoder.pos_conv_embed.conv.+\.wei"):
        load_wav2vec(folder)


def test_values_that_are_not_finite_are_refused(folder: Path) -> None:
    tensors = tiny_wav2vec.write_checkpoint(folder)
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
    ("fields", "message"),
    [
        ({"model_type": "hubert"}, "model_type is 'hubert'"),
        ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
        ({"num_hidden_layers": 10**6, "hidden_size": "x"}, "num_hidden_layers"),
        ({"conv_kernel": [3] * 500}, "equally long"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 4]}, "640 samples"),
        ({"conv_dim": 512}, "conv_dim is 512"),
        ({"num_attention_heads": 5}, "not a multiple of num_attention_heads"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"do_stable_layer_norm": "yes"}, "expected False or True"),
        ({"feat_extract_norm": "batch"}, "expected 'group' or 'layer'"),
        ({"layer_norm_eps": -1.0}, "layer_norm_eps"),
        ({"add_adapter": True}, "add_adapter"),
    ],
)
def test_a_config_of_another_network_is_refused(
    folder: Path, fields: dict[str, Any], message: str
) -> None:
    change(folder, "config.json", **fields)
    with pytest.raises(WeightsError, match=r"config\.json: .+; ") as caught:
        load_wav2vec(folder)
    assert message in str(caught.value)


def test_sound_of_another_rate_is_refused(folder: Path) -> None:
    change(folder, "preprocessor_config.json", sampling_rate=8000, feature_size=2, do_normalize=1)
    with pytest.raises(WeightsError, match=r"8000 Hz.+feature_size 2.+do_normalize 1"):
        load_wav2vec(folder)


def test_a_network_larger_than_a_file_may_be_is_refused_before_it_takes_memory(
    folder: Path,
) -> None:
    change(folder, "config.json", num_hidden_layers=48, hidden_size=1536, intermediate_size=8192)
    with pytest.raises(WeightsError, match=r"config\.json: .+ bytes, more than .+; "):
        load_wav2vec(folder)


def test_without_the_library_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsError, match=r"pip install 'cstalk-bridge\[wav2vec\]'"):
        load_wav2vec(folder)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\ud800"])
def test_a_config_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_wav2vec(folder)


# What the transformers package (5.23, in float64) makes of these checkpoints and this sound:
# channels 0 and 1 of frames 0, 7 and 23.
EXPECTED = {
    "base": [1.70659, 0.96681, 1.63186, 1.03983, 1.42392, 1.10295],
    "large": [1.38107, 1.04293, 1.74039, 0.51983, 1.76333, 0.40338],
}
CONFIGS: dict[str, dict[str, Any]] = {"base": {}, "large": tiny_wav2vec.LARGE}
LARGE_SIZES = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec:
    folder = tmp_path_factory.mktemp("base")
    tiny_wav2vec.write_checkpoint(folder)
    return load_wav2vec(folder)


@pytest.mark.parametrize("kind", CONFIGS)
def test_it_agrees_with_the_reference(tmp_path: Path, kind: str) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path, **CONFIGS[kind])
    rows = load_wav2vec(tmp_path).double()(tiny_wav2vec.chirp(8000).double())
    assert rows.shape == (1, 24, tiny_wav2vec.HIDDEN)
    found = rows[0, (0, 7, 23), :2].flatten()
    assert torch.allclose(found, torch.tensor(EXPECTED[kind]).double(), atol=1e-5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_it_is_the_whole_model_of_the_library_on_its_own_preprocessing(
    tmp_path: Path, kind: str
) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path, prefix="", **CONFIGS[kind])
    sound = tiny_wav2vec.chirp(6000)
    prepare = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path, local_files_only=True)
    model = Wav2Vec2Model.from_pretrained(tmp_path, local_files_only=True)
    given = prepare(sound[0].numpy(), sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
    with torch.no_grad():
        expected = model(**given).last_hidden_state
    assert torch.allclose(load_wav2vec(tmp_path)(sound), expected, atol=1e-4)


def test_old_and_new_names_of_the_weight_norm_are_the_same_network(
    base: Wav2Vec, tmp_path: Path
) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path, norm_names=tiny_wav2vec.NEW, prefix="")
    sound = tiny_wav2vec.chirp(4000)
    assert torch.equal(load_wav2vec(tmp_path)(sound), base(sound))


def test_normalised_sound_may_be_of_any_level(base: Wav2Vec) -> None:
    sound = tiny_wav2vec.chirp(4000)
    assert torch.allclose(base(sound * 3.0 + 0.4), base(sound), atol=1e-3)


def test_a_frame_covers_its_25_ms(tmp_path: Path) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path, **tiny_wav2vec.LARGE)
    stem = load_wav2vec(tmp_path).model.feature_extractor
    sound = tiny_wav2vec.chirp(4000)
    before = stem(sound)
    changes = []
    for sample in (5 * 320 - 1, 5 * 320, 5 * 320 + 399, 5 * 320 + 400):
        other = sound.clone()
        other[0, sample] += 0.5
        changes.append(bool((stem(other)[0, :, 5] != before[0, :, 5]).any()))
    assert changes == [False, True, True, False]


def test_frames_can_be_asked_for_and_keep_their_ends(base: Wav2Vec) -> None:
    sound = tiny_wav2vec.chirp(16_000)
    assert base(sound).shape[1] == 49
    assert base(sound, 60).shape == (1, 60, tiny_wav2vec.HIDDEN)
    assert torch.allclose(base(sound, 49), base(sound), atol=1e-5)


def test_invalid_sound_is_reported(base: Wav2Vec) -> None:
    with pytest.raises(ValueError, match=r"\[batch, time\]"):
        base(torch.zeros(400))
    with pytest.raises(ValueError, match="from 400 to 960000"):
        base(torch.zeros(1, 399))
    with pytest.raises(ValueError, match="in pieces"):
        base(torch.zeros(1, MAX_SOUND_S * SAMPLE_RATE_HZ + 1))
    with pytest.raises(ValueError, match="120 s together"):
        base(torch.zeros(MAX_BATCH_S + 1, SAMPLE_RATE_HZ))
    with pytest.raises(ValueError, match="0 frames"):
        base(torch.zeros(1, 400), 0)


@pytest.mark.parametrize(
    ("sizes", "millions"), [({}, 94.4), (LARGE_SIZES | tiny_wav2vec.LARGE, 315.4)]
)
def test_the_published_sizes_give_the_published_parameters(
    tmp_path: Path, sizes: dict[str, Any], millions: float
) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"model_type": "wav2vec2", **sizes}))
    config, _ = read_config(tmp_path, Wav2Vec2Config)
    with torch.device("meta"):
        network = Wav2Vec2Model(config)
    # Less the mask embedding, which only training needs.
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
