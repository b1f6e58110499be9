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
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from models.baselines import NETWORKS
from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.batches import Corpus, draw
from models.training.checks import print_figures
from models.training.loss import Loss, loss_of
from models.training.phones import PHONES
from models.training.run import Run, Settings
from models.training.sources import SOURCES, credits_of, require
from models.training.store import read_index
from models.weights_file import DEFAULT_PATH, Description, save

if TYPE_CHECKING:
    from models.face_network import FaceNetwork

PHONE_WEIGHT = 0.1


def learning_rate(settings: Settings, step: int) -> float:
    """Return the rate at `step`: a linear rise, then half a cosine to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(
    cache: Path, folder: Path, settings: Settings, device: torch.device
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training; return the averaged network and its description."""
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    description = describe(corpus, settings, cache)
    run = Run(folder, settings, description, device)
    loss = Loss(corpus, device)
    started, at = time.monotonic(), run.step
    while run.step < settings.steps:
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(settings, run.step)
        batch = draw(
            corpus,
            description.architecture,
            settings.batch,
            settings.seed,
            run.step,
            settings.augmentation,
        )
        face, phones = loss_of(run.network, batch, loss, device)
        run.optimizer.zero_grad()
        torch.autograd.backward(face + PHONE_WEIGHT * phones)
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip_norm)
        run.optimizer.step()
        run.average_in(settings.average)
        run.step += 1
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


def report(network: FaceNetwork, dev: Corpus) -> None:
    """Print the held-out figures at several look-aheads."""
    device = next(network.parameters()).device
    print_figures(network.cpu(), dev, "grid_s1")
    network.to(device)


def describe(corpus: Corpus, settings: Settings, cache: Path) -> Description:
    """Return the description that goes into the weights file."""
    index = (cache / "index.json").read_bytes()
    digest = hashlib.sha256(index + json.dumps(asdict(settings)).encode()).hexdigest()
    return Description(
        architecture=NETWORKS[settings.network].sizes(
            phones=len(PHONES), emotions=len(EMOTIONS), channels=len(AUDIO_DRIVEN)
        ),
        channels=AUDIO_DRIVEN,
        emotions=EMOTIONS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        rate_hz=ROW_RATE_HZ,
        card={
            "licence": "Apache-2.0",
            "data": credits_of(name for name, minutes in corpus.minutes().items() if minutes),
            "minutes": corpus.minutes(),
            "settings": asdict(settings),
            "training_hash": digest,
        },
        network=settings.network,
    )


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the weights file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--network", default="cstalk", choices=NETWORKS)
    parser.add_argument("--runs", type=Path, help="default: ../runs/default, or ../runs/NETWORK")
    parser.add_argument("--out", type=Path, help="default: the shipped weights, or in --runs")
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    require(parser, options.cache / "index.json", "run models.training.prepare first")
    heard = {clip["name"].split("/")[0] for clip in read_index(options.cache)}
    is_ours = options.network == Settings().network
    folder = options.runs or Path("../runs", "default" if is_ours else options.network)
    out = options.out or (DEFAULT_PATH if is_ours else folder / f"{options.network}.safetensors")
    if out == DEFAULT_PATH and not all(SOURCES[source].default for source in heard):
        parser.error("the cache holds sources for research only; name another file with --out")
    settings = Settings(steps=options.steps, network=options.network)
    network, description = train(options.cache, folder, settings, torch.device(options.device))
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, network.cpu(), description)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
