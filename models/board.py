"""The MetaHuman face board: its 174 channels, their regions, and mouth curves made of several.

Names, ranges and order of the channels: `board.csv` beside this file, compiled from the
public facts of Epic's MetaHuman DNA Calibration rig script and of the channel list of the
engine's own solvers. A channel is written `CTRL_<L|R|C>_<region>_<name>.<axis>`, as
`CTRL_C_jaw.ty`.

Every audio-driven channel belongs to exactly one region. The board's own regions decide, except
that its mouth is parted: what pulls up or belongs to the upper lip, and what pulls down or belongs
to the lower lip.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Channel:
    """One slider or one axis of a pad of the face board.

    `mirror_sign` is -1 where the mirrored face has the opposite value (`CTRL_C_jaw.tx`), else 1.
    `rest` is its value in a face at rest: 0, but 1 for `nose_wrinkleUpper`, which says how much of
    a wrinkled nose reaches its bridge.
    `audio_driven` marks the 81 channels which the engine's own audio solver drives.
    """

    index: int
    name: str
    minimum: float
    maximum: float
    side: str
    region: str
    mirror_sign: int
    audio_driven: bool
    rest: float

    @property
    def mirror(self) -> str:
        """The channel which a mirrored face moves instead; a centre channel is its own mirror."""
        swap = {"L": "R", "R": "L"}
        if self.side not in swap:
            return self.name
        return self.name.replace(f"CTRL_{self.side}_", f"CTRL_{swap[self.side]}_", 1)


def _read_table() -> tuple[Channel, ...]:
    text = resources.files("cstalk_bridge.models").joinpath("board.csv").read_text(encoding="utf-8")
    return tuple(
        Channel(
            index=index,
            name=row["channel"],
            minimum=float(row["minimum"]),
            maximum=float(row["maximum"]),
            side=row["side"],
            region=row["region"],
            mirror_sign=int(row["mirror_sign"]),
            audio_driven=row["audio_driven"] == "1",
            rest=float(row["rest"]),
        )
        for index, row in enumerate(csv.DictReader(text.splitlines()))
    )


CHANNELS: tuple[Channel, ...] = _read_table()
"""All 174 channels, in board order."""

CHANNEL_INDEX: dict[str, int] = {channel.name: channel.index for channel in CHANNELS}
"""Board position by channel name."""

AUDIO_DRIVEN: tuple[str, ...] = tuple(c.name for c in CHANNELS if c.audio_driven)
"""The names of the 81 audio-driven channels, in board order."""

AUDIO_DRIVEN_COLUMNS: NDArray[np.intp] = np.array([CHANNEL_INDEX[name] for name in AUDIO_DRIVEN])
"""Their board positions, [81]."""

MOUTH_REGIONS = frozenset({"mouth", "jaw", "chin", "tongue", "teeth"})
UPPER_FACE_REGIONS = frozenset({"brow", "eyelid", "cheek", "nose"})
"""Regions of the board (`Channel.region`); the eyeballs are in neither."""


REGIONS: tuple[str, ...] = (
    "brow",
    "eyelid_cheek",
    "nose",
    "mouth_upper",
    "mouth_lower",
    "jaw_chin",
    "tongue",
)
"""Regions of faces, in the order of every table of regions."""

STILL_SPREAD = 0.01
"""Standard deviation, in board values, under which a channel's motion counts as noise."""

