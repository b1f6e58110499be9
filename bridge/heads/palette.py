"""The colours that a head is painted with, as vertex colours in linear RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def linear(code: str) -> NDArray[np.float64]:
    """Return an sRGB colour (`#rrggbb`) as linear RGB, after IEC 61966-2-1."""
    value = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


SKIN, BLUSH, SHADE = linear("#e8b796"), linear("#dd8d75"), linear("#b5765c")
LIP, LIP_INSIDE, MOUTH_DEEP = linear("#c05d58"), linear("#9c3f40"), linear("#3a1214")
LID_RIM, LASH, NOSTRIL = linear("#c98a78"), linear("#1d1210"), linear("#6b3a30")
HAIR, HAIR_LIGHT, BROW = linear("#3b2418"), linear("#6b452c"), linear("#3a2419")
TOOTH, GUM, TONGUE = linear("#f6f0e4"), linear("#b8615e"), linear("#b9545a")
SCLERA, IRIS, IRIS_LIGHT = linear("#f4f1ea"), linear("#2f6f86"), linear("#6fb4bb")
LIMBUS, PUPIL, CATCH = linear("#12303c"), linear("#050506"), linear("#ffffff")
CLOTH, CLOTH_DARK = linear("#2f4b63"), linear("#1f3347")
