"""How far a made face is from a true one, in control space.

A control is a slider of a rig, so these are the papers' vertex measures carried over to curves: as
FaceDiffuser does for its rig controls (uuembodiedsocialai/FaceDiffuser,
evaluation/compute_objective_metrics_blendshape.py), LVE, EVE, MVE and FDD keep their names. Faces
are `[time, channels]` of equal shape, in board values or action units, which then is the unit of
the result; give only the channels of the region that is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def squared_error(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return the squared distance of a frame, mean over frames; unit: squared values.

    Over the mouth's channels this is LVE, over those of brows, eyelids and cheeks EVE: per frame
    the sum over channels of the squared difference. The maximum over vertices of the mesh measures
    (Doubiiu/CodeTalker, cal_metric.py) becomes the sum, since a control already moves a region.
    """
    return float(np.square(_difference(made, true)).sum(1).mean())


def mean_distance(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return MVE: the Euclidean distance of a frame, mean over frames; unit: values."""
    return float(np.sqrt(np.square(_difference(made, true)).sum(1)).mean())


def dynamics_deviation(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return FDD of one clip: how much more the true face varies; unit: squared values.

    Per frame the squared displacement from the neutral face (0) summed over channels; of that the
    standard deviation over time; true less made. Positive: the made face is too still. It is
    signed, so a mean over clips may cancel: take the mean of magnitudes beside it.
    """
    _difference(made, true)
    return float(np.square(true).sum(1).std() - np.square(made).sum(1).std())


def _difference(made: NDArray[np.float32], true: NDArray[np.float32]) -> NDArray[np.float64]:
    if made.shape != true.shape:
        raise ValueError(f"faces of shapes {made.shape} and {true.shape}: they must be equal")
    return made.astype(np.float64) - true
