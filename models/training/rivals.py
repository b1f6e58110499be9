"""What the correlation network has to beat: the resting guess and a linear regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.regions import COLUMNS
from models.training.hidden import MEMBER, guesses

if TYPE_CHECKING:
    from models.correlation import RegionCorrelation, Windows

LAGS_ROWS = (-8, -4, 0, 4, 8)
RIDGE = 1e-3


def regressors(windows: Windows, region: str) -> Tensor:
    """Return what a linear regression may know, [batch, time, regressors].

    The observed channels of the other regions now and up to 160 ms before and after, the emotion
    where it is felt, and a constant.
    """
    others = torch.ones(windows.values.shape[-1], dtype=torch.bool)
    others[list(COLUMNS[region])] = False
    seen = (windows.values * windows.observed[:, None])[..., others]
    rows = torch.arange(seen.shape[1])
    lagged = [seen[:, (rows + lag).clamp(0, len(rows) - 1)] for lag in LAGS_ROWS]
    felt = windows.felt[:, None].float()
    constants = torch.cat((windows.emotion * felt, felt, torch.ones_like(felt)), 1)
    return torch.cat((*lagged, constants[:, None].expand(-1, len(rows), -1)), -1)


def regression(known: Windows, asked: Windows, region: str) -> Tensor:
    """Fit on `known`, return the guess of a region's channels for `asked`, [batch, time, own]."""
    inputs, targets = regressors(known, region), known.values[..., list(COLUMNS[region])]
    x, y = inputs.flatten(0, 1).double(), targets.flatten(0, 1).double()
    gram = x.T @ x / len(x) + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
    weights: Tensor = torch.linalg.solve(gram, x.T @ y / len(x))
    return torch.matmul(regressors(asked, region).double(), weights).float()


def linear_start(windows: Windows, scale: Tensor) -> Tensor:
    """Return where the network's shortcut may start, [81, 162]: each region from the others.

    A regression of every channel on the observed channels of the other regions in the same frame,
    in units of `scale`, over the windows that observe it.
    """
    known = windows.observed[:, None].expand_as(windows.values)
    values = (windows.values / scale * known).double()
    inputs = torch.cat((values, known.double()), -1)
    weights = torch.zeros(values.shape[-1], inputs.shape[-1], dtype=torch.float64)
    for member in MEMBER:
        told: dict[bytes, list[int]] = {}
        for column in member.nonzero().flatten().tolist():
            told.setdefault(windows.observed[:, column].numpy().tobytes(), []).append(column)
        for columns in told.values():
            seen = windows.observed[:, columns[0]]
            if not seen.any():
                continue
            x = (inputs[seen] * ~member.repeat(2)).flatten(0, 1)
            y = values[seen][..., columns].flatten(0, 1)
            gram = x.T @ x / len(x) + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
            weights[columns] = torch.linalg.solve(gram, x.T @ y / len(x)).T
    return weights.float()


def figures(
    network: RegionCorrelation, known: Windows, asked: Windows, region: str
) -> dict[str, float]:
    """Return mean absolute errors of one hidden region on `asked`, and the variance explained.

    Errors are in units of each channel's spread, over the region's observed channels; both windows
    are of one kind. `mean` and `median` are constants of `known`, `linear` a regression fitted on
    it. Empty where nothing of the region is observed and moves.
    """
    columns = torch.tensor(COLUMNS[region])
    moves = (known.values.flatten(0, 1).std(0) > 0) & known.observed.all(0) & asked.observed.all(0)
    kept = moves[columns]
    if not kept.any():
        return {}
    scale, truth = network.scale[columns].cpu(), asked.values[..., columns]
    past = known.values[..., columns].flatten(0, 1)
    rivals = {
        "mean": past.mean(0).expand_as(truth),
        "median": past.median(0).values.expand_as(truth),
        "linear": regression(known, asked, region),
        "network": guesses(network, asked, region)[..., columns],
    }
    errors = {name: ((guess - truth) / scale)[..., kept] for name, guess in rivals.items()}
    found = {name: float(error.abs().mean()) for name, error in errors.items()}
    whole = float(errors["mean"].square().mean())
    for name in ("linear", "network"):
        found[f"{name} explains"] = 1.0 - float(errors[name].square().mean()) / whole
    return found
