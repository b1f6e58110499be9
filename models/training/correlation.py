"""Train the correlation network that supervises the generator.

    python -m models.training.correlation --data ../shared/data --cache ../cache

Resumes by itself; about 20 minutes on one CPU core. The cache is that of the generator's training.
`--research` learns from RAVDESS's measured faces instead; what it supervises is for research too.
Prints how well hidden regions are told on held-out faces, against constants and a regression.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.correlation import RegionCorrelation, Sizes, Windows, save
from models.errors import WeightsError
from models.regions import REGIONS
from models.training.captured_courses import FILES
from models.training.courses import CAPTURES, KINDS, RESEARCH_KINDS, Courses
from models.training.hidden import hidden_error, hide
from models.training.progress import Progress
from models.training.rivals import figures, linear_start
from models.training.run import Run, Settings
from models.training.sources import licence_of, require

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_SPREAD = 0.05  # no channel's unit is smaller, in board values
TOLD = ("seed", "steps", "batch", "learning_rate", "warm_up_steps", "weight_decay", "average")
FIRST_WINDOWS = 300
TOLD_EVERY = 50  # steps
CPU = torch.device("cpu")
FIGURE_WINDOWS = 60
DEFAULTS = Settings(
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
    settings: Settings,
    sizes: Sizes,
    kinds: Mapping[str, float] = KINDS,
) -> tuple[RegionCorrelation, dict[str, object]]:
    """Run (or finish) the training on `kinds` of faces; return the averaged network and its card.

    WeightsError: `folder` holds a run that was begun otherwise.
    """
    courses, dev = (Courses(data, cache, part, kinds) for part in ("train", "dev"))
    first = courses.draw(sizes.window_rows, FIRST_WINDOWS, settings.seed, 0)
    scale = spread(first)
    start = linear_start(first, scale)
    make = partial(RegionCorrelation, sizes, scale, first.observed.any(0), start)
    run = Run(folder, settings, make, CPU, {"sizes": asdict(sizes), "kinds": dict(kinds)})
    progress = Progress(run, TOLD_EVERY)
    for step in run.steps():
        windows = courses.draw(sizes.window_rows, settings.batch, settings.seed, step + 1)
        hidden = hide(windows, np.random.default_rng((settings.seed, step, 1)))
        error = hidden_error(run.network(windows, hidden), windows, hidden, scale)
        run.update(error)
        progress.tell(error=error)
        if run.step % settings.check_every == 0 and run.step < settings.steps:
            report(run.average, courses, dev)
    found = report(run.average, courses, dev)
    card: dict[str, object] = {
        "licence": licence_of(kinds),
        "data": {kind: CAPTURES[kind] for kind in kinds},
        "minutes": courses.minutes(),
        "settings": {name: getattr(settings, name) for name in TOLD},
        "figures": found,
    }
    return run.average, card


def report(
    network: RegionCorrelation, known: Courses, asked: Courses
) -> dict[str, dict[str, float]]:
    """Print and return the held-out figures by kind and region."""
    rows = network.sizes.window_rows
    found = {}
    for kind in known.shares:
        fitted = known.draw(rows, 4 * FIGURE_WINDOWS, 1, 0, kind)
        held_out = asked.draw(rows, FIGURE_WINDOWS, 2, 0, kind)
        for region in REGIONS:
            values = figures(network, fitted, held_out, region)
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
    for needed in (FILES[kind] for kind in kinds if kind in FILES):
        require(parser, options.data / needed, "name the data folder with --data")
    settings = Settings(**asdict(DEFAULTS) | {"steps": options.steps})
    try:
        network, card = train(options.data, options.cache, options.runs, settings, Sizes(), kinds)
    except WeightsError as error:
        parser.error(str(error))
    out = options.out or options.runs / "correlation.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, network, card)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
