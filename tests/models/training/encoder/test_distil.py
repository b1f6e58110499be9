"""Both stages learn, resume, and write weights that say what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import RIGHT_HOPS
from cstalk_bridge.models.training.encoder import distil as first_stage
from cstalk_bridge.models.training.encoder import phones as second_stage
from cstalk_bridge.models.training.encoder import streams
from cstalk_bridge.models.training.encoder.phones import HEADS
from cstalk_bridge.models.training.encoder.streams import EncoderCorpus
from cstalk_bridge.models.training.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.encoder.network import Encoder


SHORT = replace(
    first_stage.SETTINGS,
    batch=2,
    steps=4,
    warm_up_steps=1,
    check_every=100,
    save_every=2,
    precision="fp32",
)

EVERYTHING = torch.eye(384)
"""Every direction of the teacher's layer."""


@pytest.fixture(autouse=True)
def _short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.Streams.__init__, "__defaults__", (None, 2, 60))


@pytest.fixture(scope="module")
def initial(checkpoint: Path, teacher_cache: Path) -> Encoder:
    return first_stage.initial_encoder(checkpoint, teacher_cache)


def test_it_begins_as_the_teacher_on_the_teacher_s_scale(
    initial: Encoder, checkpoint: Path
) -> None:
    tensors = np.load(checkpoint)
    inner = initial.stack[1].inner.weight.detach().numpy()
    assert np.array_equal(inner, tensors["layer_1.ffn.linear_0.weight"])
    assert all(layer.offset.detach().abs().max() > 0 for layer in initial.stack)
    assert initial.mean.tolist() == pytest.approx([1.005] * 384, abs=0.1)


def test_a_few_steps_bring_it_nearer(initial: Encoder, teacher_cache: Path, tmp_path: Path) -> None:
    longer = replace(SHORT, steps=12, learning_rate=1e-3)
    trained = first_stage.distil(teacher_cache, tmp_path, longer, initial, EVERYTHING)
    dev = streams.Streams(EncoderCorpus(teacher_cache, "dev"))
    batch = dev.draw(3, 0)
    with torch.no_grad():
        losses = [
            first_stage.layer_loss(
                e, first_stage.features_of(e, batch, 1, "fp32"), batch, EVERYTHING
            )
            for e in (initial, trained)
        ]
    assert losses[1] < losses[0]


def test_an_interrupted_run_ends_with_the_same_weights(
    initial: Encoder, teacher_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = first_stage.distil(teacher_cache, tmp_path / "straight", SHORT, initial, EVERYTHING)
    kept = Run.save

    def save_then_stop(run: Run[Any]) -> None:
        kept(run)
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "save", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        first_stage.distil(teacher_cache, tmp_path / "broken", SHORT, initial, EVERYTHING)
    monkeypatch.setattr(Run, "save", kept)
    resumed = first_stage.distil(teacher_cache, tmp_path / "broken", SHORT, initial, EVERYTHING)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_phones_go_on_from_the_layer_and_reach_every_layer(
    initial: Encoder, teacher_cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "encoder.safetensors"
    card: dict[str, object] = {"licence": "Apache-2.0", "training_hash": "first"}
    network = second_stage.train(
        teacher_cache,
        tmp_path / "run",
        out,
        SHORT,
        second_stage.EncoderWithHeads(initial),
        card,
        EVERYTHING,
    )
    encoder, heads, description = load_encoder(out)
    assert description.heads == HEADS
    assert description.card["licence"] == "Apache-2.0"
    assert description.card["settings"]["begun_with"] == "first"
    assert "OpenAI" in description.card["notice"]
    rows = torch.randn(3, 384)
    assert heads is not None
    assert torch.allclose(heads(rows), network.logits(rows), atol=1e-2)
    further = second_stage.EncoderWithHeads(encoder, heads)
    assert torch.allclose(further.logits(rows), heads(rows), atol=1e-4)
    for name, tensor in initial.named_parameters():
        if name != "delays":  # a step has one delay
            assert not torch.equal(encoder.state_dict()[name], tensor), name


def test_a_run_of_another_set_is_not_resumed(
    initial: Encoder, teacher_cache: Path, tmp_path: Path
) -> None:
    first_stage.distil(teacher_cache, tmp_path, SHORT, initial, EVERYTHING)
    with pytest.raises(WeightsError, match="seed 31, now 5"):
        first_stage.distil(teacher_cache, tmp_path, replace(SHORT, seed=5), initial, EVERYTHING)


def test_delays_are_drawn_by_the_step(initial: Encoder) -> None:
    del initial
    drawn = [first_stage.drawn_delay(1, step) for step in range(200)]
    assert drawn == [first_stage.drawn_delay(1, step) for step in range(200)]
    assert set(drawn) == set(range(len(RIGHT_HOPS)))
