"""Train the correlation network that supervises the generator.

    python -m cstalk_bridge.models.training.correlation --data ../shared/data --cache ../cache

Resumes by itself; about 20 minutes on one CPU core. The cache is that of the generator's training.
`--research` trains on RAVDESS's measured faces instead; networks it supervises are for research
only, too.
Prints how well hidden regions are predicted on held-out faces, against constants and a regression.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cstalk_bridge.models.board import REGION_COLUMNS, REGIONS
from cstalk_bridge.models.cstalk.correlation import (
    CorrelationSizes,
    RegionCorrelation,
    Windows,
    save_correlation,
)
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.training.rules import REGION_CHANNELS
from cstalk_bridge.models.training.run import Progress, Run, TrainingConfig
from cstalk_bridge.models.training.sources import licence_of, require
from cstalk_bridge.models.training.trajectories import (
    KIND_CREDITS,
    KINDS,
    RESEARCH_KINDS,
    TRAJECTORY_FILES,
    TrajectoryWindows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


WHOLE_SHARE = 0.6  # of windows in which whole regions are hidden; of the rest, scattered tokens
SECOND_SHARE = 0.35  # of those, in which a second region is hidden too
SCATTERED = (0.15, 0.5)
VELOCITY_WEIGHT = 1.0


def mask_windows(windows: Windows, random: np.random.Generator) -> Tensor:
    """Draw what is hidden: one or two whole observed regions, or 15-50 % of all tokens.

    Returns [batch, time, regions]. Something observed stays in sight.
    """
    batch, rows = windows.values.shape[:2]
    hidden = np.zeros((batch, rows, len(REGIONS)), dtype=np.bool_)
    patterns = (windows.observed.float() @ REGION_CHANNELS.float().T > 0).numpy()
    for row in range(batch):
        if random.random() < WHOLE_SHARE:
            regions = random.permutation(np.flatnonzero(patterns[row]))
            count = 1 + int(random.random() < SECOND_SHARE and len(regions) > 2)
            hidden[row][:, regions[:count]] = True
        else:
            hidden[row] = random.random(hidden[row].shape) < random.uniform(*SCATTERED)
    return torch.from_numpy(hidden)


def masked_error(guess: Tensor, windows: Windows, hidden: Tensor, scale: Tensor) -> Tensor:
    """Return the L1 error of what was hidden and observed, of values and of first differences.

    In units of `scale` [81], each channel's spread.
    """
    member = REGION_CHANNELS.to(hidden.device)
    evaluated = ((hidden.float() @ member.float()) > 0) & windows.observed[:, None]
    error = (guess - windows.values) / scale
    both = evaluated[:, 1:] & evaluated[:, :-1]
    values = (error.abs() * evaluated).sum() / evaluated.sum().clamp(min=1)
    steps = (error.diff(dim=1).abs() * both).sum() / both.sum().clamp(min=1)
    return values + VELOCITY_WEIGHT * steps


@torch.inference_mode()
def masked_guesses(network: RegionCorrelation, windows: Windows, region: str) -> Tensor:
    """Return faces [batch, time, 81] in which `region` was hidden over the whole window."""
    hidden = torch.zeros(*windows.values.shape[:2], len(REGIONS), dtype=torch.bool)
    hidden[..., REGIONS.index(region)] = True
    guess: Tensor = network(windows, hidden)
    return guess


LAGS_ROWS = (-8, -4, 0, 4, 8)
RIDGE = 1e-3


def regressors(windows: Windows, region: str) -> Tensor:
    """Return the inputs of a linear regression, [batch, time, regressors].

    The observed channels of the other regions now and up to 160 ms before and after, the emotion
    where it is known, and a constant.
    """
    others = torch.ones(windows.values.shape[-1], dtype=torch.bool)
    others[list(REGION_COLUMNS[region])] = False
    seen = (windows.values * windows.observed[:, None])[..., others]
    rows = torch.arange(seen.shape[1])
    lagged = [seen[:, (rows + lag).clamp(0, len(rows) - 1)] for lag in LAGS_ROWS]
    known = windows.emotion_known[:, None].float()
    constants = torch.cat((windows.emotion * known, known, torch.ones_like(known)), 1)
    return torch.cat((*lagged, constants[:, None].expand(-1, len(rows), -1)), -1)


def regression(known: Windows, evaluated: Windows, region: str) -> Tensor:
    """Fit on `known`; return a region's channels for `evaluated`, [batch, time, own]."""
    inputs, targets = regressors(known, region), known.values[..., list(REGION_COLUMNS[region])]
    x, y = inputs.flatten(0, 1).double(), targets.flatten(0, 1).double()
    gram = x.T @ x / len(x) + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
    weights: Tensor = torch.linalg.solve(gram, x.T @ y / len(x))
    return torch.matmul(regressors(evaluated, region).double(), weights).float()


