"""The front end computes what the published network computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from cstalk_bridge.models.timing import SAMPLE_RATE_HZ
from cstalk_bridge.models.wav2vec import load_wav2vec
from cstalk_bridge.models.wav2vec.network import (
    BASE,
    LARGE,
    MAX_BATCH_S,
    MAX_SOUND_S,
    Wav2Vec,
    Wav2VecSizes,
)
from tests.models.wav2vec import tiny

if TYPE_CHECKING:
    from pathlib import Path

# What the transformers package (5.23, in float64) makes of these checkpoints and this sound:
# channels 0 and 1 of frames 0, 7 and 23.
EXPECTED = {
    "base": [1.70659, 0.96681, 1.63186, 1.03983, 1.42392, 1.10295],
    "large": [1.38107, 1.04293, 1.74039, 0.51983, 1.76333, 0.40338],
}
CONFIGS = {"base": {}, "large": tiny.LARGE}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec:
    folder = tmp_path_factory.mktemp("base")
    tiny.write_checkpoint(folder)
    return load_wav2vec(folder)


@pytest.mark.parametrize("kind", CONFIGS)
def test_it_agrees_with_the_reference(tmp_path: Path, kind: str) -> None:
    tiny.write_checkpoint(tmp_path, **CONFIGS[kind])
    heard = load_wav2vec(tmp_path).double()(tiny.chirp(8000).double())
    assert heard.shape == (1, 24, tiny.HIDDEN)
    found = heard[0, (0, 7, 23), :2].flatten()
    assert torch.allclose(found, torch.tensor(EXPECTED[kind]).double(), atol=1e-5)


def test_old_and_new_names_of_the_weight_norm_are_the_same_network(
    base: Wav2Vec, tmp_path: Path
) -> None:
    tiny.write_checkpoint(tmp_path, norm_names=tiny.NEW, prefix="")
    sound = tiny.chirp(4000)
    assert torch.equal(load_wav2vec(tmp_path)(sound), base(sound))


def test_normalised_sound_may_be_of_any_level(base: Wav2Vec) -> None:
    sound = tiny.chirp(4000)
    assert torch.allclose(base(sound * 3.0 + 0.4), base(sound), atol=1e-3)


def test_a_frame_hears_its_25_ms(tmp_path: Path) -> None:
    tiny.write_checkpoint(tmp_path, **tiny.LARGE)
    stem = load_wav2vec(tmp_path).feature_extractor
    sound = tiny.chirp(4000)
    before = stem(sound)
    changes = []
    for sample in (5 * 320 - 1, 5 * 320, 5 * 320 + 399, 5 * 320 + 400):
        other = sound.clone()
        other[0, sample] += 0.5
        changes.append(bool((stem(other)[0, 5] != before[0, 5]).any()))
    assert changes == [False, True, True, False]


def test_frames_can_be_asked_for_and_keep_their_ends(base: Wav2Vec) -> None:
    sound = tiny.chirp(16_000)
    assert base(sound).shape[1] == 49
    assert base(sound, 60).shape == (1, 60, tiny.HIDDEN)
    assert torch.allclose(base(sound, 49), base(sound), atol=1e-5)


def test_what_it_cannot_take_is_told(base: Wav2Vec) -> None:
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


@pytest.mark.parametrize(("sizes", "millions"), [(BASE, 94.4), (LARGE, 315.4)])
def test_the_published_sizes_give_the_published_parameters(
    sizes: Wav2VecSizes, millions: float
) -> None:
    with torch.device("meta"):
        network = Wav2Vec(sizes)
    # Less the size of the weight norm and the mask embedding, which inference folds or drops.
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
