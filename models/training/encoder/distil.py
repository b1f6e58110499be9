"""Distil the third layer of Whisper tiny.en into the causal encoder. No labels are needed.

    python -m cstalk_bridge.models.training.encoder.prepare --data ../shared/data
    python -m cstalk_bridge.models.training.encoder.distil --data ../shared/data \
        --runs ../runs/distilled

A run resumes by itself, and writes `encoder.safetensors` to --runs at every checkpoint. The same
seed and settings give the same sequence of batches. `--begin-with` starts from encoder
weights instead of from Whisper's own. On one CPU core 4,000 steps take about an hour.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from cstalk_bridge.models.encoder.network import OFFSET_SCALE, Encoder, EncoderSizes
from cstalk_bridge.models.encoder.weights import EncoderDescription, load_encoder, save_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import MOST_RIGHT, REACH_HOPS, RIGHT_HOPS, delay_hops
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.encoder.streams import (
    FOLDER,
    NO_SPEECH,
    STREAMS,
    EncoderCorpus,
    Streams,
)
from cstalk_bridge.models.training.encoder.whisper import (
    LONGEST_S,
    fit_content,
    front_state,
    layer_state,
    positions,
    read,
)
from cstalk_bridge.models.training.run import Progress, Run, TrainingConfig
from cstalk_bridge.models.training.sources import (
    SOURCES,
    credits_of,
    licence_of,
    require,
    text_digest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cstalk_bridge.models.encoder.network import Layer
    from cstalk_bridge.models.training.encoder.streams import Batch


PLACED_ROWS = 300
"""Rows of Whisper's sinusoids whose mean stands for every position."""
FITTED_DELAY = len(RIGHT_HOPS) - 1
LEAST_SPREAD = 0.05


def encoder_from_whisper(checkpoint: Path, sounds: Sequence[NDArray[np.float32]]) -> Encoder:
    """Return an encoder with the layers of a Whisper checkpoint, fitted on `sounds` [time] each."""
    tensors = np.load(checkpoint)
    encoder = Encoder().eval()
    encoder.load_state_dict(front_state(tensors), strict=False)
    for number, layer in enumerate(encoder.stack):
        layer.load_state_dict(layer_state(tensors, number), strict=False)
    with torch.no_grad():
        encoder.place.copy_(positions(PLACED_ROWS).mean(0))
        fit_offsets(encoder, sounds)
    return encoder


@torch.no_grad()
def fit_offsets(encoder: Encoder, sounds: Sequence[NDArray[np.float32]]) -> None:
    """Set what distance adds to the scores to what positions add on the average, layer by layer."""
    random = np.random.default_rng(3)
    placed, free = [], []
    for sound in sounds:
        rows = encoder.front(encoder.mel(torch.from_numpy(sound)[None]))
        initial = int(random.integers(int(LONGEST_S * ROW_RATE_HZ) - rows.shape[1]))
        placed.append(rows + positions(initial + rows.shape[1])[initial:])
        free.append(rows + encoder.place)
    for layer, right in zip(encoder.stack, RIGHT_HOPS[FITTED_DELAY], strict=True):
        layer.offset.copy_(_mean_difference(layer, placed, free) / OFFSET_SCALE)
        free = [layer(x, right) for x in free]
        placed = [layer(x, 0)[:, : y.shape[1]] for x, y in zip(placed, free, strict=True)]


def _mean_difference(layer: Layer, placed: Sequence[Tensor], free: Sequence[Tensor]) -> Tensor:
    """Return how much higher scores are with positions, by distance, [heads, distances]."""
    distances = REACH_HOPS + 1 + MOST_RIGHT
    total, count = torch.zeros(layer.heads, distances), torch.zeros(distances)
    for one, other in zip(placed, free, strict=True):
        gained = (layer.content_scores(one) - layer.content_scores(other))[0]
        gained = gained - gained.mean(-1, keepdim=True)
        for place in range(distances):
            found = torch.diagonal(gained, place - REACH_HOPS, 1, 2)
            total[:, place] += found.sum(1)
            count[place] += found.shape[1]
    return total / count.clamp(min=1)


