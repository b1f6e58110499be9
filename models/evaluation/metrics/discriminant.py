"""Which class a few features tell: linear discriminant analysis with a shrunk covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

SHRINKAGE = 0.05
"""Share of the mean variance in the pooled covariance: features that never move are harmless."""


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """`classes` [classes] in order, with the linear score of each: `x @ weights + bias`."""

    classes: NDArray[np.int64]
    weights: Doubles
    bias: Doubles

    def tell(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class of each row of `features` [samples, features]."""
        return np.asarray(self.classes[(features @ self.weights + self.bias).argmax(1)])


def learn(features: NDArray[np.floating], classes: NDArray[np.int64]) -> Discriminant:
    """Learn class means and one covariance; every class is as likely as any other.

    `features` is [samples, features], `classes` [samples].
    """
    kinds, place = np.unique(classes, return_inverse=True)
    x = features.astype(np.float64)
    means = np.stack([x[place == kind].mean(0) for kind in range(len(kinds))])
    within = x - means[place]
    covariance = within.T @ within / max(1, len(x) - len(kinds))
    ridge = SHRINKAGE * max(float(np.trace(covariance)) / len(covariance), 1e-9)
    weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), means.T)
    return Discriminant(kinds, weights, -0.5 * np.einsum("ij,ji->i", means, weights))


def recall(told: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share told right, 0..1."""
    return float(np.mean([(told[true == kind] == kind).mean() for kind in np.unique(true)]))
