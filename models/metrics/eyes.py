"""Saccades and blinks: the thresholds of every measure of gaze."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.metrics.curves import runs

if TYPE_CHECKING:
    from numpy.typing import NDArray


SACCADE_DEG_S = 30.0
"""Gaze speed above which a saccade is detected; slower motion is pursuit or drift. The default of
EyeLink's parser and of Tobii's I-VT filter."""
MICROSACCADE_DEG = 1.0
"""A smaller shift is a micro-saccade."""
FACE_DEG = 4.5
"""Radius of the partner's face as seen by the character, within which gaze is mutual: 9 cm at
1.2 m."""
SHUT_LID = 0.5
"""Lid closure (board value, 0..1) above which it counts as a blink."""


def saccades(gaze_deg: NDArray[np.float32], rate_hz: float) -> NDArray[np.intp]:
    """Return first row and last row of each saccade of `gaze_deg` [time, 2], [saccades, 2].

    Gaze has its old direction in the first and its new one in the last; micro-saccades count.
    """
    speed_deg_s = np.hypot(*np.diff(gaze_deg, axis=0).T) * np.float32(rate_hz)
    return runs(speed_deg_s > SACCADE_DEG_S)


def saccade_sizes(gaze_deg: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Return the sizes in degrees of the saccades of `gaze_deg` [time, 2], [saccades].

    Micro-saccades are left out.
    """
    spans = saccades(gaze_deg, rate_hz)
    sizes_deg = np.hypot(*(gaze_deg[spans[:, 1]] - gaze_deg[spans[:, 0]]).T)
    return np.asarray(sizes_deg[sizes_deg >= MICROSACCADE_DEG], dtype=np.float32)
