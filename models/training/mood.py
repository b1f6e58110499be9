"""Train the network that tells the mood of a voice: a research build, not for commercial use.

    python -m models.training.mood --data ../shared/data

Learns from acted emotions (RAVDESS, CC BY-NC-SA 4.0, actors 01-16) and from neutral reading; about
six minutes on one CPU core. Prints how well moods of actors 17-20 are told, and writes the weights.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.mood.network import MoodNetwork
from models.mood.onnx_network import OnnxMoodNetwork
from models.mood.sizes import Sizes
from models.mood.weights import DEFAULT_PATH, MoodDescription, save
from models.timing import HOP_S
from models.training.mood_crops import PRIOR, Crops
from models.training.mood_report import figures
from models.training.mood_sessions import (
    RAVDESS,
    READING,
    Heard,
    average_traits,
    hear_session,
    sessions,
    tones,
)
from models.training.sources import SOURCES, credits_of, require

if TYPE_CHECKING:
    from collections.abc import Callable

LICENCE = "CC BY-NC-SA 4.0 (research, non-commercial)"
HEARINGS = 4
"""Times that a session is heard: once as it is, and under other microphones and paces."""
NOISE, OFFSET = 0.1, 0.15
"""Spread of noise on each input, and on each input for a whole crop."""
UNHEARD = 0.1
"""Share of the inputs that a crop goes without."""
SMOOTHING = 0.1
EARLY_HOPS = (10, 40)
"""Voiced hops after which a first judgement is asked for, too."""
MIN_VOICED = 3.0
TOLD_EVERY = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What shapes the weights."""

    seed: int = 11
    steps: int = 2000
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.15
    average: float = 0.99


def train(heard: list[Heard], settings: Settings, sizes: Sizes) -> MoodNetwork:
    """Return the trained network; it does not depend on chance but for the seed."""
    torch.manual_seed(settings.seed)
    average = average_traits(heard)
    crops = Crops(heard, average, np.random.default_rng(settings.seed))
    network = MoodNetwork(sizes)
    network.average.copy_(torch.from_numpy(average))
    kept = AveragedModel(network, multi_avg_fn=_moving_average(settings.average))
    rate, steps = settings.learning_rate, settings.steps
    optimizer = torch.optim.AdamW(
        network.parameters(), rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1
    )
    for step in range(1, steps + 1):
        loss = _loss(network, *crops.draw(settings.batch, sizes.past_hops), settings.dropout)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        kept.update_parameters(network)
        if step % TOLD_EVERY == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    trained = kept.module
    if not isinstance(trained, MoodNetwork):
        raise TypeError(f"{type(trained).__name__} is no mood network")
    return trained.eval()


def _moving_average(decay: float) -> Callable[..., None]:
    averaging: Callable[..., None] = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return averaging


def _loss(
    network: MoodNetwork, inputs: Tensor, voicing: Tensor, emotions: Tensor, dropout: float
) -> Tensor:
    """Return how far the evidence of crops is off, of all their voice and of its beginning."""
    batch, width, _ = inputs.shape
    inputs = inputs + NOISE * torch.randn_like(inputs) + OFFSET * torch.randn(batch, width, 1)
    evidence = _judge(network, inputs * (torch.rand(batch, width, 1) > UNHEARD), dropout)
    low, high = EARLY_HOPS
    until = low + (high - low) * torch.rand(())
    early = voicing * (voicing.cumsum(1) < until)
    enough = (voicing.sum(1) > MIN_VOICED).float()
    errors = [
        functional.cross_entropy(
            pooled(evidence, weights) + PRIOR.log(),
            emotions,
            label_smoothing=SMOOTHING,
            reduction="none",
        )
        for weights in (voicing, early)
    ]
    return ((errors[0] + 0.5 * errors[1]) * enough).mean()


def _judge(network: MoodNetwork, inputs: Tensor, dropout: float) -> Tensor:
    """Return evidence as `MoodNetwork.forward`, without some channels of each block."""
    x = network.stem(inputs)
    for block in network.blocks:
        x = block(x)
        x = x * (torch.rand(*x.shape[:2], 1) > dropout) / (1.0 - dropout)
    evidence: Tensor = network.head(x)
    return evidence


def pooled(evidence: Tensor, voicing: Tensor) -> Tensor:
    """Return the mean evidence `[batch, emotions]` of what is voiced."""
    weights = voicing[:, None]
    mean: Tensor = (evidence * weights).sum(2) / (weights.sum(2) + 1e-3)
    return mean


def heard_for_training(data: Path, seed: int) -> list[Heard]:
    """Return all that trains, each session as it is and as other microphones hear it."""
    dice = torch.Generator().manual_seed(seed)
    found = list(tones(dice))
    for session in sessions(data, "train", seed):
        found.append(hear_session(session))
        found += [hear_session(session, dice) for _ in range(HEARINGS - 1)]
    return found


def minutes_of(heard: list[Heard]) -> dict[str, float]:
    """Return the minutes of each source, every session counted once."""
    found: dict[str, float] = {}
    seen = set()
    for one in heard:
        if one.session not in seen and one.session.source in SOURCES:
            seen.add(one.session)
            minutes = len(one.voicing) * HOP_S / 60
            found[one.session.source] = found.get(one.session.source, 0.0) + minutes
    return {source: round(minutes, 1) for source, minutes in found.items()}


def main() -> None:
    """Train, tell how good it is, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--seed", type=int, default=Settings().seed)
    options = parser.parse_args()
    for source in (RAVDESS, *READING):
        require(parser, options.data / source, "name the data folder with --data")
    settings = replace(Settings(), steps=options.steps, seed=options.seed)
    torch.set_num_threads(1)
    start_s = time.monotonic()
    heard = heard_for_training(options.data, settings.seed)
    sizes = Sizes()
    tensors = train(heard, settings, sizes).tensors()
    found = figures(OnnxMoodNetwork(sizes, tensors), options.data, settings.seed)
    card = {
        "licence": LICENCE,
        "data": credits_of((RAVDESS, *READING)),
        "minutes": minutes_of(heard),
        "settings": asdict(settings),
        "figures": found,
    }
    save(options.out, tensors, MoodDescription(sizes, card))
    minutes = (time.monotonic() - start_s) / 60
    print(*(f"{name}: {value:.1f}" for name, value in found.items()), sep="\n")
    print(f"wrote {options.out} after {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
