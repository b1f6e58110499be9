"""Training learns, and resumes where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS, JAW
from cstalk_bridge.models.cstalk.architecture import Architecture
from cstalk_bridge.models.cstalk.network import FaceNetwork
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.loading import build_network, load_network, save_network
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training import train
from cstalk_bridge.models.training import train as trainer
from cstalk_bridge.models.training.batches import ROWS, draw
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.loss import Loss, loss_of
from cstalk_bridge.models.training.run import (
    Run,
    TrainingConfig,
    describe,
    development_report,
    learning_rate,
)
from cstalk_bridge.models.wav2vec import load_wav2vec
from tests.models import tiny_wav2vec
from tests.models.baselines.test_transformers import TRAINED_ON_SOUND, made

if TYPE_CHECKING:
    from torch import Tensor


CPU = torch.device("cpu")
SHORT = TrainingConfig(steps=4, batch=2, warm_up_steps=1, check_every=100, save_every=2)


def test_an_interrupted_run_ends_with_the_same_weights(
    corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, _ = trainer.train(corpus_folder, tmp_path / "straight", SHORT, CPU)
    saves = iter([True, False])
    kept = Run.save

    def save_then_stop(run: Run[Any]) -> None:
        kept(run)
        if next(saves, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "save", save_then_stop)
    try:
        trainer.train(corpus_folder, tmp_path / "broken", SHORT, CPU)
    except KeyboardInterrupt:
        monkeypatch.setattr(Run, "save", kept)
    resumed, _ = trainer.train(corpus_folder, tmp_path / "broken", SHORT, CPU)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_it_writes_loads_and_describes_itself(corpus_folder: Path, tmp_path: Path) -> None:
    network, description = trainer.train(corpus_folder, tmp_path, SHORT, CPU)
    save_network(tmp_path / "w.safetensors", network, description)
    generator = load_generator(tmp_path / "w.safetensors", "cpu")
    expected = {"licence", "data", "minutes", "settings", "training_set", "training_hash"}
    assert set(generator.card) == expected


def test_the_hash_names_the_data_and_the_settings(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, "train")
    hashes = {
        describe(corpus, TrainingConfig(seed=seed), corpus_folder).card["training_hash"]
        for seed in (1, 2)
    }
    assert len(hashes) == 2


def test_the_learning_rate_rises_then_falls() -> None:
    settings = TrainingConfig()
    rates = [
        learning_rate(settings, step) for step in (0, settings.warm_up_steps, settings.steps - 1)
    ]
    assert rates[0] < rates[1] == settings.learning_rate
    assert rates[2] < 0.02 * rates[1]


def test_a_further_round_continues_from_the_weights_of_the_first(
    corpus_folder: Path, tmp_path: Path
) -> None:
    first = trainer.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    run_of_none = replace(SHORT, steps=1, learning_rate=0.0)
    further, described = trainer.train(
        corpus_folder, tmp_path / "further", run_of_none, CPU, initial=first
    )
    for one, other in zip(first[0].parameters(), further.parameters(), strict=True):
        assert torch.equal(one, other)
    hashes = (described.card["training_hash"], first[1].card["training_hash"])
    assert described.card["settings"]["begun_with"] == hashes[1]
    assert hashes[0] != hashes[1]


def test_a_further_round_inherits_the_licence(corpus_folder: Path, tmp_path: Path) -> None:
    network, described = trainer.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    bound = replace(described, card={**described.card, "licence": "CC BY-NC-SA 4.0"})
    licences = [
        trainer.train(corpus_folder, tmp_path / name, SHORT, CPU, initial=(network, started))[
            1
        ].card["licence"]
        for name, started in (("free", described), ("bound", bound))
    ]
    assert licences == ["Apache-2.0", "CC BY-NC-SA 4.0"]


def test_a_further_round_begins_with_no_other_network(corpus_folder: Path, tmp_path: Path) -> None:
    first = trainer.train(corpus_folder, tmp_path / "first", SHORT, CPU)
    other = replace(SHORT, network="emotalk-like")
    with pytest.raises(WeightsError, match="another network"):
        trainer.train(corpus_folder, tmp_path / "further", other, CPU, initial=first)


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_training_reaches_every_weight_and_lowers_the_loss(name: str, corpus_folder: Path) -> None:
    network = made(name).train()
    corpus = Corpus(corpus_folder, "train")
    batch = draw(corpus, network.architecture, 4, 2, 0)
    loss = Loss(corpus, CPU)
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)
    trajectory = []
    for _ in range(5):
        face, phones = loss_of(network, batch, loss, CPU)
        optimizer.zero_grad()
        (face + phones).backward()
        optimizer.step()
        trajectory.append((face + phones).item())
    assert batch.gestures.shape[1] == ROWS
    assert trajectory[-1] < trajectory[0]
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_the_script_names_the_network_it_trained(corpus_folder: Path, tmp_path: Path) -> None:
    settings = TrainingConfig(steps=1, batch=1, warm_up_steps=1, network="emotalk-like")
    network, description = trainer.train(corpus_folder, tmp_path, settings, CPU)
    save_network(tmp_path / "w.safetensors", network, description)
    assert load_network(tmp_path / "w.safetensors", CPU)[1].network == "emotalk-like"


def test_a_teacher_learns_on_a_front_end_that_stays_as_it_is(
    corpus_folder: Path, tmp_path: Path
) -> None:
    before = tiny_wav2vec.write_checkpoint(tmp_path / "wav2vec")
    front_end = load_wav2vec(tmp_path / "wav2vec")
    settings = TrainingConfig(steps=2, batch=2, warm_up_steps=1, check_every=100, network="teacher")
    network, description = trainer.train(corpus_folder, tmp_path / "run", settings, CPU, front_end)
    name = "feature_projection.projection.weight"
    assert torch.equal(front_end.model.state_dict()[name], before[f"wav2vec2.{name}"])
    torch.manual_seed(settings.seed)
    pairs = zip(build_network(description).parameters(), network.parameters(), strict=True)
    assert all((start != learnt).any() for start, learnt in pairs)


class Jaw(FaceNetwork):
    """A network whose jaw, times a factor, is as open as the sound is loud."""

    def __init__(self, factor: float) -> None:
        channels = [CHANNELS[CHANNEL_INDEX[name]] for name in AUDIO_DRIVEN]
        limits = [c.minimum for c in channels], [c.maximum for c in channels]
        super().__init__(Architecture(), *limits)
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        del emotion
        loud = samples[:, HISTORY_SAMPLES:].unflatten(1, (-1, HOP_SAMPLES)).mean(2)
        # Row i is the face of the time at which hop i begins.
        loud = loud.roll(int(delay_hops) - 1, 1)
        faces = torch.zeros(1, len(AUDIO_DRIVEN), loud.shape[1])
        faces[:, JAW] = loud * self.factor
        return faces[..., self.architecture.window_hops - 1 :], None


def test_figures_distinguish_a_network_that_follows_its_targets(
    corpus_folder: Path,
) -> None:
    dev = Corpus(corpus_folder, "dev")
    right, wrong = (list(development_report(Jaw(factor), dev)) for factor in (1.0, -1.0))
    assert len(right) == len(wrong) == sum(bool(clips) for clips in dev.by_source.values())
    assert right[0].startswith("grid_s1: jaw r 1.000, purse r 0.000")
    assert "jaw r 0.000" in wrong[0]  # a jaw does not open backwards


ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("prepare", "name the data folder with --data"),
        ("train", "run cstalk_bridge.models.training.prepare first"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(command: str, hint: str, tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        f"cstalk_bridge.models.training.{command}",
        "--cache",
        str(tmp_path),
    ]
    if command == "prepare":
        arguments += ["--data", str(tmp_path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"there is no such file; {hint}")


def test_the_default_weights_are_never_made_from_research_sources(tmp_path: Path) -> None:
    clip = {"name": "ravdess/a", "part": "train", "first": 0, "rows": 1}
    (tmp_path / "index.json").write_text(json.dumps([clip]), encoding="utf-8")
    arguments = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.train",
        "--cache",
        str(tmp_path),
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "these training sources are for research only; name another file with --out"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--network", "teacher"], "needs --wav2vec FOLDER"),
        (["--wav2vec", "."], "needs --wav2vec FOLDER"),
        (["--network", "teacher", "--wav2vec", "."], "no such file"),
        (["--network", "wav2lip"], "invalid choice"),
    ],
)
def test_networks_that_do_not_fit_their_options_are_refused(
    tmp_path: Path,
    arguments: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "index.json").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["train", "--cache", str(tmp_path), *arguments])
    with pytest.raises(SystemExit):
        train.main()
    assert expected in capsys.readouterr().err
