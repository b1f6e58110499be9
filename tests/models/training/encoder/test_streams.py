"""Streams join clips without losing sound, rows or phones against one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.features import ENCODER_HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.batches import UNKNOWN_PHONE
from cstalk_bridge.models.training.encoder.phones import Labels
from cstalk_bridge.models.training.encoder.streams import Batch, EncoderCorpus, Streams, scenes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


HOPS = 200


def streams(cache: Path, monkeypatch: pytest.MonkeyPatch | None = None) -> Streams:
    """Streams of a set; without augmentation where scenes can be patched."""
    if monkeypatch is not None:
        monkeypatch.setattr(
            "cstalk_bridge.models.training.encoder.streams.scenes", lambda sound, *_: sound
        )
    train_set = EncoderCorpus(cache, "train")
    return Streams(train_set, Labels(train_set, cache / "phones.json"), 3, HOPS)


def test_sound_and_layer_stay_together(
    teacher_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the fixture a row of the layer is twice the sound of its hop, copies counted apart."""
    batch = streams(teacher_cache, monkeypatch).draw(1, 0)
    sound = batch.samples[:, ENCODER_HISTORY_SAMPLES:].reshape(3, HOPS, HOP_SAMPLES)
    middle = 2 * sound[..., HOP_SAMPLES // 2]
    row = batch.layer[..., 0] - (batch.layer[..., 0] > 1).float()
    assert batch.layer_known.float().mean() > 0.5
    assert (middle - row)[batch.layer_known].abs().max() < 1e-2
    assert batch.samples.shape == (3, ENCODER_HISTORY_SAMPLES + HOPS * HOP_SAMPLES)


def test_pauses_are_silent_and_their_phone_is_silence(
    teacher_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = streams(teacher_cache, monkeypatch).draw(1, 1)
    sound = batch.samples[:, ENCODER_HISTORY_SAMPLES:].reshape(3, HOPS, HOP_SAMPLES)
    pauses = sound.abs().amax(-1) == 0
    assert pauses.any()
    assert (batch.phones[pauses] == 0).all()
    assert not batch.layer_known[pauses].any()


def test_a_batch_depends_on_seed_and_number_only(teacher_cache: Path) -> None:
    def fields(batch: Batch) -> list[torch.Tensor]:
        return [batch.samples, batch.layer, batch.layer_known, batch.phones]

    one, same = (streams(teacher_cache).draw(4, 7) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(fields(one), fields(same), strict=True))
    assert not torch.equal(one.samples, streams(teacher_cache).draw(4, 8).samples)
    assert not torch.equal(one.samples, streams(teacher_cache).draw(5, 7).samples)


def test_without_labels_no_phone_is_known(teacher_cache: Path) -> None:
    batch = Streams(EncoderCorpus(teacher_cache, "train"), None, 2, HOPS).draw(1, 0)
    assert set(batch.phones[batch.layer_known].tolist()) == {UNKNOWN_PHONE}


def test_scenes_differ_within_a_stream_and_some_leave_silence_alone() -> None:
    random, rng = np.random.default_rng(0), torch.Generator().manual_seed(0)
    sound = torch.from_numpy(random.normal(0, 0.05, (24, 2 * 16_000)).astype(np.float32))
    sound[:, :4000] = 0.0
    augmented = scenes(sound, [random.normal(0, 0.1, 5000).astype(np.float32)], random, rng)
    assert augmented.shape == sound.shape
    assert augmented.abs().max() <= 1.0
    half = sound.shape[1] // 2
    levels = torch.stack([part.square().mean(1).sqrt() for part in augmented.split(half, 1)])
    assert (levels[0] / levels[1]).log().abs().median() > 0.3
    untouched = (augmented[:, :4000] == 0).all(1)
    assert 0 < int(untouched.sum()) < 12
