"""Streams of encoder rows, and the batches of a decoder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import ENCODER_DELAYS, EncoderArchitecture
from cstalk_bridge.models.cstalk.network import EncoderGenerator
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.encoder.network import Encoder, EncoderSizes, encode
from cstalk_bridge.models.encoder.weights import EncoderDescription, save_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import delay_hops
from cstalk_bridge.models.loading import load_network, save_network
from cstalk_bridge.models.training import encoder_rows, encoder_training
from cstalk_bridge.models.training import train as trainer
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.encoder.phones import HEADS
from cstalk_bridge.models.training.encoder_rows import EARLY_HOPS, ROWS, EncoderRowSet
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.run import TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path


CPU = torch.device("cpu")
HOPS = 800
SHORT = TrainingConfig(
    steps=4, batch=2, warm_up_steps=1, check_every=100, save_every=2, network="cstalk-encoder"
)


@pytest.fixture(scope="module")
def encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder of the default width, with heads."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("encoder") / "encoder.safetensors"
    sizes = EncoderSizes()
    heads = torch.nn.Linear(sizes.width, len(HEADS))
    save_encoder(path, Encoder(sizes), EncoderDescription(sizes, {}, HEADS), heads)
    return path


@pytest.fixture(scope="module")
def cache(
    corpus_folder: Path, encoder_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A corpus with encoder rows of two short streams."""
    folder = tmp_path_factory.mktemp("heard") / "cache"
    shutil.copytree(corpus_folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder_rows, "HOPS", HOPS)
        encoder_rows.make(folder, encoder_path, "train", 2)
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, encoder_path: Path) -> None:
    monkeypatch.setattr(encoder_rows, "HOPS", HOPS)
    monkeypatch.setattr(encoder_rows, "HOPS", HOPS)
    monkeypatch.setattr(encoder_training.on_encoder, "__defaults__", (encoder_path,))