_REGION_OF_BOARD = {
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
        return _REGION_OF_BOARD[channel.region]
    slider = channel.name.partition("mouth")[2].lstrip("_").split(".")[0]
    upper = slider.endswith("U") or slider.startswith(_PULLS_UP)
    return "mouth_upper" if upper else "mouth_lower"


REGION_OF: dict[str, str] = {
    name: region_of(CHANNELS[CHANNEL_INDEX[name]]) for name in AUDIO_DRIVEN
}
"""Region by channel name."""

REGION_COLUMNS: dict[str, tuple[int, ...]] = {
    region: tuple(i for i, name in enumerate(AUDIO_DRIVEN) if REGION_OF[name] == region)
    for region in REGIONS
}
"""Positions in `AUDIO_DRIVEN` by region."""


def region_correlation(
    faces: Sequence[NDArray[np.float32]], observed: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the correlation of the motion of regions, [regions, regions], 0..1.

    `faces` are clips [time, 81] in `AUDIO_DRIVEN` order; the mean face of each clip is subtracted,
    so that motion counts and posture does not. A pair's value is the square root of the RV
    coefficient of its channels (Robert and Escoufier 1976), which for one channel each is |r|;
    channels are scaled to unit spread, those that hardly move (`STILL_SPREAD`) to less. A region
    that stands still correlates with none (0); one without a channel in `observed` [81] gives NaN.
    """
    seen = np.ones(len(AUDIO_DRIVEN), dtype=np.bool_) if observed is None else observed
    motion = np.concatenate([face - face.mean(0) for face in faces]).astype(np.float64)
    motion /= np.maximum(motion.std(0), STILL_SPREAD)
    shared = np.square(motion.T @ motion / len(motion)) * np.outer(seen, seen)
    member = np.array(
        [[i in REGION_COLUMNS[region] for i in range(len(seen))] for region in REGIONS]
    )
    power = member @ shared @ member.T
    own = np.sqrt(np.diag(power))
    rv = power / np.maximum(np.outer(own, own), 1e-12)
    known = member @ seen > 0
    return np.where(np.outer(known, known), np.sqrt(rv), np.nan)


def region_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean absolute difference of two region correlations over the pairs known to both.

    NaN where they share no pair.
    """
    pairs = np.triu_indices(len(REGIONS), 1)
    difference = np.abs(one - other)[pairs]
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if len(known) else float("nan")


MOUTH: tuple[int, ...] = tuple(
    i for region in ("mouth_upper", "mouth_lower", "jaw_chin") for i in REGION_COLUMNS[region]
)
"""Columns of the mouth that LVE measures: lips, jaw and chin, without the tongue."""
UPPER: tuple[int, ...] = tuple(
    i for region in ("brow", "eyelid_cheek") for i in REGION_COLUMNS[region]
)
"""Columns of the upper face that EVE and FDD measure: brows, eyelids and cheeks."""

JAW = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")


def columns_of(slider: str) -> list[int]:
    """Return the columns whose slider (`mouth_purse`) or its halves (`U`, `D`) on either side."""
    found = [i for i, name in enumerate(AUDIO_DRIVEN) if name.split("_", 2)[2].startswith(slider)]
    if not found:
        raise ValueError(f"no audio-driven channel begins with {slider}")
    return found


_TOGETHER, _PURSE = columns_of("mouth_lipsTogether"), columns_of("mouth_purse")
_RAISE, _DEPRESS = columns_of("mouth_upperLipRaise"), columns_of("mouth_lowerLipDepress")


def jaw(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the jaw is open, [rows], 0..1, of a face [rows, 81]."""
    return np.asarray(face[:, JAW], dtype=np.float32)


def together(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the lips are held together, [rows], 0..1: mean of the four lip channels."""
    return np.asarray(face[:, _TOGETHER].mean(1), dtype=np.float32)


def opening(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the mouth is open, [rows], 0..1: the jaw as far as lips do not bridge it."""
    return np.asarray(jaw(face) * np.clip(1.0 - together(face), 0.0, 1.0), dtype=np.float32)


def mouth_close(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ARKit's `mouthClose`, [rows]: what of an open jaw the lips bridge.

    The inverse of the relation by which Epic's rig takes that curve: lips together = mouthClose /
    jawOpen.
    """
    return np.asarray(jaw(face) * np.clip(together(face), 0.0, 1.0), dtype=np.float32)


def parting(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far lips are drawn apart, [rows], 0..1: mean of upper raised, lower depressed."""
    return np.asarray(face[:, _RAISE + _DEPRESS].mean(1), dtype=np.float32)


def pucker(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the lips are pursed, [rows], 0..1: mean of the four purse channels."""
    return np.asarray(face[:, _PURSE].mean(1), dtype=np.float32)
