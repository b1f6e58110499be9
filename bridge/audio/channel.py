"""Many channels to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL: Final = "all"

Channel = int | Literal["all"] | None
"""Which channel of many: one, counted from 1; the mean of all; or the mean unless it cancels."""


def picked(samples: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Return one channel (counted from 1) of samples [frames, channels], or the mean of all."""
    if isinstance(channel, int):
        return np.ascontiguousarray(samples[:, channel - 1])
    if samples.shape[1] == 1:
        return samples[:, 0]
    return np.asarray(samples.mean(axis=1), dtype=np.float32)