@pytest.fixture(scope="module")
def acted(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That corpus, and after it a happy actor whose face stands still, on the same sound."""
    folder = tmp_path_factory.mktemp("acted") / "cache"
    shutil.copytree(corpus_folder, folder)
    index = json.loads((folder / "index.json").read_text("utf-8"))
    actor = {"name": ACTOR, "emotion": {"happy": 1.0}, "captured": 0}
    index.append(index[0] | actor | {"part": "train"})
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    np.full((index[0]["rows"], len(AUDIO_DRIVEN)), 0.5, "<f2").tofile(folder / "captured.f16")
    return folder


ACTOR = "ravdess/03-01-03-02-01-01-01"


def test_streams_of_another_set_are_shared_and_the_others_hold_what_it_lacks(
    cache: Path, acted: Path, encoder_path: Path
) -> None:
    encoder_rows.make(acted, encoder_path, "train", 2, cache, 1)
    one, other = (acted / f"heard/train-000{number}.npz" for number in (0, 1))
    assert one.read_bytes() == (cache / "heard/train-0000.npz").read_bytes()
    actor = len(json.loads((cache / "index.json").read_text("utf-8")))
    with np.load(other) as archive:
        assert set(archive["clip"].tolist()) == {-1, actor}
    with pytest.raises(ValueError, match="does not begin with the clips"):
        encoder_rows.make(cache, encoder_path, "train", 2, acted, 1)


def test_an_actor_plays_what_the_generator_is_told(
    cache: Path, acted: Path, encoder_path: Path
) -> None:
    encoder_rows.make(acted, encoder_path, "train", 2, cache, 1)
    batch = EncoderRowSet(acted, "train").draw(EncoderArchitecture(), 24, 3, 0)
    tracked = (batch.targets[..., encoder_rows.UNSPOKEN] == 0.5).all(-1).any(1)
    assert 4 < int(tracked.sum()) < 20
    assert (batch.conditions[tracked, list(EMOTIONS).index("happy")] == 1.0).all()
    spoken = torch.from_numpy(OBSERVED_CHANNELS & ~encoder_rows.UNSPOKEN)
    assert not (batch.targets[tracked][..., spoken] == 0.5).all(-1).any()


def test_a_stream_knows_whose_row_each_hop_is(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, "train")
    numbers = {clip["name"]: place for place, clip in enumerate(corpus.clips)}
    stream = encoder_rows.compose(corpus, numbers, np.random.default_rng(3))
    is_speech = stream.clip >= 0
    assert 0.2 < is_speech.mean() < 1.0
    assert stream.at == HOPS
    # Loudness counts the rows of a clip; what was said at its own speed and level still does.
    plain = is_speech & (stream.effort == 0) & (stream.position == np.rint(stream.position))
    level = np.abs(stream.sound.reshape(HOPS, -1)).max(1)
    rows = stream.position[plain] / 200
    assert np.corrcoef(level[plain], rows)[0, 1] > 0.95


def test_rows_are_those_of_the_whole_recording(encoder_path: Path) -> None:
    from cstalk_bridge.models.encoder.weights import load_encoder

    sound = 0.1 * np.random.default_rng(0).standard_normal(60 * 320).astype(np.float32)
    network = load_encoder(encoder_path)[0]
    rows = encoder_rows.encode_stream(network, sound)
    for delay in range(3):
        assert np.abs(rows[f"ear_{delay}"] - encode(network, sound, delay)).max() < 0.05


def test_streams_are_kept_until_what_they_are_made_of_changes(
    cache: Path, encoder_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy)
    path = copy / "heard/train-0000.npz"
    before = path.stat().st_mtime_ns
    encoder_rows.make(copy, encoder_path, "train", 2)
    assert path.stat().st_mtime_ns == before
    index = json.loads((copy / "index.json").read_text("utf-8"))
    (copy / "index.json").write_text(json.dumps([*index, index[0]]), encoding="utf-8")
    encoder_rows.make(copy, encoder_path, "train", 1)
    assert path.stat().st_mtime_ns != before
    assert not (copy / "heard/train-0001.npz").exists()


def test_a_batch_pairs_sound_with_the_face_of_its_time(cache: Path) -> None:
    """With the encoder's rows in place of time, each piece gives the time of its faces."""
    streams = EncoderRowSet(cache, "train")
    count = np.arange(HOPS, dtype=np.float32)
    clock = np.repeat(count[:, None], 384, axis=1).astype(np.float16)
    gestures = np.zeros((HOPS, len(GESTURES)), np.float32)
    gestures[:, list(GESTURES).index("tongue_up")] = count / HOPS
    one = replace(
        streams.streams[0],
        rows_by_delay=(clock, clock, clock),
        gestures=gestures,
        stress=np.zeros(HOPS, np.float32),
        envelopes=np.zeros((HOPS, 4), np.float32),
    )
    streams.streams = [one]
    sizes = EncoderArchitecture()
    batch = streams.draw(sizes, 8, 1, 5)
    assert batch.rows.shape == (8, 384, sizes.window_rows + ROWS)
    place = [i for i, m in enumerate(GESTURES["tongue_up"].channels)]
    assert place == [0]
    from cstalk_bridge.models.training.rules import POSITION

    column = POSITION[GESTURES["tongue_up"].channels[0]]
    for row, delay in enumerate(batch.delay_hops.tolist()):
        heard_last = batch.rows[row, 0, -1].item()
        face_last = batch.targets[row, -1, column].item() * HOPS
        late = delay_hops(ENCODER_DELAYS[delay])
        assert heard_last - face_last == pytest.approx(delay - late - EARLY_HOPS, abs=0.6)


def test_it_learns_and_resumes_and_leaves_the_encoder_alone(cache: Path, tmp_path: Path) -> None:
    network, description = trainer.train(cache, tmp_path / "run", SHORT, CPU)
    assert isinstance(network, EncoderGenerator)
    again, _ = trainer.train(cache, tmp_path / "run", SHORT, CPU)
    fresh = encoder_training.on_encoder(EncoderGenerator(network.architecture, *description.limits))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
        if name.startswith(("ear.", "phone_head")):
            assert torch.equal(tensor, fresh.state_dict()[name])
    assert not torch.equal(network.head.weight, fresh.head.weight)
    save_network(tmp_path / "w.safetensors", network, description)
    assert load_network(tmp_path / "w.safetensors", CPU)[1].network == "cstalk-encoder"


def test_without_streams_the_error_names_the_command_to_run(
    corpus_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"models\.training\.encoder_rows"):
        trainer.train(corpus_folder, tmp_path, SHORT, CPU)
