"""Which emotion a face shows, told by a plain classifier: multinomial logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 2000
RATE = 0.5
DECAY = 1e-3
"""Weight of the squared coefficients: keeps rare units from deciding alone."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Features to classes: `(x - mean) / spread @ weights + bias`, the greatest wins."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def classes(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class of each row of `features` [clips, features]."""
        return np.asarray(self.log_odds(features).argmax(1), dtype=np.int64)

    def log_odds(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logarithm of each class's probability, [clips, classes]."""
        scores = (features - self.mean) / self.spread @ self.weights + self.bias
        highest = scores.max(1, keepdims=True)
        total = np.log(np.exp(scores - highest).sum(1, keepdims=True))
        return np.asarray(scores - highest - total)


def learn(features: NDArray[np.floating], classes: NDArray[np.int64]) -> Classifier:
    """Fit by full-batch gradient descent; every class weighs the same however often it occurs.

    `features` is [clips, features], `classes` [clips] in 0..n-1, each occurring at least once. The
    result does not depend on chance.
    """
    mean = features.mean(0, dtype=np.float64)
    spread = np.maximum(features.std(0, dtype=np.float64), 1e-6)
    x = (features - mean) / spread
    wanted = np.eye(int(classes.max()) + 1)[classes]
    share = (wanted / wanted.sum(0)).sum(1, keepdims=True) / wanted.shape[1]
    weights, bias = np.zeros((x.shape[1], wanted.shape[1])), np.zeros(wanted.shape[1])
    for _ in range(STEPS):
        scores = x @ weights + bias
        odds = np.exp(scores - scores.max(1, keepdims=True))
        error = (odds / odds.sum(1, keepdims=True) - wanted) * share
        weights -= RATE * (x.T @ error + DECAY * weights)
        bias -= RATE * error.sum(0)
    return Classifier(mean, spread, weights, bias)