def standardise(encoder: Encoder, layers: Sequence[NDArray[np.float32]]) -> None:
    """Set the encoder's output scale to that of the teacher's layer, [rows, width] each."""
    rows = torch.from_numpy(np.concatenate(layers))
    encoder.mean.copy_(rows.mean(0))
    encoder.spread.copy_(rows.std(0) + LEAST_SPREAD)


NOTICE = (
    "Grown from the encoder of OpenAI Whisper tiny.en, Copyright (c) 2022 OpenAI, under the MIT"
    " licence; the notice is in the model card."
)


def describe(
    corpus: EncoderCorpus,
    settings: Mapping[str, object],
    initial_card: Mapping[str, object],
    heads: tuple[str, ...] = (),
) -> EncoderDescription:
    """Return the description of an encoder trained on `corpus`.

    `initial_card` is the card of its initial weights; empty where those are Whisper's.
    """
    minutes = corpus.minutes()
    known = [source for source in minutes if source in SOURCES]
    used = dict(settings)
    if initial_card:
        used["begun_with"] = initial_card["training_hash"]
    return EncoderDescription(
        sizes=EncoderSizes(),
        heads=heads,
        card={
            "licence": licence_of(known, [str(initial_card["licence"])] if initial_card else []),
            "notice": NOTICE,
            "data": credits_of(known),
            "minutes": minutes,
            "settings": used,
            "training_hash": text_digest(json.dumps(used), json.dumps(corpus.keys)),
        },
    )


def write_weights(
    path: Path, encoder: Encoder, description: EncoderDescription, heads: nn.Linear | None = None
) -> None:
    """Write the current weights, whole or not at all, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_encoder(path, encoder, description, heads)


SETTINGS = TrainingConfig(
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
"""Share of the batches that are encoded at each index of `RIGHT_HOPS`."""
COSINE_WEIGHT = 0.5
FITTED_CLIPS, SCALED_CLIPS, CONTENT_CLIPS = 30, 400, 240
DEV_BATCHES = 3


def drawn_delay(seed: int, step: int) -> int:
    """Return the delay at which a step's batch is encoded, an index of `RIGHT_HOPS`."""
    return int(np.random.default_rng((seed, step, 1)).choice(len(RIGHT_HOPS), p=DELAY_SHARES))


def features_of(encoder: Encoder, batch: Batch, delay: int, precision: str) -> Tensor:
    """Return the encoder's rows [streams, rows, width] of a batch, computed in a precision."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        rows: Tensor = encoder(batch.samples, delay)
    return rows


def layer_loss(encoder: Encoder, rows: Tensor, batch: Batch, content: Tensor) -> Tensor:
    """Return the distance of the encoder's `rows` to the teacher's where those are known.

    `content` [width, directions] are the directions in which they are compared.
    """
    # Row 0 stands for the time at which the second hop begins.
    layer, known = (x[:, 1 : 1 + rows.shape[1]] for x in (batch.layer, batch.layer_known))
    target = ((layer - encoder.mean) / encoder.spread)[known] @ content
    predicted = rows[known] @ content
    apart = 1.0 - functional.cosine_similarity(predicted, target, -1).mean()
    return functional.smooth_l1_loss(predicted, target) + COSINE_WEIGHT * apart


@torch.no_grad()
def explained(encoder: Encoder, streams: Streams, seed: int, content: Tensor) -> list[float]:
    """Return the share of the teacher's variance that the encoder explains, by delay, in scenes."""
    errors, whole = np.zeros(len(RIGHT_HOPS)), 0.0
    for number in range(DEV_BATCHES):
        batch = streams.draw(seed, number)
        rows = streams.hops - delay_hops(len(RIGHT_HOPS) - 1)
        known = batch.layer_known[:, 1 : 1 + rows]
        target = ((batch.layer - encoder.mean) / encoder.spread)[:, 1 : 1 + rows][known] @ content
        whole += float((target - target.mean(0)).square().sum())
        for delay in range(len(RIGHT_HOPS)):
            predicted = encoder(batch.samples, delay)[:, :rows][known] @ content
            errors[delay] += float((predicted - target).square().sum())
    return [float(part) for part in 1.0 - errors / whole]


