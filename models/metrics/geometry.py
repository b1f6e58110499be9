"""Faces in millimetres: points of a head under ARKit curves, and measures of lips, teeth and brows.

The mouth is measured over time and at known phones.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.metrics.curves import runs
from cstalk_bridge.models.phones import PHONE_INDEX, VOWELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

    Places = NDArray[np.intp]

    Flags = NDArray[np.bool_]


COLUMN_SHARES = (-0.6, -0.3, 0.0, 0.3, 0.6)
"""Where the lip gap is measured: shares of the mouth's half width, from the right to the left."""
MIDDLE = COLUMN_SHARES.index(0.0)
BROWS = ("inner_left", "outer_left", "inner_right", "outer_right")
ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, eq=False)
class FacePoints:
    """Points in millimetres: +x to the character's left, +y up, +z forward.

    `rest` is float32 [points, 3], `deltas` float32 [curves, points, 3]: what each ARKit curve at 1
    adds. The other fields are places in the points: `upper_lip` and `lower_lip` of each column of
    `COLUMN_SHARES`, the mouth's `corners` (left, right), the cutting edges of the central incisors
    (`upper_teeth`, `lower_teeth`), the tip of the `tongue` (none where nothing moves it out), and
    the `brows` by `BROWS`.
    """

    rest: Floats
    deltas: Floats
    upper_lip: tuple[Places, ...]
    lower_lip: tuple[Places, ...]
    corners: tuple[Places, Places]
    upper_teeth: Places
    lower_teeth: Places
    tongue: Places
    brows: Mapping[str, Places]

    def posed(self, scores: Floats) -> Iterator[Floats]:
        """Yield positions [rows, points, 3] under `scores` [rows, curves], some rows at a time."""
        flat = self.deltas.reshape(len(self.deltas), -1)
        for first in range(0, len(scores), ROWS_AT_ONCE):
            moved = scores[first : first + ROWS_AT_ONCE].astype(np.float32) @ flat
            yield moved.reshape(-1, *self.rest.shape) + self.rest


_ABSOLUTE = {"width", "lip_over_teeth", "tongue"}
"""Fields of `Geometry` that are not relative to rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A face over time, float32 [rows] each, in millimetres.

    `gaps` [rows, columns] is the opening between the lips as seen from the front, 0 or more, `gap`
    the one in the middle. `teeth` is the opening between the incisors' edges. `width` is the
    distance of the corners. `upper_protrusion` and `lower_protrusion` are how far the lips come
    forward. `lip_over_teeth` is how far the lower lip reaches above the upper incisors' edge:
    negative where teeth stand free of it. `tongue` is how far its tip is in front of that edge
    (negative behind it, 0 on a head without one). `corner_left`, `corner_right` and `brow`
    [rows, 4] (as `BROWS`) are heights above rest.
    """

    gaps: Floats
    teeth: Floats
    width: Floats
    upper_protrusion: Floats
    lower_protrusion: Floats
    lip_over_teeth: Floats
    tongue: Floats
    corner_left: Floats
    corner_right: Floats
    brow: Floats

    @property
    def gap(self) -> Floats:
        """The gap in the middle of the lips."""
        return np.asarray(self.gaps[:, MIDDLE])

    @property
    def protrusion(self) -> Floats:
        """The mean of both lips' protrusion."""
        return np.asarray((self.upper_protrusion + self.lower_protrusion) / 2)

    def visible(self) -> Floats:
        """Return the visible features of a mouth, [rows, 11]: gaps, teeth, width, lips, tongue."""
        single = (
            self.teeth,
            self.width,
            self.upper_protrusion,
            self.lower_protrusion,
            self.lip_over_teeth,
            self.tongue,
        )
        return np.concatenate((self.gaps, np.stack(single, 1)), 1)


def geometry_of(points: FacePoints, scores: Floats) -> Geometry:
    """Return the geometry of a head under ARKit curves `scores` [rows, curves]."""
    still = _raw(points, points.rest[None])
    parts = [_raw(points, positions) for positions in points.posed(scores)]
    if not parts:
        parts = [_raw(points, points.rest[None][:0])]
    names = [field.name for field in fields(Geometry)]
    raw = {name: np.concatenate([part[name] for part in parts]) for name in names}
    for name in set(names) - _ABSOLUTE:
        raw[name] = raw[name] - still[name]
    raw["gaps"] = np.maximum(raw["gaps"], 0.0)
    return Geometry(**{name: values.astype(np.float32) for name, values in raw.items()})


