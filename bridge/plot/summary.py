"""What looks wrong in many takes: figures of each, one table, the worst first.

Each kind of fault has a threshold from which it counts; how bad a take is, is how far its worst
figure is beyond its threshold.
"""

from __future__ import annotations

import csv
import io
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.metrics.curves import runs
from cstalk_bridge.plot.study import examine
from cstalk_bridge.system.process import limit_math_threads
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.sound import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.plot.measures import Floats
    from cstalk_bridge.plot.study import Study
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.render.inputs import FoundInput
    from cstalk_bridge.takes.sound import Sound


FULL_SCALE: Final = 0.999
CLIPPED_SAMPLES: Final = 3
"""Samples in a row on full scale that no undistorted voice has."""

SILENT_DB: Final = -50.0
"""A recording whose loudest moment is below: no voice is as soft, in dBFS."""

SPOKEN_DB: Final = 25.0
"""How far below the loudest moment a voice still counts as speaking."""

STILL_RANGE: Final = 0.02
"""Change of the mouth's opening, 0..1, within which it stands still."""

NEAR_S: Final = 0.25
"""How far from a closure the sound's own pause is looked for."""

FEWEST_CLOSURES: Final = 4
"""Fewer say nothing about a take as a whole."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: the unit of its figure, and the threshold from which it counts."""

    unit: str
    threshold: float
    meaning: str


FAULTS: Final = {
    "clipped": Fault("%", 0.02, "share of the sound on full scale"),
    "silent": Fault("dB", 1.0, f"how far the loudest moment is below {SILENT_DB:g} dBFS"),
    "stuck": Fault("s", 1.0, "longest time in which the voice speaks and the mouth stands still"),
    "late": Fault("ms", 100.0, "median time by which lips close after the sound's pause for them"),
    "limited": Fault("s", 2.0, "longest time that a curve stands on its limit"),
    "jumping": Fault("", 1.0, "steps and rough motions of curves per second"),
}
"""What is looked for, by name."""


@dataclass(frozen=True, slots=True)
class TakeSummary:
    """Figures of one take by the name of the fault; a damaged one has a `problem` instead."""

    name: str
    path: Path
    subject: str | None
    duration_s: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def faults(self) -> list[str]:
        """What looks wrong, the worst first."""
        found = [name for name, value in self.figures.items() if value >= FAULTS[name].threshold]
        return sorted(found, key=lambda name: -self.excess(name))

    def excess(self, name: str) -> float:
        """Return how far a figure is beyond its threshold, as a factor."""
        return self.figures.get(name, 0.0) / FAULTS[name].threshold

    @property
    def badness(self) -> float:
        """How bad it is: the greatest excess; a take that cannot be read is the worst."""
        if self.problem:
            return np.inf
        return max(map(self.excess, self.figures), default=0.0)


def summarise(
    takes: Sequence[FoundInput], rigmap: RigMap, processes: int | None = None
) -> Iterator[TakeSummary]:
    """Yield the figures of each take, in order, measured in as many processes as there are cores.

    Only names go to the processes and figures come back, so that any number of takes fits.
    """
    count = min(processes or os.cpu_count() or 1, len(takes))
    measure = partial(summarise_take, rigmap=rigmap)
    if count <= 1:
        yield from map(measure, takes)
        return
    with ProcessPoolExecutor(count, initializer=limit_math_threads) as pool:
        yield from pool.map(measure, takes, chunksize=CHUNK)


CHUNK: Final = 16
"""Takes that a process is given at once."""


def summarise_take(found: FoundInput, rigmap: RigMap) -> TakeSummary:
    """Return the figures of one take; what is wrong with a damaged one."""
    name = str(found.below.with_name(found.name))
    try:
        take = load_take(found.path, found.subject)
        if not take.rows:
            return TakeSummary(name, found.path, found.subject, problem="the take is empty")
        study = examine(take, rigmap, slice(0, take.rows))
        figures = figures_of(study)
    except UserError as error:
        return TakeSummary(name, found.path, found.subject, problem=str(error.problems[0]))
    except Exception as error:  # noqa: BLE001 - one take must not end the others
        what = f"an internal error: {type(error).__name__}: {error}"
        return TakeSummary(name, found.path, found.subject, problem=what)
    return TakeSummary(name, found.path, found.subject, take.duration_s, figures)


