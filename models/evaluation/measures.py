"""Measures, the bars they have to reach, measurements, and the suites that take them.

`catalog.py` lists all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Recording
    from cstalk_bridge.models.metrics.curves import Agreement


@dataclass(frozen=True, slots=True)
class Bar:
    """The limit that a measure has to reach, from a look-ahead of `from_ms` on."""

    at_least: float | None = None
    at_most: float | None = None
    from_ms: int = 0

    def is_met(self, value: float) -> bool:
        """Return whether `value` reaches the bar; NaN does not."""
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return low and high and not math.isnan(value)

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g}-{self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_most is None else f"<= {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table. `digits` are those after the decimal point."""

    label: str
    unit: str = ""
    bars: tuple[Bar, ...] = ()
    digits: int = 3

    def bar(self, lookahead_ms: int) -> Bar | None:
        """Return the bar at a look-ahead; None below the shortest one that has a bar."""
        known = [bar for bar in self.bars if bar.from_ms <= lookahead_ms]
        return known[-1] if known else None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value, by the key of its measure, over `count` clips (phones, rows, hops)."""

    key: str
    value: float
    count: int


class Suite(Protocol):
    """Takes measurements of predictors on recordings that its factory loaded."""

    title: str
    """One line: what is measured on which recordings."""
    source: str
    """The data source (`cstalk_bridge.models.training.sources.SOURCES`) that it measures on: a
    network trained on it scores too well."""
    is_timed: bool
    """Whether the look-ahead can change its measurements."""

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield measurements; none where the predictor lacks what the suite needs.

        A measurement over no clips at all (`count` 0) is left out of the results.
        """


def median(key: str, values: Sequence[float]) -> Measurement:
    """Return the median of values as a measurement; NaN of none."""
    return percentile(key, values, 50)


def mean(key: str, values: Sequence[float]) -> Measurement:
    """Return the mean of values as a measurement; NaN of none."""
    import numpy as np

    return Measurement(key, float(np.mean(values)) if len(values) else math.nan, len(values))


def percentile(key: str, values: Sequence[float], percent: float) -> Measurement:
    """Return a percentile of values as a measurement; NaN of none."""
    import numpy as np

    found = float(np.percentile(values, percent)) if len(values) else math.nan
    return Measurement(key, found, len(values))


def agreement_with(generated: NDArray[np.float32], recording: Recording, *curves: str) -> Agreement:
    """Return how well a generated curve [rows] follows the sum of captured curves."""
    import numpy as np

    from cstalk_bridge.models.metrics.curves import agreement

    true = np.sum([recording.curves[name] for name in curves], axis=0)
    return agreement(generated, recording.times_s, true)
