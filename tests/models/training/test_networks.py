"""The one script and the one loss train every network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from models.training import train as script
from models.training.batches import Corpus, draw
from models.training.crops import ROWS
from models.training.loss import Loss, loss_of
from models.training.run import Settings
from models.wav2vec import load_wav2vec
from models.weights_file import build, load_network, save
from tests.models.baselines.test_networks import HEARING, made
from tests.models.wav2vec import tiny

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", HEARING)
def test_training_reaches_every_weight_and_lowers_the_loss(name: str, corpus_folder: Path) -> None:
    network = made(name).train()
    corpus = Corpus(corpus_folder, "train")
    batch = draw(corpus, network.architecture, 4, 2, 0)
    loss = Loss(corpus, CPU)
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)
    course = []
    for _ in range(5):
        face, phones = loss_of(network, batch, loss, CPU)
        optimizer.zero_grad()
        (face + phones).backward()
        optimizer.step()
        course.append((face + phones).item())
    assert batch.gestures.shape[1] == ROWS
    assert course[-1] < course[0]
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_the_script_names_the_network_it_trained(corpus_folder: Path, tmp_path: Path) -> None:
    settings = Settings(steps=1, batch=1, warm_up_steps=1, network="cstalk-uncorrelated")
    network, description = script.train(corpus_folder, tmp_path, settings, CPU)
    save(tmp_path / "w.safetensors", network, description)
    assert load_network(tmp_path / "w.safetensors", CPU)[1].network == "cstalk-uncorrelated"


def test_a_teacher_learns_on_a_front_end_that_stays_as_it_is(
    corpus_folder: Path, tmp_path: Path
) -> None:
    before = tiny.write_checkpoint(tmp_path / "wav2vec")
    front_end = load_wav2vec(tmp_path / "wav2vec")
    settings = Settings(steps=2, batch=2, warm_up_steps=1, check_every=100, network="teacher")
    network, description = script.train(corpus_folder, tmp_path / "run", settings, CPU, front_end)
    name = "feature_projection.projection.weight"
    assert torch.equal(front_end.state_dict()[name], before[f"wav2vec2.{name}"])
    torch.manual_seed(settings.seed)
    pairs = zip(build(description).parameters(), network.parameters(), strict=True)
    assert all((start != learnt).any() for start, learnt in pairs)