def _raw(points: FacePoints, at: Floats) -> dict[str, Floats]:
    """Return the fields of `Geometry` of positions [rows, points, 3], before subtracting rest."""
    upper, lower = points.upper_lip, points.lower_lip
    gaps = [at[:, u, 1].min(1) - at[:, v, 1].max(1) for u, v in zip(upper, lower, strict=True)]
    left, right = (at[:, corner].mean(1) for corner in points.corners)
    edge = at[:, points.upper_teeth]
    tip = at[:, points.tongue, 2] if len(points.tongue) else edge[:, :, 2]
    return {
        "gaps": np.stack(gaps, 1),
        "teeth": edge[..., 1].min(1) - at[:, points.lower_teeth, 1].max(1),
        "width": np.linalg.norm(left - right, axis=1),
        "upper_protrusion": at[:, upper[MIDDLE], 2].max(1),
        "lower_protrusion": at[:, lower[MIDDLE], 2].max(1),
        "lip_over_teeth": at[:, lower[MIDDLE], 1].max(1) - edge[..., 1].min(1),
        "tongue": tip.max(1) - edge[..., 2].max(1),
        "corner_left": left[:, 1],
        "corner_right": right[:, 1],
        "brow": np.stack([at[:, points.brows[name], 1].mean(1) for name in BROWS], 1),
    }


CLOSED_MM = 1.0
FEWEST_ROWS = 3
TOGETHER_MM = 1.5
TEETH_FREE_MM = 1.0
ROLLED_MM = 1.5
FORWARD_MM = NARROW_MM = 1.5
CLOSERS = ("P", "B", "M")
SIBILANTS = ("S", "Z", "SH", "ZH")
LABIODENTALS = ("F", "V")
ROUNDED, FUNNELLED = ("W", "UW"), ("SH", "ZH")
SPREAD = ("IY", "EH", "AE")
OPEN, CLOSE = ("AA", "AE", "AO"), ("IY", "IH", "UW", "UH")
"""Open and close vowels, whose gaps are compared."""


def lips_at_phones(gap: NDArray[np.floating], phones: NDArray[np.int64]) -> dict[str, list[float]]:
    """Return measures of a lip gap [rows], in millimetres, at `phones` [rows], a value each.

    `closed` of bilabials and `false` of vowels are 0 or 1, `narrowest` is the least gap in a
    bilabial, `open` and `close` are gaps in the middle of such vowels.
    """
    closers = [gap[max(0, a - 1) : b + 1].min() for a, b in _spans(phones, CLOSERS)]
    vowels = [gap[(a + b) // 2] for a, b in _spans(phones, VOWELS) if b - a >= FEWEST_ROWS]
    return {
        "closed": [float(value <= CLOSED_MM) for value in closers],
        "narrowest": [float(value) for value in closers],
        "false": [float(value <= CLOSED_MM) for value in vowels],
        "open": gap[middles(phones, OPEN)].tolist(),
        "close": gap[middles(phones, CLOSE)].tolist(),
    }


def mouth_at_phones(
    mouth: Geometry, rest_width_mm: float, phones: NDArray[np.int64]
) -> dict[str, list[float]]:
    """Return measures of a mouth at `phones` [rows], a value each, with those of `lips_at_phones`.

    Also `teeth` of sibilants, `tucked` of f and v, `rounded` of w and uw, `funnelled` of sh and zh,
    and `misrounded` of spread vowels, 0 or 1, and `sibilant`, the teeth's gap there.
    """
    forward = mouth.upper_protrusion >= FORWARD_MM
    rounded = forward & (mouth.width <= rest_width_mm - NARROW_MM)
    rolled = mouth.upper_protrusion - mouth.lower_protrusion >= ROLLED_MM
    tucked = rolled & (mouth.lip_over_teeth >= -TEETH_FREE_MM)
    sibilants = mouth.teeth[middles(phones, SIBILANTS)]
    return {
        **lips_at_phones(mouth.gap, phones),
        "teeth": _as_floats(sibilants <= TOGETHER_MM),
        "sibilant": sibilants.tolist(),
        "tucked": _as_floats(tucked[middles(phones, LABIODENTALS)]),
        "rounded": _as_floats(rounded[middles(phones, ROUNDED)]),
        "funnelled": _as_floats(rounded[middles(phones, FUNNELLED)]),
        "misrounded": _as_floats(rounded[middles(phones, SPREAD)]),
    }


def joined(clips: Iterable[Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """Return the values of many clips by name."""
    every: dict[str, list[float]] = {}
    for clip in clips:
        for name, values in clip.items():
            every.setdefault(name, []).extend(values)
    return every


def middles(phones: NDArray[np.int64], names: Iterable[str]) -> NDArray[np.int64]:
    """Return the middle row of each phone among `names`."""
    return np.array([(a + b) // 2 for a, b in _spans(phones, names)], dtype=np.int64)


def _spans(phones: NDArray[np.int64], names: Iterable[str]) -> Iterator[tuple[int, int]]:
    for name in names:
        yield from runs(phones == PHONE_INDEX[name]).tolist()


def _as_floats(flags: Flags) -> list[float]:
    return [float(flag) for flag in flags]