def linear_start(windows: Windows, scale: Tensor) -> Tensor:
    """Return where the network's shortcut may start, [81, 162]: each region from the others.

    A regression of every channel on the observed channels of the other regions in the same frame,
    in units of `scale`, over the windows that observe it.
    """
    known = windows.observed[:, None].expand_as(windows.values)
    values = (windows.values / scale * known).double()
    inputs = torch.cat((values, known.double()), -1)
    weights = torch.zeros(values.shape[-1], inputs.shape[-1], dtype=torch.float64)
    for member in REGION_CHANNELS:
        patterns: dict[bytes, list[int]] = {}
        for column in member.nonzero().flatten().tolist():
            patterns.setdefault(windows.observed[:, column].numpy().tobytes(), []).append(column)
        for columns in patterns.values():
            seen = windows.observed[:, columns[0]]
            if not seen.any():
                continue
            x = (inputs[seen] * ~member.repeat(2)).flatten(0, 1)
            y = values[seen][..., columns].flatten(0, 1)
            gram = x.T @ x / len(x) + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
            weights[columns] = torch.linalg.solve(gram, x.T @ y / len(x)).T
    return weights.float()


def region_errors(
    network: RegionCorrelation, known: Windows, evaluated: Windows, region: str
) -> dict[str, float]:
    """Return mean absolute errors of one hidden region on `evaluated`, and the variance explained.

    Errors are in units of each channel's spread, over the region's observed channels; both windows
    are of one kind. `mean` and `median` are constants of `known`, `linear` a regression fitted on
    it. Empty where nothing of the region is observed and moves.
    """
    columns = torch.tensor(REGION_COLUMNS[region])
    moves = (
        (known.values.flatten(0, 1).std(0) > 0) & known.observed.all(0) & evaluated.observed.all(0)
    )
    kept = moves[columns]
    if not kept.any():
        return {}
    scale, truth = network.scale[columns].cpu(), evaluated.values[..., columns]
    past = known.values[..., columns].flatten(0, 1)
    baselines = {
        "mean": past.mean(0).expand_as(truth),
        "median": past.median(0).values.expand_as(truth),
        "linear": regression(known, evaluated, region),
        "network": masked_guesses(network, evaluated, region)[..., columns],
    }
    errors = {name: ((guess - truth) / scale)[..., kept] for name, guess in baselines.items()}
    found = {name: float(error.abs().mean()) for name, error in errors.items()}
    whole = float(errors["mean"].square().mean())
    for name in ("linear", "network"):
        found[f"{name} explains"] = 1.0 - float(errors[name].square().mean()) / whole
    return found


LEAST_SPREAD = 0.05  # no channel's unit is smaller, in board values
TOLD = ("seed", "steps", "batch", "learning_rate", "warm_up_steps", "weight_decay", "average")
FIRST_WINDOWS = 300
REPORT_EVERY = 50  # steps
CPU = torch.device("cpu")
FIGURE_WINDOWS = 60
DEFAULTS = TrainingConfig(
    seed=5,
    steps=2400,
    batch=12,
    learning_rate=1e-3,
    warm_up_steps=100,
    average=0.995,
    check_every=600,
    save_every=100,
    precision="fp32",
)


