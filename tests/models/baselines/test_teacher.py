"""The paper's network: a wav2vec 2.0 of its user's, and a decoder that looks both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors import safe_open

from cstalk_bridge.models.baselines.teacher import Teacher, TeacherSizes, fingerprint
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.loading import (
    build_network,
    load_network,
    load_streaming_network,
    save_network,
)
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.wav2vec import load_wav2vec
from tests.models import tiny_wav2vec

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.wav2vec import Wav2Vec


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec:
    folder = tmp_path_factory.mktemp("wav2vec")
    tiny_wav2vec.write_checkpoint(folder)
    return load_wav2vec(folder)


@pytest.fixture
def description(front_end: Wav2Vec) -> Description:
    sizes = TeacherSizes(
        hidden=tiny_wav2vec.HIDDEN, front_end=fingerprint(front_end), width=16, window_hops=8
    )
    return Description(sizes, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}, "teacher")


@pytest.fixture
def teacher(description: Description, front_end: Wav2Vec) -> Teacher:
    torch.manual_seed(4)
    network = build_network(description)
    assert isinstance(network, Teacher)
    network.attach(front_end)
    return network


def sound(hops: int) -> torch.Tensor:
    return torch.cat((torch.zeros(1, HISTORY_SAMPLES), tiny_wav2vec.chirp(hops * HOP_SAMPLES)), 1)


@torch.inference_mode()
def test_the_delay_only_says_which_row_follows_which_hop(teacher: Teacher) -> None:
    emotion = torch.rand(1, len(CONDITIONS))
    early, phones = teacher(sound(120), emotion, torch.tensor([1]))
    late, _ = teacher(sound(120), emotion, torch.tensor([6]))
    assert phones is None
    assert early.shape == (1, len(AUDIO_DRIVEN), 113)
    assert (early[..., 0] != late[..., 0]).any()
    middle = slice(50, 55)  # out of the decoder's sight of the ends
    wide = slice(55, 60)
    assert torch.allclose(early[..., middle], late[..., wide], atol=1e-5)


@torch.inference_mode()
def test_it_uses_the_future(teacher: Teacher) -> None:
    other = sound(40)
    other[:, -HOP_SAMPLES:] = 0.3
    emotion, delay = torch.zeros(1, len(CONDITIONS)), torch.tensor([4])
    assert (teacher(other, emotion, delay)[0] != teacher(sound(40), emotion, delay)[0]).any()


@torch.inference_mode()
def test_emotion_reaches_the_face_of_its_time_through_every_layer(teacher: Teacher) -> None:
    emotion = torch.zeros(1, len(CONDITIONS), 60)
    plain = teacher(sound(60), emotion, torch.tensor([0]))[0]
    emotion[..., 59] = 1.0
    moved = (teacher(sound(60), emotion, torch.tensor([0]))[0] != plain).any(1)[0]
    assert moved[-1]
    assert not moved[:10].any()
    blocks: Any = teacher.decoder.blocks
    assert len({film.weight.shape for block in blocks for film in block.films}) == 1


def test_a_file_holds_the_decoder_and_names_its_front_end(
    teacher: Teacher, description: Description, front_end: Wav2Vec, tmp_path: Path
) -> None:
    path = tmp_path / "teacher.safetensors"
    save_network(path, teacher, description)
    with safe_open(path, "pt") as file:
        assert all(name.startswith("decoder.") for name in file.keys())  # noqa: SIM118
    again, read = load_network(path, CPU)
    assert read == description
    assert isinstance(again, Teacher)
    given = sound(30), torch.ones(1, len(CONDITIONS)), torch.tensor([4])
    with pytest.raises(WeightsError, match="no front end; attach"):
        again(*given)
    again.attach(front_end)
    assert torch.allclose(again(*given)[0], teacher(*given)[0], atol=1e-6)
    with pytest.raises(WeightsError, match="teacher network cannot stream"):
        load_streaming_network(path, CPU)


def test_another_front_end_is_refused(teacher: Teacher, tmp_path: Path) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path, **tiny_wav2vec.LARGE)
    with pytest.raises(WeightsError, match=r"another wav2vec 2\.0 checkpoint; "):
        teacher.attach(load_wav2vec(tmp_path))
