"""What all suites share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.evaluation.measures import Finding
from models.evaluation.metrics.agreement import agreement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.metrics.agreement import Agreement
    from models.evaluation.recordings import Recording


class Suite(Protocol):
    """Measures makers on recordings that it loaded when it was made."""

    title: str
    """What is measured on what, in one line."""
    source: str
    """The source (`models.training.sources.SOURCES`) which, in training, makes figures too good."""
    is_timed: bool
    """Whether the look-ahead can change its figures."""

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield what was found; nothing where the maker cannot take part.

        A finding over no clips at all (`count` 0) is left out of the results.
        """


def median(key: str, values: Sequence[float]) -> Finding:
    """Return the median of values as a finding; NaN of none."""
    return percentile(key, values, 50)


def mean(key: str, values: Sequence[float]) -> Finding:
    """Return the mean of values as a finding; NaN of none."""
    return Finding(key, float(np.mean(values)) if len(values) else math.nan, len(values))


def percentile(key: str, values: Sequence[float], percent: float) -> Finding:
    """Return a percentile of values as a finding; NaN of none."""
    found = float(np.percentile(values, percent)) if len(values) else math.nan
    return Finding(key, found, len(values))


def followed(made: NDArray[np.float32], recording: Recording, *curves: str) -> Agreement:
    """Return how well a made curve [rows] follows the sum of captured curves."""
    true = np.sum([recording.curves[name] for name in curves], axis=0)
    return agreement(made, recording.times_s, true)
