"""Half the bits in the layers, none lost in the sound, the weights and what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from models.features import LogMel
from models.mel import HISTORY_SAMPLES
from models.timing import HOP_SAMPLES
from models.training.batches import Corpus, draw
from models.training.loss import Loss, loss_of
from models.training.precision import PRECISIONS, Trainee, precision_on
from tests.models.baselines.test_networks import HEARING, inputs, made

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", HEARING)
def test_faces_come_back_in_fp32_and_nearly_the_same(name: str) -> None:
    network = made(name)
    given = inputs(network, 9)
    plain, _ = network(*given)
    whole, _ = Trainee(network, "fp32")(*given)
    halved, phones = Trainee(network, "bf16")(*given)
    assert torch.equal(whole, plain)
    assert halved.dtype == torch.float32
    assert phones is not None
    assert phones.dtype == torch.float32
    error = (halved - plain).abs().max()
    assert 0 < error < 0.05 * plain.abs().max()


@pytest.mark.parametrize("name", HEARING)
def test_its_gradients_reach_the_weights_and_point_the_same_way(
    name: str, corpus_folder: Path
) -> None:
    network = made(name)
    corpus = Corpus(corpus_folder, "train")
    batch, loss = draw(corpus, network.architecture, 4, 2, 0), Loss(corpus, CPU)
    ways = []
    for precision in PRECISIONS:
        network.zero_grad()
        face, phones = loss_of(Trainee(network, precision), batch, loss, CPU)
        (face + phones).backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(gradient.dtype == torch.float32 for gradient in gradients)
        ways.append(torch.cat([gradient.flatten() for gradient in gradients]))
    assert torch.cosine_similarity(*ways, 0) > 0.99


def test_the_sound_is_heard_in_fp32() -> None:
    sound = 0.1 * torch.randn(2, HISTORY_SAMPLES + 5 * HOP_SAMPLES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heard = LogMel()(sound)
    assert torch.equal(heard, LogMel()(sound))


def test_a_cpu_computes_in_bf16_and_an_unknown_precision_is_refused() -> None:
    assert precision_on(CPU) == "bf16"
    with pytest.raises(ValueError, match="fp8: use one of bf16, fp32"):
        Trainee(made("cstalk"), "fp8")
