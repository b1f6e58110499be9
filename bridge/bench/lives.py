"""A living face in simulated time, and what is measured on its course."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_S
from bridge.face.alive.cues import Cues
from bridge.face.alive.life import Life
from bridge.face.alive.prosody import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from bridge.face.alive.prosody import Prosody

    Floats = NDArray[np.float64]

MOVING_DEG_S = 0.01
"""Gaze that turns faster than this is in a saccade: between them the head is made up for."""
LEAST_SACCADE_DEG = 1.0
"""A smaller one is a micro-saccade."""


@dataclass(frozen=True, eq=False)
class Course:
    """A life tick by tick: closures [time], heads [time, 3] and gaze [time, 2] in degrees."""

    rate_hz: float
    closures: Floats
    head_deg: Floats
    gaze_deg: Floats
    is_mutual: NDArray[np.bool_]

    @property
    def blinks_per_min(self) -> float:
        """How often the lids shut."""
        return 60.0 * self.rate_hz * len(_spans(self.closures > 0.0)) / len(self.closures)

    @cached_property
    def blinks_ms(self) -> Floats:
        """How long each whole blink closes and opens, [blinks, 2]."""
        times = []
        for first, last in _spans(self.closures > 0.0):
            part = self.closures[first:last]
            shut = np.flatnonzero(part >= part.max() - 1e-9)
            times.append((shut[0] + 1, len(part) - shut[-1] - 1))
        return 1000.0 / self.rate_hz * np.array(times[1:-1], dtype=np.float64).reshape(-1, 2)

    @cached_property
    def saccades(self) -> Floats:
        """Size in degrees and length in ms of each saccade, [saccades, 2]."""
        steps_deg = np.hypot(*np.diff(self.gaze_deg, axis=0).T)
        spans = _spans(steps_deg > MOVING_DEG_S / self.rate_hz)
        ways = self.gaze_deg[spans[:, 1]] - self.gaze_deg[spans[:, 0]]
        sizes_deg = np.hypot(*ways.T)
        lengths_ms = (spans[:, 1] - spans[:, 0]) * 1000.0 / self.rate_hz
        is_large = sizes_deg > LEAST_SACCADE_DEG
        return np.asarray(np.stack((sizes_deg, lengths_ms), axis=1)[is_large])

    def head_share_below(self, limit_hz: float) -> float:
        """Return the share of the power of the head's speed below a frequency, worst axis."""
        speed = np.diff(self.head_deg, axis=0)
        power = np.abs(np.fft.rfft(speed, axis=0)) ** 2
        is_below = np.fft.rfftfreq(len(speed), 1.0 / self.rate_hz) < limit_hz
        return float((power[is_below].sum(axis=0) / power.sum(axis=0)).min())

    @property
    def head_jerk_deg_s3(self) -> float:
        """Root mean square of the head's jerk over all axes."""
        return float(np.sqrt(np.mean(np.diff(self.head_deg, 3, axis=0) ** 2)) * self.rate_hz**3)


def course(seed: int, voice: Sequence[Prosody], seconds: float, rate_hz: float) -> Course:
    """Live with a voice, hop by hop and over again, for so many seconds; nobody speaks without."""
    life, rows = Life(seed), []
    for tick, prosody in enumerate(_ticks(voice, round(seconds * rate_hz), rate_hz)):
        living = life.step(tick / rate_hz, Cues(prosody))
        head = living.head[:3].tolist()
        rows.append((living.closure, living.is_mutual, *living.gaze_deg, *head))
    table = np.array(rows, dtype=np.float64)
    head_deg = np.degrees(table[:, 4:])
    return Course(rate_hz, table[:, 0], head_deg, table[:, 2:4], table[:, 1] > 0.0)


def _ticks(voice: Sequence[Prosody], ticks: int, rate_hz: float) -> Iterable[Prosody]:
    if not voice:
        return repeat(SILENCE, ticks)
    return _heard(voice, ticks, rate_hz)


def _heard(voice: Sequence[Prosody], ticks: int, rate_hz: float) -> Iterator[Prosody]:
    for tick in range(ticks):
        yield voice[int(tick / rate_hz / HOP_S) % len(voice)]


def _spans(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return first place and place after the last of every run, [runs, 2]."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.stack((np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)), axis=1)
