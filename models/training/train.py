"""Train the generator, or a network to compare it with.

    python -m cstalk_bridge.models.training.prepare                   # once: phones and targets
    python -m cstalk_bridge.models.training.train \
        --runs ../runs      # resumes by itself; writes the weights

On two CPU cores the run takes under two hours; with a GPU, `--device cuda`. The same seed and
settings give the same sequence of batches, also after an interruption. Under `torchrun` processes
share each batch, and the loss curve stays that of one; all of them need the folders `--cache` and
`--runs`:

    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 \
        torchrun --nproc-per-node 2 --max-restarts 3 -m cstalk_bridge.models.training.train

`python -m
cstalk_bridge.models.evaluation` evaluates the weights.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import DEFAULT_PATH, load_network, save_network
from cstalk_bridge.models.training import encoder_training
from cstalk_bridge.models.training.batches import draw
from cstalk_bridge.models.training.corpus import Corpus, read_index, source_of
from cstalk_bridge.models.training.encoder_training import NETWORK
from cstalk_bridge.models.training.loss import Loss, loss_of
from cstalk_bridge.models.training.processes import ALONE, joined, own_device
from cstalk_bridge.models.training.run import (
    PRECISIONS,
    MixedPrecisionNetwork,
    Progress,
    Run,
    TrainingConfig,
    create_network,
    describe,
    development_report,
    licence_under,
    precision_on,
    provenance_of,
)
from cstalk_bridge.models.training.sources import OUR_LICENCE, require
from cstalk_bridge.models.wav2vec import load_wav2vec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.processes import Processes
    from cstalk_bridge.models.wav2vec import Wav2Vec


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train, on which data, and where to write it."""

    settings: TrainingConfig
    device: torch.device
    cache: Path
    runs: Path
    out: Path
    wav2vec: Path | None
    begin_with: Path | None


def create_parser(about: str | None) -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--network", default=NETWORK, choices=NETWORKS)
    parser.add_argument(
        "--wav2vec", type=Path, help="wav2vec checkpoint folder (required by --network teacher)"
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of the run (default: ../runs/default or ../runs/NETWORK)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="weights file to write (default: the shipped weights, or in --runs)",
    )
    parser.add_argument(
        "--begin-with", type=Path, help="initial weights, for a further round of training"
    )
    parser.add_argument(
        "--seed", type=_count, default=TrainingConfig().seed, help="seed of the batches"
    )
    parser.add_argument("--steps", type=_count, default=TrainingConfig().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="default: bf16 where the device supports it"
    )
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; give a whole number from 1")
    return int(text)


def parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> TrainingRequest:
    """Parse `arguments` (None: those of the process); exits where they are invalid."""
    given = parser.parse_args(arguments)
    require(parser, given.cache / "index.json", "run cstalk_bridge.models.training.prepare first")
    if (given.network == "teacher") != (given.wav2vec is not None):
        parser.error("--network teacher needs --wav2vec FOLDER, and no other network takes it")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU; use --device cpu")
    device = own_device(given.device)
    precision = given.precision or precision_on(device)
    is_ours = given.network == NETWORK
    runs = given.runs or Path("../runs", "default" if is_ours else given.network)
    out = given.out or (DEFAULT_PATH if is_ours else runs / f"{given.network}.safetensors")
    return TrainingRequest(
        settings=TrainingConfig(
            seed=given.seed, steps=given.steps, network=given.network, precision=precision
        ),
        device=device,
        cache=given.cache,
        runs=runs,
        out=out,
        wav2vec=given.wav2vec,
        begin_with=given.begin_with,
    )


PHONE_WEIGHT = 0.1
REPORT_EVERY = 100  # steps


def train(
    cache: Path,
    folder: Path,
    settings: TrainingConfig,
    device: torch.device,
    front_end: Wav2Vec | None = None,
    *,
    initial: tuple[FaceNetwork, Description] | None = None,
    processes: Processes = ALONE,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training; return the averaged network and its description.

    A teacher, and nothing else, needs a `front_end`. `initial` is the result of an earlier round to
    continue from. Each of `processes` calls this. WeightsError: `folder` holds a run with another
    configuration, or `initial` is another network.
    """
    if settings.network == encoder_training.NETWORK:
        return encoder_training.train(
            cache, folder, settings, device, initial=initial, processes=processes
        )
    initial_network, initial_description = initial or (None, None)
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    description = describe(
        corpus, settings, cache, front_end, initial_description=initial_description
    )
    sizes, seed, version = description.architecture, settings.seed, settings.augmentation
    make = partial(create_network, description, front_end, initial_network)
    run = Run(folder, settings, make, device, provenance_of(description), processes)
    loss = Loss(corpus, device)
    trainee = MixedPrecisionNetwork(run.network, settings.precision, processes)
    progress = Progress(run, REPORT_EVERY)
    for step in run.steps():
        batch = draw(corpus, sizes, settings.batch, seed, step, version)
        face, phones = loss_of(trainee, batch, loss, device)
        run.update(face + PHONE_WEIGHT * phones)
        progress.report(face=face, phones=phones)
        if run.step % settings.check_every == 0 and processes.is_first:
            for line in development_report(run.average, dev):
                print(f"  {line}", flush=True)
    return run.average, description


def trained(
    options: TrainingRequest, processes: Processes = ALONE
) -> tuple[FaceNetwork, Description]:
    """Train as `options` describe; WeightsError where a file they name cannot be used."""
    settings, device = options.settings, options.device
    front_end = load_wav2vec(options.wav2vec) if options.wav2vec else None
    initial = load_network(options.begin_with, device) if options.begin_with else None
    sources = {source_of(clip) for clip in read_index(options.cache)}
    licence = licence_under(sources, initial[1] if initial else None)
    if options.out == DEFAULT_PATH and licence != OUR_LICENCE:
        raise WeightsError(
            "these training sources are for research only; name another file with --out"
        )
    return train(
        options.cache,
        options.runs,
        settings,
        device,
        front_end,
        initial=initial,
        processes=processes,
    )


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the weights file."""
    parser = create_parser(__doc__)
    options = parse_arguments(parser)
    with joined(options.device) as processes:
        try:
            network, description = trained(options, processes)
        except WeightsError as error:
            parser.error(str(error))
        if processes.is_first:
            write(options, network, description)


def write(options: TrainingRequest, network: FaceNetwork, description: Description) -> None:
    """Write the weights file."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_network(options.out, network.cpu(), description)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
