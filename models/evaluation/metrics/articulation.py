"""What a mouth of known millimetres does at known phones.

A bilabial is closed where the lips come within `CLOSED_MM` of each other at any row from one before
its first to one after its last. Every other phone is looked at in its middle row: vowels of at
least `FEWEST_ROWS` rows for closed lips, which are false ones; sibilants for teeth within
`TOGETHER_MM`; f and v for a lower lip that is up at the upper teeth's edge (`TEETH_FREE_MM`) and
`ROLLED_MM` further back than the upper lip; rounded sounds for lips `FORWARD_MM` forward and
corners `NARROW_MM` nearer to each other than at rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.metrics.lips import runs
from models.training.phones import INDEX, VOWELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from models.evaluation.geometry.measure import Geometry

    Flags = NDArray[np.bool_]

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
"""Vowels whose gaps are compared."""


def lips_at_phones(gap: NDArray[np.floating], phones: NDArray[np.int64]) -> dict[str, list[float]]:
    """Return what a lip gap [rows], in millimetres, did at `phones` [rows], a value each.

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
    """Return what a whole mouth did at `phones` [rows], a value each; as `lips_at_phones`.

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
        "teeth": _told(sibilants <= TOGETHER_MM),
        "sibilant": sibilants.tolist(),
        "tucked": _told(tucked[middles(phones, LABIODENTALS)]),
        "rounded": _told(rounded[middles(phones, ROUNDED)]),
        "funnelled": _told(rounded[middles(phones, FUNNELLED)]),
        "misrounded": _told(rounded[middles(phones, SPREAD)]),
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
        yield from runs(phones == INDEX[name])


def _told(flags: Flags) -> list[float]:
    return [float(flag) for flag in flags]
