"""Teach the encoder the third layer of Whisper tiny.en, heard causally. No labels are needed.

    python -m models.training.encoder.prepare --data ../shared/data
    python -m models.training.encoder.distil --data ../shared/data --runs ../runs/distilled

resumes by itself, and writes `encoder.safetensors` to --runs at every checkpoint. The same seed and
settings give the same sequence of batches. `--begin-with` goes on from encoder weights instead of
from Whisper's own. On one CPU core 4,000 steps take about an hour.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from models.encoder.network import RIGHT_HOPS, delay_hops
from models.encoder.weights import load
from models.errors import WeightsError
from models.training.encoder.begin import begun, standardise
from models.training.encoder.card import describe, write_weights
from models.training.encoder.content import fit_content
from models.training.encoder.streams import NO_SPEECH, STREAMS, Streams
from models.training.encoder.taught import FOLDER, TaughtSet
from models.training.encoder.whisper import read
from models.training.progress import Progress
from models.training.run import Run, Settings
from models.training.sources import require

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder.network import Encoder
    from models.training.encoder.streams import Batch

SETTINGS = Settings(
    seed=31,
    steps=4000,
    batch=STREAMS,
    learning_rate=3e-4,
    warm_up_steps=100,
    average=0.998,
    check_every=500,
    save_every=50,
    network="encoder",
)
DELAY_SHARES = (0.25, 0.5, 0.25)
"""How often a batch is heard at each index of `RIGHT_HOPS`."""
COSINE_WEIGHT = 0.5
FITTED_CLIPS, SCALED_CLIPS, CONTENT_CLIPS = 30, 400, 240
DEV_BATCHES = 3


def drawn_delay(seed: int, step: int) -> int:
    """Return the delay at which a step's batch is heard, an index of `RIGHT_HOPS`."""
    return int(np.random.default_rng((seed, step, 1)).choice(len(RIGHT_HOPS), p=DELAY_SHARES))


def features_of(encoder: Encoder, batch: Batch, delay: int, precision: str) -> Tensor:
    """Return the encoder's rows [streams, rows, width] of a batch, computed in a precision."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        rows: Tensor = encoder(batch.samples, delay)
    return rows


def layer_loss(encoder: Encoder, rows: Tensor, batch: Batch, content: Tensor) -> Tensor:
    """Return the distance of the encoder's `rows` to the teacher's where it told any.

    `content` [width, directions] are the directions in which they are compared.
    """
    # Row 0 stands for the time at which the second hop begins.
    layer, told = (x[:, 1 : 1 + rows.shape[1]] for x in (batch.layer, batch.told))
    wanted = ((layer - encoder.mean) / encoder.spread)[told] @ content
    heard = rows[told] @ content
    apart = 1.0 - functional.cosine_similarity(heard, wanted, -1).mean()
    return functional.smooth_l1_loss(heard, wanted) + COSINE_WEIGHT * apart


@torch.no_grad()
def explained(encoder: Encoder, streams: Streams, seed: int, content: Tensor) -> list[float]:
    """Return the share of the teacher's variance that the encoder gives, by delay, in scenes."""
    errors, whole = np.zeros(len(RIGHT_HOPS)), 0.0
    for number in range(DEV_BATCHES):
        batch = streams.draw(seed, number)
        rows = streams.hops - delay_hops(len(RIGHT_HOPS) - 1)
        told = batch.told[:, 1 : 1 + rows]
        wanted = ((batch.layer - encoder.mean) / encoder.spread)[:, 1 : 1 + rows][told] @ content
        whole += float((wanted - wanted.mean(0)).square().sum())
        for delay in range(len(RIGHT_HOPS)):
            heard = encoder(batch.samples, delay)[:, :rows][told] @ content
            errors[delay] += float((heard - wanted).square().sum())
    return [float(share) for share in 1.0 - errors / whole]


def distil(
    cache: Path, folder: Path, settings: Settings, first: Encoder, content: Tensor
) -> Encoder:
    """Run (or finish) the distillation from `first`; return the averaged encoder.

    `content` are the directions that are asked for.

    WeightsError: `folder` holds a run that was begun otherwise.
    """
    taught = TaughtSet(cache, "train")
    streams = Streams(taught, None, settings.batch)
    dev = Streams(TaughtSet(cache, "dev"))
    description = describe(taught, asdict(settings), {})
    run = Run(folder, settings, lambda: copy.deepcopy(first), torch.device("cpu"), taught.keys)
    progress = Progress(run, 20)
    for step in run.steps():
        batch = streams.draw(settings.seed, step)
        rows = features_of(run.network, batch, drawn_delay(settings.seed, step), settings.precision)
        loss = layer_loss(run.network, rows, batch, content)
        run.update(loss)
        progress.tell(layer=loss)
        if run.step % settings.save_every == 0:
            write_weights(folder / "encoder.safetensors", run.average, description)
        if run.step % settings.check_every == 0:
            shares = ", ".join(f"{share:.3f}" for share in explained(run.average, dev, 5, content))
            print(f"  explained at each delay, dev: {shares}", flush=True)
    write_weights(folder / "encoder.safetensors", run.average, description)
    return run.average


def beginning(checkpoint: Path, cache: Path) -> Encoder:
    """Return the teacher's layers, fitted to the set in `cache`."""
    taught = TaughtSet(cache, "train")
    random = np.random.default_rng(2)
    picked = [taught.clips[i] for i in random.permutation(len(taught.clips))[:SCALED_CLIPS]]
    encoder = begun(checkpoint, [taught.sound(clip) for clip in picked[:FITTED_CLIPS]])
    standardise(encoder, [taught.layer(clip) for clip in picked])
    return encoder


def content_of(checkpoint: Path, cache: Path, encoder: Encoder) -> Tensor:
    """Return the directions of the teacher's layer that do not depend on a hop's place.

    In units of `encoder`'s features, fitted on the set in `cache`.
    """
    taught = TaughtSet(cache, "train")
    spoken = [clip for clip in taught.clips if clip.source != NO_SPEECH]
    picked = [spoken[i] for i in np.random.default_rng(6).permutation(len(spoken))[:CONTENT_CLIPS]]
    clips = [(taught.sound(clip), taught.layer(clip)) for clip in picked]
    return fit_content(read(checkpoint), clips, encoder.spread.numpy())


def main() -> None:
    """Distil, resuming where an earlier run stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--whisper", type=Path, help="default: whisper_tiny_en in --data")
    parser.add_argument("--runs", type=Path, default=Path("../runs/distilled"))
    parser.add_argument("--begin-with", type=Path, help="encoder weights to go on from")
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    parser.add_argument("--steps", type=int, default=SETTINGS.steps)
    options = parser.parse_args()
    checkpoint = options.whisper or options.data / "whisper_tiny_en/encoder_f16.npz"
    require(parser, checkpoint, "the encoder of Whisper tiny.en teaches; name it with --whisper")
    require(parser, options.cache / FOLDER, "run models.training.encoder.prepare first")
    torch.set_num_threads(1)
    settings = Settings(**asdict(SETTINGS) | {"seed": options.seed, "steps": options.steps})
    try:
        if options.begin_with is not None:
            first = load(options.begin_with)[0].requires_grad_()
        else:
            first = beginning(checkpoint, options.cache)
        content = content_of(checkpoint, options.cache, first)
        print(f"directions asked for: {content.shape[1]}", flush=True)
        distil(options.cache, options.runs, settings, first, content)
    except WeightsError as error:
        parser.error(str(error))
    print(f"wrote {options.runs / 'encoder.safetensors'}")


if __name__ == "__main__":
    main()
