"""Measured figures beside their limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.monitor.rings import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. Within `minimum`..`maximum` it is kept; without limits it informs."""

    name: str
    value: float
    unit: str
    minimum: float = -math.inf
    maximum: float = math.inf

    @property
    def is_kept(self) -> bool:
        """Whether the value is within its limits; what was not measured, NaN, is not."""
        return self.minimum <= self.value <= self.maximum or not self.is_limited

    @property
    def is_limited(self) -> bool:
        """Whether there are limits."""
        return math.isfinite(self.minimum) or math.isfinite(self.maximum)

    @property
    def limit(self) -> str:
        """The limits in words, empty without any."""
        if math.isfinite(self.minimum) and math.isfinite(self.maximum):
            if self.minimum == self.maximum:
                return f"= {self.minimum:g}"
            return f"{self.minimum:g} to {self.maximum:g}"
        if math.isfinite(self.minimum):
            return f">= {self.minimum:g}"
        return f"<= {self.maximum:g}" if math.isfinite(self.maximum) else ""

    def __str__(self) -> str:
        value = f"{self.value:.4g}" if abs(self.value) < 1000 else f"{self.value:.0f}"
        verdict = ("kept" if self.is_kept else "MISSED") if self.is_limited else ""
        line = f"  {self.name:<46} {value:>9} {self.unit:<10} {self.limit:<14} {verdict}"
        return line.rstrip()


@dataclass(frozen=True, slots=True)
class Remark:
    """A line among the figures: what was measured how, or why it was not."""

    text: str

    def __str__(self) -> str:
        return f"  {self.text}"


def figures_of(
    name: str, spread: Spread | None, *, median_ms: float = math.inf, p99_ms: float = math.inf
) -> list[Figure]:
    """Return median, 99th percentile and greatest of durations as figures in ms."""
    if spread is None:
        return [Figure(f"{name}, none measured", math.nan, "ms", maximum=p99_ms)]
    return [
        Figure(f"{name}, median", 1e3 * spread.median_s, "ms", maximum=median_ms),
        Figure(f"{name}, p99", 1e3 * spread.p99_s, "ms", maximum=p99_ms),
        Figure(f"{name}, greatest", 1e3 * spread.worst_s, "ms"),
    ]


def spread_of(durations_s: ArrayLike) -> Spread | None:
    """Return the spread of durations in seconds, [n]; None of none."""
    values = np.asarray(durations_s, dtype=np.float64)
    if not values.size:
        return None
    median_s, p99_s, worst_s = np.percentile(values, (50, 99, 100)).tolist()
    return Spread(median_s, p99_s, worst_s, values.size)


def missed(lines: Sequence[Figure | Remark]) -> int:
    """Return how many limits were missed."""
    return sum(isinstance(line, Figure) and not line.is_kept for line in lines)
