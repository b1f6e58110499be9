"""What the correlation network is asked: regions out of sight, and how well it told them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.regions import COLUMNS, REGIONS

if TYPE_CHECKING:
    from models.correlation import RegionCorrelation, Windows

WHOLE_SHARE = 0.6  # of windows in which whole regions are hidden; of the rest, scattered tokens
SECOND_SHARE = 0.35  # of those, in which a second region is hidden too
SCATTERED = (0.15, 0.5)
VELOCITY_WEIGHT = 1.0

MEMBER = torch.tensor(
    [[i in COLUMNS[region] for i in range(sum(map(len, COLUMNS.values())))] for region in REGIONS]
)
"""True where a channel belongs to a region, [regions, 81]."""


def hide(windows: Windows, random: np.random.Generator) -> Tensor:
    """Draw what is hidden: one or two whole observed regions, or 15-50 % of all tokens.

    Returns [batch, time, regions]. Something observed stays in sight.
    """
    batch, rows = windows.values.shape[:2]
    hidden = np.zeros((batch, rows, len(REGIONS)), dtype=np.bool_)
    told = (windows.observed.float() @ MEMBER.float().T > 0).numpy()
    for row in range(batch):
        if random.random() < WHOLE_SHARE:
            regions = random.permutation(np.flatnonzero(told[row]))
            count = 1 + int(random.random() < SECOND_SHARE and len(regions) > 2)
            hidden[row][:, regions[:count]] = True
        else:
            hidden[row] = random.random(hidden[row].shape) < random.uniform(*SCATTERED)
    return torch.from_numpy(hidden)


def hidden_error(guess: Tensor, windows: Windows, hidden: Tensor, scale: Tensor) -> Tensor:
    """Return the L1 error of what was hidden and observed, of values and of first differences.

    In units of `scale` [81], each channel's spread.
    """
    member = MEMBER.to(hidden.device)
    asked = ((hidden.float() @ member.float()) > 0) & windows.observed[:, None]
    error = (guess - windows.values) / scale
    both = asked[:, 1:] & asked[:, :-1]
    values = (error.abs() * asked).sum() / asked.sum().clamp(min=1)
    steps = (error.diff(dim=1).abs() * both).sum() / both.sum().clamp(min=1)
    return values + VELOCITY_WEIGHT * steps


@torch.inference_mode()
def guesses(network: RegionCorrelation, windows: Windows, region: str) -> Tensor:
    """Return faces [batch, time, 81] in which `region` was hidden over the whole window."""
    hidden = torch.zeros(*windows.values.shape[:2], len(REGIONS), dtype=torch.bool)
    hidden[..., REGIONS.index(region)] = True
    guess: Tensor = network(windows, hidden)
    return guess
