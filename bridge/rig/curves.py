"""Frames of one face, the curves of each target rig (names, wire order, ranges, mirror partners),
and the sources of curves in a frame.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.document import FieldError, nearest
from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.rig import ARKIT_TABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray


HEAD_AXES = ("yaw", "pitch", "roll", "x", "y", "z")
"""Head pose: rotation in radians (yaw to the subject's left, pitch up, roll to the subject's
right shoulder), translation in centimetres."""


_REST = np.array([channel.rest for channel in CHANNELS], dtype=np.float32)


def neutral_board(rows: int | None = None) -> NDArray[np.float32]:
    """Return the board at rest, float32 [174], or that many rows of it, float32 [rows, 174]."""
    return _REST.copy() if rows is None else np.tile(_REST, (rows, 1))


def neutral_head() -> NDArray[np.float32]:
    """Return the head pose at rest, float32 [6]."""
    return np.zeros(len(HEAD_AXES), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Frame:
    """A face at one presentation time. Its arrays are not written to after construction."""

    time_s: float
    """Presentation time on the host clock."""
    board: NDArray[np.float32] = field(default_factory=neutral_board)
    """Board values, float32 [174] in the order of `CHANNELS`, each in its channel's range."""
    head: NDArray[np.float32] = field(default_factory=neutral_head)
    """Head pose, float32 [6] in the order of `HEAD_AXES`."""


BOARD_MINIMUM = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
BOARD_MAXIMUM = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


class Showing(Enum):
    """Which generated frame a tick shows."""

    LIVE = "live"
    """The frame of exactly its time."""
    HELD = "held"
    """The newest frame, because that of its time is late."""
    RESTING = "resting"
    """None: there is no input, or no new frame has come for `performer.MAX_HELD_S`."""


TARGETS = ("metahuman", ARKIT_TABLE, "vrm")
"""The targets with a table of curves. A map for the target `custom` defines its own."""

CUSTOM = "custom"

