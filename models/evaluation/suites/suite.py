"""What all suites share."""

from __future__ import annotations

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
        """Yield what was found; nothing where the maker cannot take part."""


def median(key: str, values: Sequence[float]) -> Finding:
    """Return the median of values as a finding."""
    return Finding(key, float(np.median(values)), len(values))


def mean(key: str, values: Sequence[float]) -> Finding:
    """Return the mean of values as a finding."""
    return Finding(key, float(np.mean(values)), len(values))


def followed(made: NDArray[np.float32], recording: Recording, *curves: str) -> Agreement:
    """Return how well a made curve [rows] follows the sum of captured curves."""
    true = np.sum([recording.curves[name] for name in curves], axis=0)
    return agreement(made, recording.times_s, true)
