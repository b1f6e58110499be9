"""A run continues only with the settings it started with, and reports what differs otherwise."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cstalk_bridge.models.cstalk.network import LogMel
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.batches import draw
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.loss import Loss, loss_of
from cstalk_bridge.models.training.run import (
    PRECISIONS,
    MixedPrecisionNetwork,
    Progress,
    Run,
    TrainingConfig,
    differences,
    precision_on,
)
from tests.models.baselines.test_transformers import TRAINED_ON_SOUND, inputs, made

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
SETTINGS = TrainingConfig(steps=6, batch=2, warm_up_steps=1, save_every=2)
MADE_WITH = {"front_end": {"sha256": "abc", "hidden": 8}, "dilations": (1, 2)}


def open_run(
    folder: Path, settings: TrainingConfig = SETTINGS, provenance: dict[str, Any] = MADE_WITH
) -> Run[nn.Linear]:
    return Run(folder, settings, lambda: nn.Linear(2, 1), CPU, provenance)


def taken(run: Run[nn.Linear], most: int) -> list[int]:
    """Take at most so many steps, and return which."""
    steps = []
    for step in islice(run.steps(), most):
        run.update(run.network(torch.ones(1, 2)).square().sum())
        steps.append(step)
    return steps


def test_a_run_continues_after_its_last_checkpoint(tmp_path: Path) -> None:
    assert taken(open_run(tmp_path), 4) == [0, 1, 2, 3]
    assert taken(open_run(tmp_path), 100) == [2, 3, 4, 5]  # the fourth was not followed by another
    ended = open_run(tmp_path)
    assert taken(ended, 100) == []
    assert ended.step == SETTINGS.steps


@pytest.mark.parametrize(
    ("settings", "provenance", "message"),
    [
        (replace(SETTINGS, steps=9), MADE_WITH, r"\(steps 6, now 9\)"),
        (replace(SETTINGS, precision="fp32"), MADE_WITH, r"\(precision bf16, now fp32\)"),
        (SETTINGS, {"dilations": (1, 2)}, r"front_end.sha256 abc, now none"),
        (
            SETTINGS,
            MADE_WITH | {"front_end": {"sha256": "abc", "hidden": 16}},
            r"\(front_end.hidden 8, now 16\)",
        ),
        (SETTINGS, MADE_WITH | {"dilations": (1, 4)}, r"dilations \[1, 2\], now \[1, 4\]"),
    ],
)
def test_a_run_begun_otherwise_is_refused(
    settings: TrainingConfig, provenance: dict[str, Any], message: str, tmp_path: Path
) -> None:
    taken(open_run(tmp_path), 3)
    with pytest.raises(WeightsError, match=f"checkpoint.safetensors: .*{message}.*--runs"):
        open_run(tmp_path, settings, provenance)


def test_every_difference_is_reported() -> None:
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}, "d": 4}) == [
        "b.c 2, now 3",
        "d none, now 4",
    ]


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_file({"step": torch.tensor(3)}, path)
    with pytest.raises(WeightsError, match=r"format none, expected cstalk-run-1.*--runs"):
        open_run(tmp_path)
    path.write_bytes(b"cut short")
    with pytest.raises(WeightsError, match=r"damaged or no safetensors file.*--runs"):
        open_run(tmp_path)


def test_the_command_reports_it_in_one_line(corpus_folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.train",
        "--cache",
        str(corpus_folder),
    ]
    command += [
        "--network",
        "cstalk",
        "--runs",
        str(tmp_path),
        "--out",
        str(tmp_path / "w.safetensors"),
    ]
    taken(open_run(tmp_path), 3)
    done = subprocess.run([*command, "--steps", "7"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "steps 6, now 7; batch 2, now 16" in done.stderr.splitlines()[-1]


def test_progress_is_printed_now_and_then_with_the_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(tmp_path, replace(SETTINGS, steps=4))
    progress = Progress(run, 2, iter((100.0, 340.0, 580.0)).__next__)
    for _ in run.steps():
        loss = run.network(torch.ones(1, 2)).square().sum()
        run.update(loss)
        progress.report(face=torch.tensor(0.25), phones=torch.tensor(2.0))
    assert capsys.readouterr().out.splitlines() == [
        "step 2: face 0.2500 phones 2.0000, 4 min left",
        "step 4: face 0.2500 phones 2.0000, 0 min left",
    ]


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_faces_come_back_in_fp32_and_nearly_the_same(name: str) -> None:
    network = made(name)
    given = inputs(network, 9)
    plain, _ = network(*given)
    whole, _ = MixedPrecisionNetwork(network, "fp32")(*given)
    halved, phones = MixedPrecisionNetwork(network, "bf16")(*given)
    assert torch.equal(whole, plain)
    assert halved.dtype == torch.float32
    assert phones is not None
    assert phones.dtype == torch.float32
    error = (halved - plain).abs().max()
    assert 0 < error < 0.05 * plain.abs().max()


@pytest.mark.parametrize("name", TRAINED_ON_SOUND)
def test_its_gradients_reach_the_weights_and_point_the_same_way(
    name: str, corpus_folder: Path
) -> None:
    network = made(name)
    corpus = Corpus(corpus_folder, "train")
    batch, loss = draw(corpus, network.architecture, 4, 2, 0), Loss(corpus, CPU)
    ways = []
    for precision in PRECISIONS:
        network.zero_grad()
        face, phones = loss_of(MixedPrecisionNetwork(network, precision), batch, loss, CPU)
        (face + phones).backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(gradient.dtype == torch.float32 for gradient in gradients)
        ways.append(torch.cat([gradient.flatten() for gradient in gradients]))
    assert torch.cosine_similarity(ways[0], ways[1], 0) > 0.99


def test_the_features_are_computed_in_fp32() -> None:
    sound = 0.1 * torch.randn(2, HISTORY_SAMPLES + 5 * HOP_SAMPLES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = LogMel()(sound)
    assert torch.equal(features, LogMel()(sound))


def test_a_cpu_computes_in_bf16_and_an_unknown_precision_is_refused() -> None:
    assert precision_on(CPU) == "bf16"
    with pytest.raises(ValueError, match="fp8: use one of bf16, fp32"):
        MixedPrecisionNetwork(made("cstalk"), "fp8")
