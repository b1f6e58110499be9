"""Values on their way out: the one rule that nothing but finite float32 ever leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def as_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Return the values as float32; what float32 cannot hold becomes infinite, silently."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values, dtype=np.float32)


def checked(values: ArrayLike, count: int) -> NDArray[np.float32]:
    """Return `values` as float32 [count]; ValueError for another shape or what is not finite."""
    array = as_float32(values)
    if array.shape != (count,):
        raise ValueError(f"values of shape {array.shape}, not ({count},)")
    finite = np.isfinite(array)
    if not finite.all():
        index = int(np.argmin(finite))
        raise ValueError(f"value {index} of {count} is {array[index]}, not a finite float32")
    return array


def made_finite(
    values: ArrayLike, rest: NDArray[np.float32] | float = 0.0
) -> tuple[NDArray[np.float32], int]:
    """Return `values` as float32, at `rest` where they are not finite, and how many these were."""
    array = as_float32(values)
    finite = np.isfinite(array)
    if finite.all():
        return array, 0
    replaced = np.where(finite, array, np.float32(rest)).astype(np.float32)
    return replaced, int(array.size - np.count_nonzero(finite))
