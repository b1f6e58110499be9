"""Train the generator, or a network to measure it against.

    python -m models.training.prepare                   # once: phones and targets
    python -m models.training.train --runs ../runs      # resumes by itself; writes the weights

On two CPU cores the run takes under two hours; with a GPU, `--device cuda`. The same seed and
settings give the same sequence of batches, also after an interruption.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models.baselines import NETWORKS
from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.shipped import DEFAULT_PATH
from models.teacher import Teacher, fingerprint
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.batches import Corpus, draw
from models.training.checks import print_figures
from models.training.loss import Loss, loss_of
from models.training.phones import PHONES
from models.training.precision import PRECISIONS, Trainee, precision_on
from models.training.run import Run, Settings
from models.training.sources import SOURCES, credits_of, require
from models.training.store import read_index
from models.training.supervision import WEIGHT, Supervision
from models.wav2vec import load_wav2vec
from models.weights_file import Description, build, save

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.face_network import FaceNetwork
    from models.wav2vec.network import Wav2Vec

PHONE_WEIGHT = 0.1


def train(
    cache: Path,
    folder: Path,
    settings: Settings,
    device: torch.device,
    front_end: Wav2Vec | None = None,
    *,
    supervision: Supervision | None = None,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training; return the averaged network and its description.

    A teacher, and nothing else, needs a `front_end`.
    """
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    correlation = supervision.card if supervision else None
    description = describe(corpus, settings, cache, front_end, correlation=correlation)
    run = Run(folder, settings, lambda: untrained(description, front_end), device)
    loss, trainee = Loss(corpus, device), Trainee(run.network, settings.precision)
    started, at = time.monotonic(), run.step
    while run.step < settings.steps:
        batch = draw(
            corpus,
            description.architecture,
            settings.batch,
            settings.seed,
            run.step,
            settings.augmentation,
        )
        term = partial(supervision, step=run.step) if supervision else None
        face, phones = loss_of(trainee, batch, loss, device, term)
        run.update(face + PHONE_WEIGHT * phones)
        if run.step % 100 == 0:
            pace = (run.step - at) / (time.monotonic() - started)
            left_min = (settings.steps - run.step) / pace / 60
            print(
                f"step {run.step}: face {face.item():.4f} phones {phones.item():.3f},"
                f" {left_min:.0f} min left",
                flush=True,
            )
        if run.step % settings.save_every == 0 or run.step == settings.steps:
            run.save()
        if run.step % settings.check_every == 0:
            report(run.average, dev)
    return run.average, description


def untrained(description: Description, front_end: Wav2Vec | None) -> FaceNetwork:
    """Return the network that `description` names; a teacher hears through `front_end`."""
    network = build(description)
    if front_end is not None and isinstance(network, Teacher):
        network.attach(front_end)
    return network


def report(network: FaceNetwork, dev: Corpus) -> None:
    """Print the held-out figures at several look-aheads."""
    device = next(network.parameters()).device
    print_figures(network.cpu(), dev, "grid_s1")
    network.to(device)


def describe(
    corpus: Corpus,
    settings: Settings,
    cache: Path,
    front_end: Wav2Vec | None = None,
    *,
    correlation: Mapping[str, object] | None = None,
) -> Description:
    """Return the description that goes into the weights file.

    `correlation` is the card of the correlation supervision, if there was any.
    """
    made_with = asdict(settings) | ({"correlation": dict(correlation)} if correlation else {})
    index = (cache / "index.json").read_bytes()
    digest = hashlib.sha256(index + json.dumps(made_with).encode()).hexdigest()
    sizes: dict[str, Any] = {
        "phones": len(PHONES),
        "emotions": len(EMOTIONS),
        "channels": len(AUDIO_DRIVEN),
    }
    if front_end is not None:
        sizes |= {"hidden": front_end.sizes.hidden_size, "front_end": fingerprint(front_end)}
    return Description(
        architecture=NETWORKS[settings.network].sizes(**sizes),
        channels=AUDIO_DRIVEN,
        emotions=EMOTIONS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        rate_hz=ROW_RATE_HZ,
        card={
            "licence": "Apache-2.0",
            "data": credits_of(name for name, minutes in corpus.minutes().items() if minutes),
            "minutes": corpus.minutes(),
            "settings": made_with,
            "training_hash": digest,
        },
        network=settings.network,
    )


def command() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--network", default="cstalk", choices=NETWORKS)
    parser.add_argument("--wav2vec", type=Path, help="checkpoint folder, for --network teacher")
    parser.add_argument("--runs", type=Path, help="default: ../runs/default, or ../runs/NETWORK")
    parser.add_argument("--out", type=Path, help="default: the shipped weights, or in --runs")
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bf16 where it can be had")
    parser.add_argument("--correlation", type=Path, help="what models.training.correlation wrote")
    parser.add_argument("--correlation-weight", type=float, default=WEIGHT)
    return parser


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the weights file."""
    parser = command()
    options = parser.parse_args()
    require(parser, options.cache / "index.json", "run models.training.prepare first")
    heard = {clip["name"].split("/")[0] for clip in read_index(options.cache)}
    if (options.network == "teacher") != (options.wav2vec is not None):
        parser.error("--network teacher needs --wav2vec FOLDER, and no other network takes it")
    if options.network == "cstalk-uncorrelated" and options.correlation is not None:
        parser.error("cstalk-uncorrelated is trained without --correlation; use --network cstalk")
    is_ours = options.network == Settings().network
    folder = options.runs or Path("../runs", "default" if is_ours else options.network)
    out = options.out or (DEFAULT_PATH if is_ours else folder / f"{options.network}.safetensors")
    if out == DEFAULT_PATH and not all(SOURCES[source].default for source in heard):
        parser.error("the cache holds sources for research only; name another file with --out")
    device, supervision = torch.device(options.device), None
    precision = options.precision or precision_on(device)
    settings = Settings(steps=options.steps, network=options.network, precision=precision)
    try:
        front_end = load_wav2vec(options.wav2vec) if options.wav2vec else None
        if options.correlation is not None:
            weight = options.correlation_weight
            supervision = Supervision.read(options.correlation, weight, settings, device)
    except WeightsError as error:
        parser.error(str(error))
    network, description = train(
        options.cache, folder, settings, device, front_end, supervision=supervision
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, network.cpu(), description)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
