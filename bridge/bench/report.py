"""The configuration of bench sections and their report: figures with their limits, and
the machine.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.monitor.metrics import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class BenchConfig:
    """`seconds` of packets, `trials` of latency, `minutes` of soaking.

    `data` is a folder of recordings for what can use some. Of fuzzing: `cases` of each of the
    `kinds`, all where none are named, made by chance from a `seed`.
    """

    seconds: float = 60.0
    trials: int = 60
    minutes: float = 30.0
    data: Path | None = None
    cases: int = 300
    seed: int = 0
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, met within `minimum`..`maximum`; without limits it only informs."""

    name: str
    value: float
    unit: str
    minimum: float = -math.inf
    maximum: float = math.inf

    @property
    def is_met(self) -> bool:
        """Whether the value is within its limits; what was not measured, NaN, is not."""
        return self.minimum <= self.value <= self.maximum or not self.is_limited

    @property
    def is_limited(self) -> bool:
        """Whether there are limits."""
        return math.isfinite(self.minimum) or math.isfinite(self.maximum)

    @property
    def limit(self) -> str:
        """The limits as text, empty without any."""
        if math.isfinite(self.minimum) and math.isfinite(self.maximum):
            if self.minimum == self.maximum:
                return f"= {self.minimum:g}"
            return f"{self.minimum:g} to {self.maximum:g}"
        if math.isfinite(self.minimum):
            return f">= {self.minimum:g}"
        return f"<= {self.maximum:g}" if math.isfinite(self.maximum) else ""

    def __str__(self) -> str:
        value = f"{self.value:.4g}" if abs(self.value) < 1000 else f"{self.value:.0f}"
        verdict = ("met" if self.is_met else "MISSED") if self.is_limited else ""
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
    return sum(isinstance(line, Figure) and not line.is_met for line in lines)


def describe_machine() -> list[str]:
    """Return lines that name the machine: figures mean nothing without it."""
    return [
        f"machine     {platform.node()}",
        f"cpu         {_processor()}, {os.cpu_count()} cores",
        f"system      {platform.platform()}",
        f"python      {platform.python_version()}",
        *(f"{package:<12}{_version(package)}" for package in ("numpy", "onnxruntime", "torch")),
    ]


def _processor() -> str:
    """Return the processor's name; Linux has it only in /proc."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