def figures_of(study: Study) -> dict[str, float]:
    """Return the figure of each fault that a take can have; one without sound has fewer."""
    rate_hz, sound, level = study.take.rate.hz, study.take.sound, study.loudness
    counts = study.warnings.counts
    limited = [each.size for each in study.warnings.kept if each.kind == "clipped"]
    figures = {
        "limited": max(limited, default=0.0),
        "jumping": (counts.get("step", 0) + counts.get("jerk", 0)) / study.take.duration_s,
    }
    if sound is None or level is None:
        return figures
    figures["clipped"] = 100.0 * clipped_share(sound)
    figures["silent"] = max(0.0, SILENT_DB - float(level.max()))
    if not figures["silent"]:
        figures["stuck"] = longest_still_s(study.mouth_opening, level, rate_hz)
        lateness_s = closure_lateness_s(study, level)
        if lateness_s is not None:
            figures["late"] = max(0.0, 1000.0 * lateness_s)
    return figures


def clipped_share(sound: Sound) -> float:
    """Return the share of samples in runs of `CLIPPED_SAMPLES` or more on full scale, 0..1."""
    clipped = 0
    for samples in pieces(sound):
        found = runs(np.abs(samples) >= FULL_SCALE)
        lengths = found[:, 1] - found[:, 0]
        clipped += int(lengths[lengths >= CLIPPED_SAMPLES].sum())
    return clipped / max(1, sound.frames)


def longest_still_s(opening: Floats, level: Floats, rate_hz: float) -> float:
    """Return the longest time in which the voice speaks and the mouth's opening stays the same.

    `opening` is 0..1, `level` dBFS, both [time]. A pause within the time does not end it.
    """
    spoken = np.cumsum(np.append(0, level > level.max() - SPOKEN_DB))
    longest = first = 0
    low = high = float(opening[0])
    for row, value in enumerate(opening.tolist()):
        low, high = min(low, value), max(high, value)
        if high - low > STILL_RANGE:
            first, low, high = row, value, value
        longest = max(longest, int(spoken[row + 1] - spoken[first]))
    return longest / rate_hz


def closure_lateness_s(study: Study, level: Floats) -> float | None:
    """Return by how much lips close late: the median over a take's closures; negative: early.

    The middle of a closure is compared with the softest moment of the sound around it: lips that
    close for a p, b or m let least of it out. None where there are too few closures.
    """
    reach = round(NEAR_S * study.take.rate.hz)
    found = []
    for first, last in study.closures.tolist():
        middle = (first + last - 1) // 2
        around = level[max(0, middle - reach) : middle + reach + 1]
        if len(around) < 2 * reach + 1 or around.max() < level.max() - SPOKEN_DB:
            continue  # lips at rest, or at an end of the take
        softest = np.flatnonzero(around <= around.min() + 1.0)
        found.append(reach - float(softest.mean()))
    if len(found) < FEWEST_CLOSURES:
        return None
    return float(np.median(found)) / study.take.rate.hz


def worst_first(summaries: Sequence[TakeSummary]) -> list[TakeSummary]:
    """Return them by how bad they are; equals in the order of their names."""
    return sorted(summaries, key=lambda summary: (-summary.badness, summary.name))


def table(summaries: Sequence[TakeSummary]) -> str:
    """Return all takes as CSV, in the given order; what was not measured is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    units = (f"{name}_{fault.unit}".rstrip("_") for name, fault in FAULTS.items())
    writer.writerow(("take", "duration_s", "faults", *units, "problem"))
    for summary in summaries:
        figures = (
            f"{summary.figures[name]:.3g}" if name in summary.figures else "" for name in FAULTS
        )
        faults = " ".join(summary.faults)
        duration = f"{summary.duration_s:.2f}"
        writer.writerow((summary.name, duration, faults, *figures, summary.problem))
    return file.getvalue()
