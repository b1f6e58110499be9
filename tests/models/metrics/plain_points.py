"""A mouth of a few points whose every measure can be computed by hand."""

from __future__ import annotations

import numpy as np

from cstalk_bridge.models.metrics.geometry import BROWS, COLUMN_SHARES, FacePoints

JAW, CLOSE, SMILE_LEFT, SMILE_RIGHT, BROW_LEFT, BROW_RIGHT = range(6)
GAP_MM, TEETH_MM = 30.0, 28.0
"""What an open jaw parts in the middle."""


def plain_points(*, parted_mm: float = 0.5) -> FacePoints:
    """Return points whose lips stand `parted_mm` apart at rest, and whose incisors overlap."""
    rest: list[tuple[float, float, float]] = []
    lips: dict[str, list[int]] = {"upper": [], "lower": []}
    for share in COLUMN_SHARES:
        for lip, y in (("upper", 0.0), ("lower", -parted_mm)):
            lips[lip].append(len(rest))
            rest.append((20 * share, y, 100.0))
    names = ("corner_left", "corner_right", "upper_teeth", "lower_teeth", *BROWS)
    at = {name: len(rest) + place for place, name in enumerate(names)}
    rest += [(22, 0, 90), (-22, 0, 90), (0, -2, 98), (0, -1, 97)]
    rest += [(10, 60, 95), (30, 62, 85), (-10, 60, 95), (-30, 62, 85)]
    deltas = np.zeros((6, len(rest), 3), np.float32)
    deltas[JAW, lips["lower"], 1] = -GAP_MM
    deltas[JAW, at["lower_teeth"], 1] = -TEETH_MM
    deltas[CLOSE, lips["lower"], 1] = GAP_MM
    for curve, side, out in ((SMILE_LEFT, "left", 1), (SMILE_RIGHT, "right", -1)):
        deltas[curve, at[f"corner_{side}"]] = (4 * out, 6, 0)
    for curve, side in ((BROW_LEFT, "left"), (BROW_RIGHT, "right")):
        deltas[curve, [at[f"inner_{side}"], at[f"outer_{side}"]], 1] = 5.0
    places = {name: np.array([place]) for name, place in at.items()}
    return FacePoints(
        rest=np.array(rest, np.float32),
        deltas=deltas,
        upper_lip=tuple(np.array([place]) for place in lips["upper"]),
        lower_lip=tuple(np.array([place]) for place in lips["lower"]),
        corners=(places["corner_left"], places["corner_right"]),
        upper_teeth=places["upper_teeth"],
        lower_teeth=places["lower_teeth"],
        tongue=np.zeros(0, np.intp),
        brows={name: places[name] for name in BROWS},
    )