def distil(
    cache: Path, folder: Path, settings: TrainingConfig, initial: Encoder, content: Tensor
) -> Encoder:
    """Run (or finish) the distillation from `initial`; return the averaged encoder.

    `content` are the target directions.

    WeightsError: `folder` holds a run with another configuration.
    """
    corpus = EncoderCorpus(cache, "train")
    streams = Streams(corpus, None, settings.batch)
    dev = Streams(EncoderCorpus(cache, "dev"))
    description = describe(corpus, asdict(settings), {})
    run = Run(folder, settings, lambda: copy.deepcopy(initial), torch.device("cpu"), corpus.keys)
    progress = Progress(run, 20)
    for step in run.steps():
        batch = streams.draw(settings.seed, step)
        rows = features_of(run.network, batch, drawn_delay(settings.seed, step), settings.precision)
        loss = layer_loss(run.network, rows, batch, content)
        run.update(loss)
        progress.report(layer=loss)
        if run.step % settings.save_every == 0:
            write_weights(folder / "encoder.safetensors", run.average, description)
        if run.step % settings.check_every == 0:
            explained_by_delay = explained(run.average, dev, 5, content)
            listed = ", ".join(f"{part:.3f}" for part in explained_by_delay)
            print(f"  explained variance by delay, dev: {listed}", flush=True)
    write_weights(folder / "encoder.safetensors", run.average, description)
    return run.average


def initial_encoder(checkpoint: Path, cache: Path) -> Encoder:
    """Return the teacher's layers, fitted to the set in `cache`."""
    corpus = EncoderCorpus(cache, "train")
    random = np.random.default_rng(2)
    picked = [corpus.clips[i] for i in random.permutation(len(corpus.clips))[:SCALED_CLIPS]]
    encoder = encoder_from_whisper(
        checkpoint, [corpus.sound(clip) for clip in picked[:FITTED_CLIPS]]
    )
    standardise(encoder, [corpus.layer(clip) for clip in picked])
    return encoder


def content_of(checkpoint: Path, cache: Path, encoder: Encoder) -> Tensor:
    """Return the directions of the teacher's layer that do not depend on a hop's place.

    In units of `encoder`'s features, fitted on the set in `cache`.
    """
    corpus = EncoderCorpus(cache, "train")
    spoken = [clip for clip in corpus.clips if clip.source != NO_SPEECH]
    picked = [spoken[i] for i in np.random.default_rng(6).permutation(len(spoken))[:CONTENT_CLIPS]]
    clips = [(corpus.sound(clip), corpus.layer(clip)) for clip in picked]
    return fit_content(read(checkpoint), clips, encoder.spread.numpy())


def add_arguments(parser: argparse.ArgumentParser, runs: Path, settings: TrainingConfig) -> None:
    """Add the arguments that both stages have, with the stage's own defaults."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--whisper", type=Path, help="Whisper checkpoint (default: whisper_tiny_en in --data)"
    )
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--runs", type=Path, default=runs)
    parser.add_argument("--seed", type=int, default=settings.seed)
    parser.add_argument("--steps", type=int, default=settings.steps)


def checkpoint_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Path:
    """Return the teacher's checkpoint; exit with 2 where it or the training set is missing."""
    checkpoint: Path = options.whisper or options.data / "whisper_tiny_en/encoder_f16.npz"
    require(
        parser, checkpoint, "the encoder of Whisper tiny.en is the teacher; name it with --whisper"
    )
    require(
        parser, options.cache / FOLDER, "run cstalk_bridge.models.training.encoder.prepare first"
    )
    return checkpoint


def main() -> None:
    """Distil, resuming where an earlier run stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser, Path("../runs/distilled"), SETTINGS)
    parser.add_argument("--begin-with", type=Path, help="initial encoder weights")
    options = parser.parse_args()
    checkpoint = checkpoint_of(parser, options)
    torch.set_num_threads(1)
    settings = replace(SETTINGS, seed=options.seed, steps=options.steps)
    try:
        if options.begin_with is not None:
            initial = load_encoder(options.begin_with)[0].requires_grad_()
        else:
            initial = initial_encoder(checkpoint, options.cache)
        content = content_of(checkpoint, options.cache, initial)
        print(f"target directions: {content.shape[1]}", flush=True)
        distil(options.cache, options.runs, settings, initial, content)
    except WeightsError as error:
        parser.error(str(error))
    print(f"wrote {options.runs / 'encoder.safetensors'}")


if __name__ == "__main__":
    main()
