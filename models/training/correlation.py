"""Train the correlation network that supervises the generator, on windows of faces over time.

The sources of faces:

- `grid_s1`: a tracked talker, neutral. Trusted are the curves in `GRID_TRUSTED`; the tracker's
  lips (funnel, smile, upper, lower) and nose hardly move, its squint is its blink (r 0.92), and
  blinks belong to no speech.
- `iphone`: a posed range of motion, emotion unknown, every shape of ARKit.
- `ravdess`: actors' action units under acted emotions, as channels; for research only. Not the
  actors of its test part, on whom a generator is measured.
- `rules`: speech of the corpus under drawn emotions (`rules.face_targets`).

    python -m cstalk_bridge.models.training.correlation --data ../shared/data --cache ../cache

A run resumes by itself and takes about 20 minutes on one CPU core. At the end it prints how well
masked regions of held-out faces are predicted, against constants and a regression. The cache is
that of the generator's training. `--research` trains on RAVDESS's measured faces instead; a network
that it supervises is for research only, too.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS, REGIONS
from cstalk_bridge.models.cstalk.correlation import (
    CorrelationSizes,
    RegionCorrelation,
    Windows,
    save_correlation,
)
from cstalk_bridge.models.emotions import EMOTIONS, MOUTH_GUARD
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.batches import draw_emotions, emotion_row
from cstalk_bridge.models.training.captured_faces import (
    JAW_GAIN,
    OBSERVED_CHANNELS,
    PUCKER_GAIN,
    ActionUnits,
    above_rest,
    board_of,
    emotion_of,
    named,
    observed_by,
)
from cstalk_bridge.models.training.corpus import Corpus, source_of
from cstalk_bridge.models.training.rules import (
    GESTURE_CHANNELS,
    GESTURES,
    REGION_CHANNELS,
    SPOKEN,
    envelopes_of,
    face_targets,
)
from cstalk_bridge.models.training.run import Progress, Run, TrainingConfig
from cstalk_bridge.models.training.sources import (
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    SOURCES,
    face_curves,
    held_out,
    licence_of,
    part_of,
    require,
)
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


TRAJECTORY_FILES = {
    "grid_s1": f"grid_s1/{GRID_CURVES}",
    "iphone": "iphone/range_of_motion_30fps.npz",
    "ravdess": "ravdess/action_units_frames.npz",
}
"""File of each kind in the data folder."""

GRID_TRUSTED = ("browDownLeft", "browDownRight", "jawOpen", "mouthClose", "mouthPucker")
GRID_GAINS = {"jawOpen": JAW_GAIN, "mouthPucker": PUCKER_GAIN}
GRID_ROWS = 148  # of 3 s: the last frame is that of 2.96 s
IPHONE_FPS = 30.0
IPHONE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A captured face: `values` [time, 81] at 50 rows a second, `observed` [81].

    `emotion` has the weights of what was played by name; None where that is unknown.
    """

    name: str
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    emotion: Mapping[str, float] | None


def grid_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return the tracked talker's clips of one part (train, dev or test)."""
    archive: Any = np.load(data / TRAJECTORY_FILES["grid_s1"])
    names = list(archive["names"])
    columns = [names.index(name) for name in GRID_TRUSTED]
    observed = observed_by(GRID_TRUSTED)
    trajectories = []
    for clip in sorted(name for name in archive.files if f"{name}__head" in archive.files):
        if part_of(f"grid_s1/{clip}") != part or np.isnan(archive[clip]).any(1).mean() > 0.2:
            continue
        curves = face_curves(archive, clip, GRID_LATE_S, GRID_FPS, GRID_ROWS)[:, columns]
        scores = named(above_rest(curves), GRID_TRUSTED)
        board = board_of(scores)  # lips together are a ratio: taken before the gains
        louder = board_of({name: GRID_GAINS.get(name, 1.0) * s for name, s in scores.items()})
        together = [i for i, name in enumerate(AUDIO_DRIVEN) if "lipsTogether" in name]
        louder[:, together] = board[:, together]
        trajectories.append(Trajectory(f"grid_s1/{clip}", louder, observed, {}))
    return trajectories


def iphone_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return the posed range of motion; the parts follow each other in every take."""
    archive: Any = np.load(data / TRAJECTORY_FILES["iphone"])
    names = list(archive["names"])
    trajectories = []
    for take in sorted(name for name in archive.files if f"{name}__timecode" in archive.files):
        rows = int(len(archive[take]) / IPHONE_FPS * ROW_RATE_HZ)
        scores = named(above_rest(face_curves(archive, take, 0.0, IPHONE_FPS, rows)), names)
        first, last = (int(share * rows) for share in IPHONE_PARTS[part])
        board = board_of(scores)[first:last]
        trajectories.append(Trajectory(f"iphone/{take}", board, observed_by(scores), None))
    return trajectories


def ravdess_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return actors' faces; those of every part but train are the held-out actors'."""
    archive: Any = np.load(data / TRAJECTORY_FILES["ravdess"])
    units = ActionUnits(archive)
    unseen = held_out()["test"]["ravdess_faces"]
    trajectories = []
    for stem in sorted(units.clips):
        emotion = emotion_of(stem)
        if emotion is None or (stem[-2:] in unseen) == (part == "train"):
            continue
        rows = int(len(units.clips[stem]) / RAVDESS_FPS * ROW_RATE_HZ)
        board = units.channels(stem, rows)
        if board is not None:
            trajectories.append(Trajectory(f"ravdess/{stem}", board, OBSERVED_CHANNELS, emotion))
    return trajectories


