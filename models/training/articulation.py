"""How phones move a mouth, learned from captured faces and carried to every aligned voice.

A small network, not causal, hears no voice at all: phones, their rule curves and the clip's
loudness go in, the captured jaw and pucker come out. So it can give any aligned recording the
jaw that its words and stresses would have, whoever speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.phones import PHONES
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CAPTURED = ("jawOpen", "mouthPucker")
"""The ARKit curves which the GRID tracker observes well enough to learn from."""

WIDTH = 64
LAYERS = 4  # of 5 rows each: +-0.16 s of neighbours on both sides
STEPS = 1500
BATCH = 16
LEARNING_RATE = 2e-3


@dataclass(frozen=True, slots=True)
class Lesson:
    """One captured clip: phone indices [time], rule curves, loudness [time], captured curves."""

    phones: NDArray[np.int64]
    rules: NDArray[np.float32]
    loudness: NDArray[np.float32]
    captured: NDArray[np.float32]

    def inputs(self) -> Tensor:
        """Return the network's inputs, [time, inputs]."""
        return inputs_of(self.phones, self.rules, self.loudness)

    def cut(self, rows: int) -> Lesson:
        """Return the first `rows` rows."""
        return Lesson(
            self.phones[:rows], self.rules[:rows], self.loudness[:rows], self.captured[:rows]
        )


class Articulation(nn.Module):
    """Phones, rule curves and loudness to the captured curves, [batch, time, ...] all."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [len(PHONES) + len(GESTURES) + 1, *[WIDTH] * LAYERS]
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 5, padding=2) for inputs, outputs in pairwise(sizes)
        )
        self.head = nn.Conv1d(WIDTH, len(CAPTURED), 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the curves, [batch, time, captured]."""
        x = inputs.transpose(1, 2)
        for layer in self.layers:
            x = functional.gelu(layer(x))
        y: Tensor = self.head(x)
        return y.transpose(1, 2)


def inputs_of(
    phones: NDArray[np.int64], rules: NDArray[np.float32], loudness: NDArray[np.float32]
) -> Tensor:
    """Return the network's inputs for one clip, [time, inputs]."""
    one_hot = np.eye(len(PHONES), dtype=np.float32)[phones]
    return torch.from_numpy(np.concatenate((one_hot, rules, loudness[:, None]), 1))


def learn(lessons: Sequence[Lesson], seed: int) -> Articulation:
    """Train on captured clips of one length; prints the error as it falls."""
    torch.manual_seed(seed)
    network = Articulation()
    inputs = torch.stack([lesson.inputs() for lesson in lessons])
    targets = torch.stack([torch.from_numpy(lesson.captured) for lesson in lessons])
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for step in range(STEPS):
        rows = torch.randint(len(lessons), (BATCH,))
        error = network(inputs[rows]) - targets[rows]
        loss = error.square().mean() + error.diff(dim=1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 300 == 0 or step == STEPS - 1:
            print(f"articulation step {step}: loss {loss.item():.5f}", flush=True)
    return network.eval()


def correlation(network: Articulation, lessons: Sequence[Lesson]) -> NDArray[np.float64]:
    """Return Pearson's r of each captured curve over all `lessons`."""
    with torch.inference_mode():
        guesses = [network(lesson.inputs()[None])[0].numpy() for lesson in lessons]
    guess, truth = np.concatenate(guesses), np.concatenate([lesson.captured for lesson in lessons])
    return np.array([np.corrcoef(g, t)[0, 1] for g, t in zip(guess.T, truth.T, strict=True)])
