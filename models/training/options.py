"""The command line of the training script."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from models.baselines import NETWORKS
from models.shipped import DEFAULT_PATH
from models.training.precision import PRECISIONS, precision_on
from models.training.run import Settings
from models.training.sources import require
from models.training.supervision import WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be trained, on what, and where it goes."""

    settings: Settings
    device: torch.device
    cache: Path
    runs: Path
    out: Path
    wav2vec: Path | None
    correlation: Path | None
    correlation_weight: float
    begin_with: Path | None


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--network", default=Settings().network, choices=NETWORKS)
    parser.add_argument("--wav2vec", type=Path, help="checkpoint folder, for --network teacher")
    parser.add_argument("--runs", type=Path, help="default: ../runs/default, or ../runs/NETWORK")
    parser.add_argument("--out", type=Path, help="default: the shipped weights, or in --runs")
    parser.add_argument("--begin-with", type=Path, help="weights to go on from in a further round")
    parser.add_argument("--seed", type=_count, default=Settings().seed, help="of a further round")
    parser.add_argument("--steps", type=_count, default=Settings().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bf16 where it can be had")
    parser.add_argument("--correlation", type=Path, help="what models.training.correlation wrote")
    parser.add_argument("--correlation-weight", type=float, default=WEIGHT)
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1")
    return int(text)


def read_options(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> Options:
    """Return what `words` (None: the process's own) ask for; exits where they cannot be done."""
    given = parser.parse_args(words)
    require(parser, given.cache / "index.json", "run models.training.prepare first")
    if (given.network == "teacher") != (given.wav2vec is not None):
        parser.error("--network teacher needs --wav2vec FOLDER, and no other network takes it")
    if given.network == "cstalk-uncorrelated" and given.correlation is not None:
        parser.error("cstalk-uncorrelated is trained without --correlation; use --network cstalk")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU; use --device cpu")
    device = torch.device(given.device)
    precision = given.precision or precision_on(device)
    is_ours = given.network == Settings().network
    runs = given.runs or Path("../runs", "default" if is_ours else given.network)
    out = given.out or (DEFAULT_PATH if is_ours else runs / f"{given.network}.safetensors")
    return Options(
        settings=Settings(
            seed=given.seed, steps=given.steps, network=given.network, precision=precision
        ),
        device=device,
        cache=given.cache,
        runs=runs,
        out=out,
        wav2vec=given.wav2vec,
        correlation=given.correlation,
        correlation_weight=given.correlation_weight,
        begin_with=given.begin_with,
    )
