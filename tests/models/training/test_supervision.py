"""The term moves what emotions move and never the mouth that speaks; without it nothing changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.board import AUDIO_DRIVEN
from models.correlation import RegionCorrelation, Sizes, save
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.regions import COLUMNS
from models.training import train as script
from models.training.rules import GESTURES
from models.training.run import Settings
from models.training.supervision import FREE, RAMP, Supervision

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
SETTINGS = Settings(steps=4, batch=2, warm_up_steps=1, check_every=100, save_every=2)
LATE = SETTINGS.steps


@pytest.fixture
def network() -> RegionCorrelation:
    torch.manual_seed(1)
    return network_of(torch.ones(len(AUDIO_DRIVEN), dtype=torch.bool))


def network_of(known: torch.Tensor) -> RegionCorrelation:
    return RegionCorrelation(Sizes(20, 16, 1, 2), torch.full((len(AUDIO_DRIVEN),), 0.2), known)


def faces() -> torch.Tensor:
    dice = torch.Generator().manual_seed(2)
    return torch.rand(6, 30, len(AUDIO_DRIVEN), generator=dice, requires_grad=True)


def test_no_gradient_reaches_lips_jaw_or_tongue(network: RegionCorrelation) -> None:
    term = Supervision(network, 1.0, SETTINGS)
    made = faces()
    reached = reached_by(term, made)
    speech = {AUDIO_DRIVEN[c] for r in ("mouth_lower", "jaw_chin", "tongue") for c in COLUMNS[r]}
    spoken = {channel for gesture in GESTURES.values() for channel in gesture.channels}
    assert not reached & (speech | spoken)
    assert {"CTRL_L_brow_raiseIn.ty", "CTRL_R_eye_cheekRaise.ty"} <= reached
    assert reached == {name for name, free in zip(AUDIO_DRIVEN, FREE, strict=True) if free}


def reached_by(term: Supervision, made: torch.Tensor) -> set[str]:
    """Return the channels of `made` that the term's gradient moves."""
    for step in range(LATE, LATE + len(term.judged)):
        term(made, torch.rand(6, len(EMOTIONS)), step).backward()
    assert made.grad is not None
    return {n for n, g in zip(AUDIO_DRIVEN, made.grad.abs().amax((0, 1)), strict=True) if g > 0}


def test_a_network_judges_only_what_its_faces_told() -> None:
    known = torch.tensor(["raiseIn" in name or "jaw" in name for name in AUDIO_DRIVEN])
    brows = {"CTRL_L_brow_raiseIn.ty", "CTRL_R_brow_raiseIn.ty"}
    assert reached_by(Supervision(network_of(known), 1.0, SETTINGS), faces()) == brows


def test_the_term_looks_at_the_lips_all_the_same(network: RegionCorrelation) -> None:
    term = Supervision(network, 1.0, SETTINGS)
    made = faces().detach()
    moved = made.clone()
    moved[..., list(COLUMNS["jaw_chin"])] += 0.5
    emotion = torch.zeros(6, len(EMOTIONS))
    assert term.distance(made, emotion, LATE) != term.distance(moved, emotion, LATE)


def test_following_the_gradient_brings_regions_to_what_the_others_suggest(
    network: RegionCorrelation,
) -> None:
    term = Supervision(network, 1.0, SETTINGS)
    made, emotion = faces(), torch.zeros(6, len(EMOTIONS))
    before = term.distance(made, emotion, LATE).item()
    for _ in range(40):
        (gradient,) = torch.autograd.grad(term.distance(made, emotion, LATE), made)
        made = (made - 5.0 * gradient).detach().requires_grad_()
    assert term.distance(made, emotion, LATE).item() < 0.8 * before


def test_the_weight_rises_from_nothing(network: RegionCorrelation) -> None:
    settings = Settings(steps=1000)
    term = Supervision(network, 0.5, settings)
    assert term(faces(), torch.zeros(6, len(EMOTIONS)), 0) == 0.0
    assert term.weight_at(int(1000 * RAMP[0])) == 0.0
    assert 0 < term.weight_at(300) < term.weight_at(350) < 0.5
    assert term.weight_at(500) == term.weight_at(999) == 0.5


def test_the_term_depends_only_on_seed_and_step(network: RegionCorrelation) -> None:
    term = Supervision(network, 1.0, SETTINGS)
    made, emotion = faces().detach(), torch.zeros(6, len(EMOTIONS))
    one, again, other = (term.distance(made, emotion, step) for step in (7, 7, 8))
    assert one == again
    assert one != other


def weights(path: Path, corpus: Path, supervision: Supervision | None) -> torch.Tensor:
    network, _ = script.train(corpus, path, SETTINGS, CPU, supervision=supervision)
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def test_without_weight_training_is_the_same_to_the_bit(
    network: RegionCorrelation, corpus_folder: Path, tmp_path: Path
) -> None:
    without = weights(tmp_path / "without", corpus_folder, None)
    nothing = weights(tmp_path / "nothing", corpus_folder, Supervision(network, 0.0, SETTINGS))
    much = weights(tmp_path / "much", corpus_folder, Supervision(network, 9.0, SETTINGS))
    assert torch.equal(without, nothing)
    assert not torch.equal(without, much)


def test_the_card_says_what_supervised(
    network: RegionCorrelation, corpus_folder: Path, tmp_path: Path
) -> None:
    term = Supervision(network, 0.3, SETTINGS, "abc")
    _, plain = script.train(corpus_folder, tmp_path / "plain", SETTINGS, CPU)
    _, description = script.train(corpus_folder, tmp_path / "term", SETTINGS, CPU, supervision=term)
    correlation = description.card["settings"]["correlation"]
    assert correlation == {"network_sha256": "abc", "weight": 0.3}
    assert "correlation" not in plain.card["settings"]
    assert description.card["training_hash"] != plain.card["training_hash"]


def test_a_network_that_can_judge_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blind.safetensors"
    save(path, network_of(torch.zeros(len(AUDIO_DRIVEN), dtype=torch.bool)), {"licence": "none"})
    with pytest.raises(WeightsError, match=r"blind\.safetensors: it knows nothing .+; train it"):
        Supervision.read(path, 1.0, SETTINGS, CPU)


def test_a_bad_file_is_named_in_one_line(corpus_folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "models.training.train", "--cache", str(corpus_folder)]
    words += ["--runs", str(tmp_path), "--correlation", str(tmp_path / "none.safetensors")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "none.safetensors: there is no such weights file" in done.stderr.splitlines()[-1]
