"""The training script learns, and resumes where it stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from models import load_generator
from models.errors import WeightsError
from models.training import train as script
from models.training.description import describe
from models.training.run import Run, Settings, learning_rate
from models.weights_file import save

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
SHORT = Settings(steps=4, batch=2, warm_up_steps=1, check_every=100, save_every=2)


def test_an_interrupted_run_ends_with_the_same_weights(
    corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, _ = script.train(corpus_folder, tmp_path / "straight", SHORT, CPU)
    saves = iter([True, False])
    kept = Run.save

    def save_then_stop(run: Run) -> None:
        kept(run)
        if next(saves, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "save", save_then_stop)
    try:
        script.train(corpus_folder, tmp_path / "broken", SHORT, CPU)
    except KeyboardInterrupt:
        monkeypatch.setattr(Run, "save", kept)
    resumed, _ = script.train(corpus_folder, tmp_path / "broken", SHORT, CPU)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_it_writes_loads_and_describes_itself(corpus_folder: Path, tmp_path: Path) -> None:
    network, description = script.train(corpus_folder, tmp_path, SHORT, CPU)
    save(tmp_path / "w.safetensors", network, description)
    generator = load_generator(tmp_path / "w.safetensors", "cpu")
    told = {"licence", "data", "minutes", "settings", "training_set", "training_hash"}
    assert set(generator.card) == told


def test_the_hash_names_the_data_and_the_settings(corpus_folder: Path) -> None:
    corpus = script.Corpus(corpus_folder, "train")
    hashes = {
        describe(corpus, Settings(seed=seed), corpus_folder).card["training_hash"]
        for seed in (1, 2)
    }
    assert len(hashes) == 2


def test_the_learning_rate_rises_then_falls() -> None:
    settings = Settings()
    rates = [
        learning_rate(settings, step) for step in (0, settings.warm_up_steps, settings.steps - 1)
    ]
    assert rates[0] < rates[1] == settings.learning_rate
    assert rates[2] < 0.02 * rates[1]


def test_a_further_round_goes_on_from_the_weights_of_the_first(
    corpus_folder: Path, tmp_path: Path
) -> None:
    first = script.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    run_of_none = replace(SHORT, steps=1, learning_rate=0.0)
    further, described = script.train(
        corpus_folder, tmp_path / "further", run_of_none, CPU, first=first
    )
    for one, other in zip(first[0].parameters(), further.parameters(), strict=True):
        assert torch.equal(one, other)
    hashes = (described.card["training_hash"], first[1].card["training_hash"])
    assert described.card["settings"]["begun_with"] == hashes[1]
    assert hashes[0] != hashes[1]


def test_a_further_round_inherits_the_licence(corpus_folder: Path, tmp_path: Path) -> None:
    network, described = script.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    bound = replace(described, card=described.card | {"licence": "CC BY-NC-SA 4.0"})
    licences = [
        script.train(corpus_folder, tmp_path / name, SHORT, CPU, first=(network, begun))[1].card[
            "licence"
        ]
        for name, begun in (("free", described), ("bound", bound))
    ]
    assert licences == ["Apache-2.0", "CC BY-NC-SA 4.0"]


def test_a_further_round_begins_with_no_other_network(corpus_folder: Path, tmp_path: Path) -> None:
    first = script.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    other = replace(SHORT, network="emotalk-like")
    with pytest.raises(WeightsError, match="another network"):
        script.train(corpus_folder, tmp_path / "further", other, CPU, first=first)
