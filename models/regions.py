"""The regions of a face, and how far they move together.

Every audio-driven channel belongs to exactly one region. The board's own regions decide, except
that its mouth is parted: what pulls up or belongs to the upper lip, and what pulls down or belongs
to the lower lip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN, CHANNELS, INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.board import Channel

REGIONS: tuple[str, ...] = (
    "brow",
    "eyelid_cheek",
    "nose",
    "mouth_upper",
    "mouth_lower",
    "jaw_chin",
    "tongue",
)
"""In the order of every table of regions."""

STILL = 0.01
"""Standard deviation, in board values, under which a channel's motion counts as noise."""

_OF_BOARD = {
    "brow": "brow",
    "eyelid": "eyelid_cheek",
    "cheek": "eyelid_cheek",
    "nose": "nose",
    "jaw": "jaw_chin",
    "chin": "jaw_chin",
    "tongue": "tongue",
}
_PULLS_UP = ("upperLip", "cornerPull", "sharpCornerPull", "dimple")


def region_of(channel: Channel) -> str:
    """Return the region of an audio-driven channel; KeyError for one that is in none."""
    if channel.region != "mouth":
        return _OF_BOARD[channel.region]
    slider = channel.name.partition("mouth")[2].lstrip("_").split(".")[0]
    upper = slider.endswith("U") or slider.startswith(_PULLS_UP)
    return "mouth_upper" if upper else "mouth_lower"


REGION_OF: dict[str, str] = {name: region_of(CHANNELS[INDEX[name]]) for name in AUDIO_DRIVEN}
"""Region by channel name."""

COLUMNS: dict[str, tuple[int, ...]] = {
    region: tuple(i for i, name in enumerate(AUDIO_DRIVEN) if REGION_OF[name] == region)
    for region in REGIONS
}
"""Positions in `AUDIO_DRIVEN` by region."""


def region_correlation(
    courses: Sequence[NDArray[np.float32]], observed: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return how far regions move together, [regions, regions], 0 (apart) to 1 (as one).

    `courses` are faces [time, 81] in `AUDIO_DRIVEN` order; each course's mean face is taken away,
    so that motion counts and posture does not. A pair's value is the square root of the RV
    coefficient of its channels (Robert and Escoufier 1976), which for one channel each is |r|;
    channels are scaled to unit spread, those that hardly move (`STILL`) to less. A region that
    stands still moves with none (0); one of which `observed` [81] knows no channel gives NaN.
    """
    seen = np.ones(len(AUDIO_DRIVEN), dtype=np.bool_) if observed is None else observed
    motion = np.concatenate([course - course.mean(0) for course in courses]).astype(np.float64)
    motion /= np.maximum(motion.std(0), STILL)
    shared = np.square(motion.T @ motion / len(motion)) * np.outer(seen, seen)
    member = np.array([[i in COLUMNS[region] for i in range(len(seen))] for region in REGIONS])
    power = member @ shared @ member.T
    own = np.sqrt(np.diag(power))
    rv = power / np.maximum(np.outer(own, own), 1e-12)
    known = member @ seen > 0
    return np.where(np.outer(known, known), np.sqrt(rv), np.nan)


def region_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean absolute difference of two region correlations over the pairs both know.

    NaN where they share no pair.
    """
    pairs = np.triu_indices(len(REGIONS), 1)
    difference = np.abs(one - other)[pairs]
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if len(known) else float("nan")
