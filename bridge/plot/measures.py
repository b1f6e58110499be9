"""What can be counted on a take: speed, jerk, mouth opening against loudness, closures.

Speeds and jerks are in ranges of the curve: 1 is the way from its minimum to its maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Flags = NDArray[np.bool_]

STROKE_S = 0.08
"""The shortest time in which a face is believed to go through a whole range. Lips that close for a
p or b take 80 to 100 ms."""
MAX_SPEED = 15 / 8 / STROKE_S
"""Ranges per second. The peak of a minimum-jerk movement, x = 10 t^3 - 15 t^4 + 6 t^5 with t from 0
to 1 (Flash and Hogan, J. Neuroscience 1985), through the whole range within `STROKE_S`."""
MAX_JERK = 60 / STROKE_S**3
"""Ranges per second cubed: the peak of the same movement's third derivative."""
MAX_LAG_S = 0.3
"""How far the mouth is looked for before and after the sound."""
SEALED = 0.5
"""Lips together beyond this seal the mouth."""
FEWEST_ROWS = 10
"""Rows of which a correlation says anything."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the mouth follows the loudness.

    `together` is Pearson's r as they are; `best` the greatest r of all lags, found with the mouth
    `lag_s` behind the sound (negative: ahead of it).
    """

    together: float
    best: float
    lag_s: float


def speed(values: Floats, span: float, rate_hz: float) -> Floats:
    """Return the speed between rows, [time - 1], of one curve [time] whose range is `span` wide."""
    return np.diff(values) * np.float32(rate_hz / span)


def jerk(values: Floats, span: float, rate_hz: float) -> Floats:
    """Return the jerk, [time - 3], of one curve [time] whose range is `span` wide.

    The third difference over the cube of the row time, exact for cubics; entry i belongs to the
    time of row i + 1.5.
    """
    return np.diff(values, 3) * np.float32(rate_hz**3 / span)


def mouth_opening(jaw: Floats, lips_together: Floats) -> Floats:
    """Return how open the mouth is, 0..1 [time]: the jaw without what the lips close of it.

    `jaw` is `CTRL_C_jaw.ty`, `lips_together` the mean of the four lipsTogether channels, [time].
    It is what the rig map `arkit` sends as JawOpen - MouthClose.
    """
    return jaw * (1 - np.clip(lips_together, 0.0, 1.0))


def agreement(opening: Floats, loudness: Floats, rate_hz: float) -> Agreement | None:
    """Compare opening and loudness, both [time]; None where one of them does not change at all."""
    reach = min(round(MAX_LAG_S * rate_hz), len(opening) - FEWEST_ROWS)
    if reach < 0:
        return None
    found = {lag: _pearson(*_shifted(opening, loudness, lag)) for lag in range(-reach, reach + 1)}
    # The smallest of equal lags: a steady tone answers none.
    best = max(found, key=lambda lag: (round(found[lag], 6), -abs(lag)))
    if not found[best] and not found[0]:
        return None
    return Agreement(found[0], found[best], best / rate_hz)


def closures(lips_together: Floats) -> NDArray[np.intp]:
    """Return the first row and the row after the last of each time the lips seal, [closures, 2]."""
    return runs(lips_together > SEALED)


def runs(flags: Flags) -> NDArray[np.intp]:
    """Return first row and row after the last of every run of true rows, [runs, 2]."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.stack((np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)), axis=1)


def rms(values: Floats) -> float:
    """Return the root of the mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def _shifted(opening: Floats, loudness: Floats, lag: int) -> tuple[Floats, Floats]:
    """Return the rows that meet where the opening comes `lag` rows late."""
    rows = len(opening) - abs(lag)
    return opening[max(lag, 0) :][:rows], loudness[max(-lag, 0) :][:rows]


def _pearson(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-9 else 0.0