_COMPLETE = {ARKIT_TABLE}


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of a target."""

    name: str
    minimum: float
    maximum: float
    side: str
    """"L", "R" or "C" for the centre."""
    region: str
    mirror: str
    """The curve of the mirrored face; a centre curve may be its own mirror."""
    mirror_sign: int
    """Factor of the value in the mirrored face: 1 or -1."""
    required: bool
    """Whether a face of this target does not speak, or is not recognised, without the curve."""
    rest: float = 0.0
    """The value in a face at rest; a curve with another than 0 is always sent."""


@dataclass(frozen=True)
class Table:
    """The curves of one target in wire order.

    A `complete` target has a fixed position for every curve, so that all are sent, unmapped ones at
    rest.
    """

    target: str
    curves: tuple[Curve, ...]
    complete: bool
    by_name: dict[str, Curve] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {curve.name: curve for curve in self.curves})


@cache
def load_table(target: str) -> Table:
    """Return the table of one of `TARGETS`, or an empty one for `custom`."""
    if target not in TARGETS:
        return Table(target, (), complete=False)
    text = (
        resources.files("cstalk_bridge.rig").joinpath("tables", f"{target}.csv").read_text("utf-8")
    )
    curves = tuple(
        Curve(
            name=row["name"],
            minimum=float(row["minimum"]),
            maximum=float(row["maximum"]),
            side=row["side"],
            region=row["region"],
            mirror=row["mirror"],
            mirror_sign=int(row["mirror_sign"]),
            required=row["required"] == "1",
            rest=float(row.get("rest", 0)),
        )
        for row in csv.DictReader(text.splitlines())
    )
    return Table(target, curves, complete=target in _COMPLETE)


ARKIT_CURVES = tuple(curve.name for curve in load_table(ARKIT_TABLE).curves)
"""The names of the 61 values of `ARKIT_TABLE`, in packet order."""

_HEAD_LIMITS = {"yaw": math.pi, "pitch": math.pi, "roll": math.pi}
_TRANSLATION_LIMIT_CM = 1000.0
_HEAD_MIRROR_SIGNS = {"yaw": -1, "roll": -1, "x": -1}


@dataclass(frozen=True, slots=True)
class Axis:
    """One value of a frame: a board channel or a head axis (`head.yaw`).

    `index` is its position in board and head joined, `rest` its value in a face at rest. The others
    are as in `Curve`.
    """

    index: int
    name: str
    minimum: float
    maximum: float
    side: str
    mirror: str
    mirror_sign: int
    rest: float = 0.0


def _head_axis(index: int, axis: str) -> Axis:
    limit = _HEAD_LIMITS.get(axis, _TRANSLATION_LIMIT_CM)
    name = f"head.{axis}"
    return Axis(index, name, -limit, limit, "C", name, _HEAD_MIRROR_SIGNS.get(axis, 1))


AXES: tuple[Axis, ...] = (
    *(
        Axis(c.index, c.name, c.minimum, c.maximum, c.side, c.mirror, c.mirror_sign, c.rest)
        for c in CHANNELS
    ),
    *(_head_axis(len(CHANNELS) + place, axis) for place, axis in enumerate(HEAD_AXES)),
)
"""All values of a frame: the board, then the head."""

MINIMUM = np.array([axis.minimum for axis in AXES], dtype=np.float32)
MAXIMUM = np.array([axis.maximum for axis in AXES], dtype=np.float32)
REST = np.array([axis.rest for axis in AXES], dtype=np.float32)

_BY_NAME = {axis.name: axis for axis in AXES}
_HALF_PLACES = {"": 0, "+": 1, "-": 2}
_OPPOSITE = {"": "", "+": "-", "-": "+"}


@dataclass(frozen=True, slots=True)
class CurveSource:
    """An axis, or one half of it as a value from 0 up: `half` is "", "+" or "-"."""

    axis: Axis
    half: str

    @property
    def name(self) -> str:
        """The name in a map: a whole axis is written without a sign."""
        return self.axis.name + self.half

    @property
    def column(self) -> int:
        """The index of this source in [all axes, their positive halves, their negative halves]."""
        return _HALF_PLACES[self.half] * len(AXES) + self.axis.index

    @property
    def mirrored(self) -> tuple[CurveSource, int]:
        """The source of the mirrored face, and the sign of its weight."""
        axis = _BY_NAME[self.axis.mirror]
        if self.half:
            half = self.half if self.axis.mirror_sign > 0 else _OPPOSITE[self.half]
            return CurveSource(axis, half), 1
        return CurveSource(axis, ""), self.axis.mirror_sign

    @property
    def limits(self) -> tuple[float, float]:
        """The range of this source."""
        if self.half == "+":
            return (0.0, self.axis.maximum)
        if self.half == "-":
            return (0.0, -self.axis.minimum)
        return (self.axis.minimum, self.axis.maximum)


def is_source(name: str) -> bool:
    """Return whether `name` is an axis or a half of one."""
    return name in _BY_NAME or (name[:-1] in _BY_NAME and name[-1] in "+-")


def parse_source(name: str) -> CurveSource:
    """Return the source of a name such as `CTRL_C_jaw.ty` or `CTRL_C_jaw.tx-`.

    Raises FieldError for an unknown name, and for the negative half of a channel without one.
    """
    half = name[-1:] if name.endswith(("+", "-")) else ""
    axis = _BY_NAME.get(name.removesuffix(half))
    if axis is None:
        raise FieldError(f"unknown source `{name}`", nearest(name, _BY_NAME))
    if axis.minimum >= 0:
        if half == "-":
            limits = f"{axis.minimum:g}..{axis.maximum:g}"
            what = f"`{name}` is always zero: `{axis.name}` runs {limits}"
            raise FieldError(what, f"write `{axis.name}`")
        half = ""
    return CurveSource(axis, half)


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources that a map reads: source n is `max(sign[n] * axis[axes[n]], floor[n])`.

    All arrays are [sources]. `sign` is -1 for a negative half, `floor` 0 for a half and -infinity
    for a whole axis.
    """

    axes: NDArray[np.intp]
    sign: NDArray[np.float32]
    floor: NDArray[np.float32]
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]
    rest: NDArray[np.float32]

    @classmethod
    def at(cls, columns: NDArray[np.intp]) -> Sources:
        """Return the sources of columns of [all axes, positive halves, negative halves]."""
        half, axes = np.divmod(columns, len(MINIMUM))
        sign = np.where(half == 2, -1.0, 1.0).astype(np.float32)
        floor = np.where(half == 0, -np.inf, 0.0).astype(np.float32)
        return cls(axes, sign, floor, MINIMUM[axes], MAXIMUM[axes], REST[axes])

    def read(self, axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return clamped source values, [..., sources], of axes, [..., axes].

        Values that are not finite are read as rest.
        """
        values: NDArray[np.float32] = axes[..., self.axes]
        unknown = ~np.isfinite(values)
        if unknown.any():
            values = np.where(unknown, self.rest, values)
        np.clip(values, self.minimum, self.maximum, out=values)
        values *= self.sign
        return np.maximum(values, self.floor, out=values)