class RuleBasedFaces:
    """Those of one part, of sources that may train the default weights; `rows` are all of them."""

    def __init__(self, cache: Path, part: str) -> None:
        self.corpus = Corpus(cache, part)
        self.clips = [clip for clip in self.corpus.clips if SOURCES[source_of(clip)].default]
        self.rows: int = sum(clip["rows"] for clip in self.clips)

    def draw(
        self, rows: int, emotion: torch.Tensor, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a face [rows, 81] under `emotion` [emotions], and what of it counts [81]."""
        clips = [clip for clip in self.clips if clip["rows"] >= rows]
        clip = clips[random.integers(len(clips))]
        first = clip["first"] + random.integers(clip["rows"] - rows + 1)
        window = slice(first, first + rows)
        gestures = torch.from_numpy(self.corpus.gestures[window].astype(np.float32))
        stress = torch.from_numpy(self.corpus.stress[window].astype(np.float32))
        spoken = np.flatnonzero(self.corpus.stress[clip["first"] : first + rows] > SPOKEN)
        envelopes = envelopes_of(spoken, np.arange(first, first + rows) - clip["first"])
        conditions = torch.cat((emotion, torch.tensor([MOUTH_GUARD])))
        face = face_targets(
            gestures[None], stress[None], torch.from_numpy(envelopes)[None], conditions[None]
        )[0]
        observed_gestures = OBSERVED_GESTURES[source_of(clip)]
        is_observed = (
            torch.tensor([float(name in observed_gestures) for name in GESTURES]) @ GESTURE_CHANNELS
            > 0
        )
        silent = ~(GESTURE_CHANNELS.amax(0) > 0)
        seen = is_observed | (silent & (len(observed_gestures) == len(GESTURES)))
        return face.numpy(), seen.numpy()


CAPTURED_READERS = {
    "grid_s1": grid_trajectories,
    "iphone": iphone_trajectories,
    "ravdess": ravdess_trajectories,
}
"""What reads each captured kind of a data folder, one part of it."""

KINDS = {"grid_s1": 0.3, "iphone": 0.2, "rules": 0.5}
"""Kinds that may supervise the default weights, and each one's share of the windows."""

RESEARCH_KINDS = {"ravdess": 1.0}
"""Kinds of a network for research: measured faces alone, so that no rule is learned with them."""

UNKNOWN_EMOTION_SHARE = 0.3  # share of windows without emotion input: regions must suffice

KIND_CREDITS = {
    "grid_s1": "GRID corpus, speaker s1 (Cooke et al. 2006), tracked: CC BY 4.0",
    "iphone": "Live Link Face range of motion: MIT",
    "rules": "phonetic rules, FACS postures and the corpus they were applied to",
    "ravdess": f"{SOURCES['ravdess'].title}: {SOURCES['ravdess'].licence}",
}
"""Where each kind comes from, for the card."""


class TrajectoryWindows:
    """Windows of some kinds of one part, drawn by seed and number alone.

    `probabilities` are those of the kinds; `cache` is read where `rules` are among them.
    """

    def __init__(
        self, data: Path, cache: Path, part: str, probabilities: Mapping[str, float] = KINDS
    ) -> None:
        self.probabilities = dict(probabilities)
        self.captured = {
            kind: read(data, part)
            for kind, read in CAPTURED_READERS.items()
            if kind in probabilities
        }
        self.ruled = RuleBasedFaces(cache, part) if "rules" in probabilities else None

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each kind."""
        rows = {
            kind: sum(len(trajectory.values) for trajectory in trajectories)
            for kind, trajectories in self.captured.items()
        }
        if self.ruled is not None:
            rows["rules"] = self.ruled.rows
        return {kind: round(count / ROW_RATE_HZ / 60, 1) for kind, count in rows.items()}

    def draw(
        self, rows: int, size: int, seed: int, number: int, kind: str | None = None
    ) -> Windows:
        """Return batch `number` of the run `seed`: `size` windows of `rows` rows.

        The kinds are drawn by their probabilities, or all are `kind`.
        """
        random = np.random.default_rng((seed, number))
        kinds = (
            random.choice(list(self.probabilities), size, p=list(self.probabilities.values()))
            if kind is None
            else [kind] * size
        )
        emotion = draw_emotions(size, len(EMOTIONS), random)
        emotion_known = random.random(size) >= UNKNOWN_EMOTION_SHARE
        values, observed = [], []
        for row, drawn in enumerate(kinds):
            if drawn == "rules" and self.ruled is not None:
                face, seen = self.ruled.draw(rows, emotion[row], random)
            else:
                trajectories = self.captured[drawn]
                trajectory = trajectories[random.integers(len(trajectories))]
                first = random.integers(len(trajectory.values) - rows + 1)
                face, seen = trajectory.values[first : first + rows], trajectory.observed
                # The weight of neutral has no effect, so it stays as drawn.
                emotion[row, 1:] = emotion_row(trajectory.emotion or {})[1:]
                emotion_known[row] &= trajectory.emotion is not None
            values.append(face)
            observed.append(seen)
        return Windows(
            torch.from_numpy(np.stack(values)),
            torch.from_numpy(np.stack(observed)),
            emotion,
            torch.from_numpy(emotion_known),
        )


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
CARD_SETTINGS = (
    "seed",
    "steps",
    "batch",
    "learning_rate",
    "warm_up_steps",
    "weight_decay",
    "average",
)
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
        "settings": {name: getattr(settings, name) for name in CARD_SETTINGS},
        "figures": found,
    }
    return run.average, card


def report(
    network: RegionCorrelation, known: TrajectoryWindows, evaluated: TrajectoryWindows
) -> dict[str, dict[str, float]]:
    """Print and return the held-out figures by kind and region."""
    rows = network.sizes.window_rows
    found = {}
    for kind in known.probabilities:
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
