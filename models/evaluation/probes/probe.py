"""The probe: one hidden layer on a row of features, taught the same way whatever the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

HIDDEN = 128
STEPS, BATCH = 1200, 1024
LEARNING_RATE = 2e-3
DROPOUT = 0.2
SOFTENING = 0.05
LEAST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class Probe:
    """A taught probe; features go in as they are."""

    network: nn.Module
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @torch.inference_mode()
    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what it says of `features` [rows, width], [rows, outputs]."""
        scaled = torch.from_numpy((features - self.mean) / self.spread)
        said: NDArray[np.float32] = self.network(scaled).numpy()
        return said


def classifier(features: NDArray[np.float32], classes: NDArray[np.int64], count: int) -> Probe:
    """Return a probe of log probabilities, taught on `features` [rows, width], `classes` [rows]."""
    told = torch.from_numpy(classes)

    def loss(said: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(said, told[rows], label_smoothing=SOFTENING)

    return _taught(features, count, loss, nn.LogSoftmax(1))


def regression(features: NDArray[np.float32], values: NDArray[np.float32]) -> Probe:
    """Return a probe of `values` [rows, n] in units of their spread."""
    told = torch.from_numpy((values - values.mean(0)) / values.std(0))

    def loss(said: Tensor, rows: Tensor) -> Tensor:
        return functional.mse_loss(said, told[rows])

    return _taught(features, values.shape[1], loss, nn.Identity())


def _taught(
    features: NDArray[np.float32],
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    last: nn.Module,
) -> Probe:
    dice = torch.Generator().manual_seed(0)
    mean, spread = features.mean(0), features.std(0) + LEAST_SPREAD
    heard = torch.from_numpy((features - mean) / spread)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(features.shape[1], HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, outputs),
            last,
        )
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
        for _ in range(STEPS):
            rows = torch.randint(len(heard), (BATCH,), generator=dice)
            optimizer.zero_grad()
            torch.autograd.backward(loss(network(heard[rows]), rows))
            optimizer.step()
            schedule.step()
    return Probe(network.eval(), mean, spread)