def spread(windows: Windows) -> torch.Tensor:
    """Return each channel's standard deviation where it is observed, at least 0.05, [81]."""
    seen = windows.observed[:, None].float()
    count = (seen * torch.ones_like(windows.values)).sum((0, 1)).clamp(min=1)
    mean = (windows.values * seen).sum((0, 1)) / count
    variance = ((windows.values - mean).square() * seen).sum((0, 1)) / count
    return variance.sqrt().clamp(min=LEAST_SPREAD)


def train(
    data: Path,
    cache: Path,
    folder: Path,
    settings: TrainingConfig,
    sizes: CorrelationSizes,
    kinds: Mapping[str, float] = KINDS,
) -> tuple[RegionCorrelation, dict[str, object]]:
    """Run (or finish) the training on `kinds` of faces; return the averaged network and its card.

    WeightsError: `folder` holds a run with another configuration.
    """
    courses, dev = (TrajectoryWindows(data, cache, part, kinds) for part in ("train", "dev"))
    first = courses.draw(sizes.window_rows, FIRST_WINDOWS, settings.seed, 0)
    scale = spread(first)
    start = linear_start(first, scale)
    make = partial(RegionCorrelation, sizes, scale, first.observed.any(0), start)
    run = Run(folder, settings, make, CPU, {"sizes": asdict(sizes), "kinds": dict(kinds)})
    progress = Progress(run, REPORT_EVERY)
    for step in run.steps():
        windows = courses.draw(sizes.window_rows, settings.batch, settings.seed, step + 1)
        hidden = mask_windows(windows, np.random.default_rng((settings.seed, step, 1)))
        error = masked_error(run.network(windows, hidden), windows, hidden, scale)
        run.update(error)
        progress.report(error=error)
        if run.step % settings.check_every == 0 and run.step < settings.steps:
            report(run.average, courses, dev)
    found = report(run.average, courses, dev)
    card: dict[str, object] = {
        "licence": licence_of(kinds),
        "data": {kind: KIND_CREDITS[kind] for kind in kinds},
        "minutes": courses.minutes(),
        "settings": {name: getattr(settings, name) for name in TOLD},
        "figures": found,
    }
    return run.average, card


def report(
    network: RegionCorrelation, known: TrajectoryWindows, evaluated: TrajectoryWindows
) -> dict[str, dict[str, float]]:
    """Print and return the held-out figures by kind and region."""
    rows = network.sizes.window_rows
    found = {}
    for kind in known.shares:
        fitted = known.draw(rows, 4 * FIGURE_WINDOWS, 1, 0, kind)
        held_out = evaluated.draw(rows, FIGURE_WINDOWS, 2, 0, kind)
        for region in REGIONS:
            values = region_errors(network, fitted, held_out, region)
            if values:
                found[f"{kind} {region}"] = {name: round(v, 3) for name, v in values.items()}
                text = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
                print(f"  {kind}, {region} hidden: {text}", flush=True)
    return found


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--runs", type=Path, default=Path("../runs/correlation"))
    parser.add_argument("--out", type=Path, help="default: correlation.safetensors in --runs")
    parser.add_argument("--steps", type=int, default=DEFAULTS.steps)
    parser.add_argument("--research", action="store_true")
    options = parser.parse_args()
    kinds = RESEARCH_KINDS if options.research else KINDS
    if "rules" in kinds:
        require(parser, options.cache / "index.json", "make the training set first")
    for needed in (TRAJECTORY_FILES[kind] for kind in kinds if kind in TRAJECTORY_FILES):
        require(parser, options.data / needed, "name the data folder with --data")
    settings = TrainingConfig(**asdict(DEFAULTS) | {"steps": options.steps})
    try:
        network, card = train(
            options.data, options.cache, options.runs, settings, CorrelationSizes(), kinds
        )
    except WeightsError as error:
        parser.error(str(error))
    out = options.out or options.runs / "correlation.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    save_correlation(out, network, card)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
