"""A missed closure costs more than a false one, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS
from cstalk_bridge.models.cstalk.correlation import (
    CorrelationSizes,
    RegionCorrelation,
    save_correlation,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.training import train as trainer
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.loss import (
    CORRELATION_RAMP,
    DEMANDED,
    EXCESS,
    FREE_CHANNELS,
    OPEN,
    RESTING,
    UNDERSHOOT,
    CorrelationSupervision,
    Loss,
)
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.run import TrainingConfig

CLOSER = AUDIO_DRIVEN.index("CTRL_L_mouth_lipsTogetherU.ty")
PARTER = AUDIO_DRIVEN.index("CTRL_L_mouth_upperLipRaise.ty")
JAW = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")
CLOSERS = [i for i, name in enumerate(AUDIO_DRIVEN) if "lipsTogether" in name]


@pytest.fixture
def loss(corpus_folder: Path) -> Loss:
    return Loss(Corpus(corpus_folder, "train"), torch.device("cpu"))


def off_by(loss: Loss, wanted: float, error: float, *, observed: bool = True) -> float:
    """The loss of a steady face that is off in one lip channel."""
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    targets[..., CLOSER] = wanted
    faces = targets.clone()
    faces[..., CLOSER] += error
    seen = torch.full((1, len(GESTURES)), observed)
    return float(loss(faces, targets, seen))


def test_a_closure_that_falls_short_counts_more(loss: Loss) -> None:
    short, over = off_by(loss, 0.9, -0.1), off_by(loss, 0.9, 0.1)
    assert short == pytest.approx(UNDERSHOOT["lips_together"] * over)


def test_lips_without_a_closure_cost_alike_on_both_sides(loss: Loss) -> None:
    assert off_by(loss, DEMANDED / 2, -0.1) == pytest.approx(off_by(loss, DEMANDED / 2, 0.1))


def uneven(loss: Loss, channel: int, wanted: dict[int, float]) -> float:
    """How much more too much of `channel` costs than too little, around the face `wanted`."""
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    for other, value in wanted.items():
        targets[..., other] = value
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    costs = []
    for error in (0.1, -0.1):
        faces = targets.clone()
        faces[..., channel] += error
        costs.append(float(loss(faces, targets, seen)))
    return costs[0] / costs[1]


def test_lips_that_touch_should_not_part(loss: Loss) -> None:
    shut = dict.fromkeys(CLOSERS, 1.0)
    assert uneven(loss, PARTER, shut) == pytest.approx(EXCESS)
    assert uneven(loss, PARTER, {}) == pytest.approx(1.0)


def test_errors_of_jaw_and_lips_that_make_up_for_each_other_cost_less(loss: Loss) -> None:
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    targets[..., JAW], targets[..., CLOSERS] = 0.2, 0.35
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    alike, opposed = targets.clone(), targets.clone()
    alike[..., JAW], alike[..., CLOSERS] = 0.22, 0.385
    opposed[..., JAW], opposed[..., CLOSERS] = 0.22, 0.315
    assert float(loss(opposed, targets, seen)) < float(loss(alike, targets, seen))


def test_lips_should_not_touch_over_an_open_jaw(loss: Loss) -> None:
    assert uneven(loss, CLOSER, {JAW: 1.01 * OPEN}) > 1.5
    assert uneven(loss, CLOSER, {JAW: OPEN / 2}) == pytest.approx(1.0)


def test_a_resting_jaw_should_not_stir(loss: Loss) -> None:
    assert uneven(loss, JAW, {JAW: RESTING / 2}) == pytest.approx(EXCESS)
    assert uneven(loss, JAW, {JAW: 2 * RESTING}) == pytest.approx(1.0)


def test_resting_lips_should_not_press(loss: Loss) -> None:
    assert uneven(loss, CLOSER, {}) == pytest.approx(EXCESS)
    assert uneven(loss, CLOSER, {JAW: 2 * RESTING}) == pytest.approx(1.0)


def test_a_mouth_that_trembles_costs_more_than_one_that_drifts(loss: Loss) -> None:
    targets = torch.zeros(1, 8, len(AUDIO_DRIVEN))
    targets[..., JAW] = OPEN / 2
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    costs = []
    for errors in ((1, -1, 1, -1, 1, -1, 1, -1), (1, 1, 1, 1, -1, -1, -1, -1)):
        faces = targets.clone()
        faces[0, :, JAW] += 0.05 * torch.tensor(errors)
        costs.append(float(loss(faces, targets, seen)))
    assert costs[0] > 8 * costs[1]


def test_what_nobody_observed_costs_nothing(loss: Loss) -> None:
    assert off_by(loss, 0.9, 0.5, observed=False) == 0.0


ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
SETTINGS = TrainingConfig(steps=4, batch=2, warm_up_steps=1, check_every=100, save_every=2)
LATE = SETTINGS.steps


@pytest.fixture
def network() -> RegionCorrelation:
    torch.manual_seed(1)
    return network_of(torch.ones(len(AUDIO_DRIVEN), dtype=torch.bool))


def network_of(known: torch.Tensor) -> RegionCorrelation:
    return RegionCorrelation(
        CorrelationSizes(20, 16, 1, 2), torch.full((len(AUDIO_DRIVEN),), 0.2), known
    )


def faces() -> torch.Tensor:
    rng = torch.Generator().manual_seed(2)
    return torch.rand(6, 30, len(AUDIO_DRIVEN), generator=rng, requires_grad=True)


def test_no_gradient_reaches_lips_jaw_or_tongue(network: RegionCorrelation) -> None:
    term = CorrelationSupervision(network, 1.0, SETTINGS)
    made = faces()
    reached = reached_by(term, made)
    speech = {
        AUDIO_DRIVEN[c] for r in ("mouth_lower", "jaw_chin", "tongue") for c in REGION_COLUMNS[r]
    }
    spoken = {channel for gesture in GESTURES.values() for channel in gesture.channels}
    assert not reached & (speech | spoken)
    assert {"CTRL_L_brow_raiseIn.ty", "CTRL_R_eye_cheekRaise.ty"} <= reached
    assert reached == {name for name, free in zip(AUDIO_DRIVEN, FREE_CHANNELS, strict=True) if free}


def reached_by(term: CorrelationSupervision, made: torch.Tensor) -> set[str]:
    """Return the channels of `made` that the term's gradient moves."""
    for step in range(LATE, LATE + len(term.judged)):
        term(made, torch.rand(6, len(EMOTIONS)), step).backward()
    assert made.grad is not None
    return {n for n, g in zip(AUDIO_DRIVEN, made.grad.abs().amax((0, 1)), strict=True) if g > 0}


