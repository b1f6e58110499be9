"""How phones move a mouth, learned from captured faces and carried to every aligned voice.

A small network, not causal, hears no voice at all: what a phone listener guesses and the clip's
loudness go in, the captured curves come out (`captured_mouths.CURVES`). Guesses carry over better
than phones that an aligner found: they tell how clearly and exactly when something was said. Each
captured face has a habit (a learned bias) and a size of its own, which other voices do not inherit:
they get the mean of both habits, in the GRID talker's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.captured_mouths import CURVES, OBSERVED, TEACHERS
from models.training.phones import PHONES
from models.training.rules import GESTURES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH = 64
LAYERS = 4  # of 5 rows each: +-0.16 s of neighbours on both sides
STEPS = 2000
BATCH = 16
ROWS = 140
LEARNING_RATE = 2e-3
VELOCITY_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """One captured clip of a source in `TEACHERS`.

    `inputs` are [time, inputs] (`inputs_of`), `captured` is [time, curves].
    """

    source: str
    inputs: Tensor
    captured: NDArray[np.float32]

    def piece(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return `ROWS` rows of inputs and of curves; after the clip's end its last row."""
        first = int(random.integers(max(1, len(self.captured) - ROWS + 1)))
        rows = torch.arange(first, first + ROWS).clamp(max=len(self.captured) - 1)
        return self.inputs[rows], torch.from_numpy(self.captured)[rows]


class Articulation(nn.Module):
    """Phones and loudness to the captured curves."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [len(PHONES) + len(GESTURES) + 1, *[WIDTH] * LAYERS]
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 5, padding=2) for inputs, outputs in pairwise(sizes)
        )
        self.habit = nn.Parameter(torch.zeros(len(TEACHERS), WIDTH))
        self.size = nn.Parameter(torch.zeros(len(TEACHERS), len(CURVES)))
        self.head = nn.Conv1d(WIDTH, len(CURVES), 1)

    def forward(self, inputs: Tensor, habits: Tensor) -> Tensor:
        """Return the curves [batch, time, curves] of inputs [batch, time, inputs].

        `habits` [batch, teachers] is each teacher's share, 1 in all.
        """
        x = self.layers[0](inputs.transpose(1, 2)) + (habits @ self.habit)[..., None]
        for layer in self.layers[1:]:
            x = layer(functional.gelu(x))
        y: Tensor = self.head(functional.gelu(x)).transpose(1, 2)
        return y * torch.exp(habits @ self.size)[:, None]

    @torch.inference_mode()
    def carry(self, inputs: Tensor) -> NDArray[np.float32]:
        """Return the curves [time, curves] of a voice that is nobody's, 0..1."""
        shares = torch.full((1, len(TEACHERS)), 1.0 / len(TEACHERS))
        curves = self(inputs[None], shares)[0] * torch.exp(self.size[0] - self.size.mean(0))
        return np.asarray(curves.clamp(0.0, 1.0).numpy(), dtype=np.float32)

    @torch.inference_mode()
    def repeat(self, lesson: Lesson) -> NDArray[np.float32]:
        """Return the curves [time, curves] of a lesson, in its teacher's habit."""
        shares = functional.one_hot(torch.tensor([TEACHERS.index(lesson.source)]), len(TEACHERS))
        told: NDArray[np.float32] = self(lesson.inputs[None], shares.float())[0].numpy()
        return told


def inputs_of(heard: NDArray[np.float32], loudness: NDArray[np.float32]) -> Tensor:
    """Return the network's inputs of phone probabilities [time, phones] and loudness [time]."""
    return torch.from_numpy(np.concatenate((heard, heard @ TARGETS, loudness[:, None]), 1))


def learn(lessons: Sequence[Lesson], seed: int) -> Articulation:
    """Train on captured clips, every teacher as often; prints the error as it falls."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    own = [[lesson for lesson in lessons if lesson.source == source] for source in TEACHERS]
    taught = [number for number, of_source in enumerate(own) if of_source]
    seen = torch.tensor([OBSERVED[source] for source in TEACHERS]).float()
    network = Articulation()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for step in range(STEPS):
        who = [taught[place % len(taught)] for place in range(BATCH)]
        pieces = [own[n][random.integers(len(own[n]))].piece(random) for n in who]
        inputs, wanted = (torch.stack(parts) for parts in zip(*pieces, strict=True))
        shares = functional.one_hot(torch.tensor(who), len(TEACHERS)).float()
        error = (network(inputs, shares) - wanted) * (shares @ seen)[:, None]
        loss = error.square().mean() + VELOCITY_WEIGHT * error.diff(dim=1).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 500 == 0 or step == STEPS - 1:
            print(f"articulation step {step}: loss {loss.item():.5f}", flush=True)
    return network.eval()


def correlation(network: Articulation, lessons: Sequence[Lesson]) -> list[float]:
    """Return Pearson's r of each curve over all `lessons`."""
    guess = np.concatenate([network.repeat(lesson) for lesson in lessons])
    truth = np.concatenate([lesson.captured for lesson in lessons])
    return [
        float(np.corrcoef(g, t)[0, 1]) if t.std() > 0 else float("nan")
        for g, t in zip(guess.T, truth.T, strict=True)
    ]