def test_a_network_supervises_only_what_its_faces_observed() -> None:
    known = torch.tensor(["raiseIn" in name or "jaw" in name for name in AUDIO_DRIVEN])
    brows = {"CTRL_L_brow_raiseIn.ty", "CTRL_R_brow_raiseIn.ty"}
    assert reached_by(CorrelationSupervision(network_of(known), 1.0, SETTINGS), faces()) == brows


def test_the_term_looks_at_the_lips_all_the_same(network: RegionCorrelation) -> None:
    term = CorrelationSupervision(network, 1.0, SETTINGS)
    made = faces().detach()
    moved = made.clone()
    moved[..., list(REGION_COLUMNS["jaw_chin"])] += 0.5
    emotion = torch.zeros(6, len(EMOTIONS))
    assert term.distance(made, emotion, LATE) != term.distance(moved, emotion, LATE)


def test_following_the_gradient_brings_regions_to_what_the_others_suggest(
    network: RegionCorrelation,
) -> None:
    term = CorrelationSupervision(network, 1.0, SETTINGS)
    made, emotion = faces(), torch.zeros(6, len(EMOTIONS))
    before = term.distance(made, emotion, LATE).item()
    for _ in range(40):
        (gradient,) = torch.autograd.grad(term.distance(made, emotion, LATE), made)
        made = (made - 5.0 * gradient).detach().requires_grad_()
    assert term.distance(made, emotion, LATE).item() < 0.8 * before


def test_the_weight_rises_from_nothing(network: RegionCorrelation) -> None:
    settings = TrainingConfig(steps=1000)
    term = CorrelationSupervision(network, 0.5, settings)
    assert term(faces(), torch.zeros(6, len(EMOTIONS)), 0) == 0.0
    assert term.weight_at(int(1000 * CORRELATION_RAMP[0])) == 0.0
    assert 0 < term.weight_at(300) < term.weight_at(350) < 0.5
    assert term.weight_at(500) == term.weight_at(999) == 0.5


def test_the_term_depends_only_on_seed_and_step(network: RegionCorrelation) -> None:
    term = CorrelationSupervision(network, 1.0, SETTINGS)
    made, emotion = faces().detach(), torch.zeros(6, len(EMOTIONS))
    one, again, other = (term.distance(made, emotion, step) for step in (7, 7, 8))
    assert one == again
    assert one != other


def weights(path: Path, corpus: Path, supervision: CorrelationSupervision | None) -> torch.Tensor:
    network, _ = trainer.train(corpus, path, SETTINGS, CPU, supervision=supervision)
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def test_without_weight_training_is_the_same_to_the_bit(
    network: RegionCorrelation, corpus_folder: Path, tmp_path: Path
) -> None:
    without = weights(tmp_path / "without", corpus_folder, None)
    nothing = weights(
        tmp_path / "nothing", corpus_folder, CorrelationSupervision(network, 0.0, SETTINGS)
    )
    much = weights(tmp_path / "much", corpus_folder, CorrelationSupervision(network, 9.0, SETTINGS))
    assert torch.equal(without, nothing)
    assert not torch.equal(without, much)


def test_the_card_names_the_supervision(
    network: RegionCorrelation, corpus_folder: Path, tmp_path: Path
) -> None:
    term = CorrelationSupervision(network, 0.3, SETTINGS, "abc")
    _, plain = trainer.train(corpus_folder, tmp_path / "plain", SETTINGS, CPU)
    _, description = trainer.train(
        corpus_folder, tmp_path / "term", SETTINGS, CPU, supervision=term
    )
    correlation = description.card["settings"]["correlation"]
    assert correlation == {"network_sha256": "abc", "weight": 0.3}
    assert "correlation" not in plain.card["settings"]
    assert description.card["training_hash"] != plain.card["training_hash"]


def test_a_network_that_can_judge_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blind.safetensors"
    save_correlation(
        path, network_of(torch.zeros(len(AUDIO_DRIVEN), dtype=torch.bool)), {"licence": "none"}
    )
    with pytest.raises(WeightsError, match=r"blind\.safetensors: it has no channels .+; train it"):
        CorrelationSupervision.read(path, 1.0, SETTINGS, CPU)


def test_a_bad_file_is_named_in_one_line(corpus_folder: Path, tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.train",
        "--cache",
        str(corpus_folder),
    ]
    arguments += ["--runs", str(tmp_path), "--correlation", str(tmp_path / "none.safetensors")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "none.safetensors: there is no such weights file" in done.stderr.splitlines()[-1]
