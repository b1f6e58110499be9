"""Lips and teeth in millimetres: what each slider of the board opens, and who opens how much.

A tracker sees how far lips are apart, not what parts them. Here the jaw opens as far as the phone
lets it, and the lips' own muscles bring the rest: so teeth can meet in an s while lips are apart.
The millimetres a slider at 1 are those of ICT-FaceKit's neutral head (MIT) under Epic's ARKit
mapping, measured by `cstalk_bridge.models.evaluation.geometry` within the range of speech, where
they are linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


GAP_MM: Mapping[str, float] = {
    "jaw": 32.6,
    "upper_raise": 7.0,
    "lower_depress": 6.7,
    "funnel": 12.8,
}
"""How far a gesture at 1 parts the lips in the middle of the mouth."""
TEETH_MM = 34.7
"""How far the jaw at 1 parts the incisors."""
WIDTH_MM: Mapping[str, float] = {"jaw": -4.7, "stretch": 14.0, "purse": -9.8, "funnel": -6.4}
"""How far a gesture at 1 brings the corners of the mouth apart."""
LOWER_SHARE = 0.56
"""Of what lips part by their own muscles, the lower lip's."""
MOST_OWN = 0.8
"""Lip raisers and depressors at most: more is a snarl."""


def gap_mm(gestures: Mapping[str, Floats]) -> Floats:
    """Return the gap [time] that `gestures` [time] by name open, lips held together aside."""
    open_ = sum(mm * gestures[name] for name, mm in GAP_MM.items())
    return np.asarray(open_ * (1.0 - gestures["lips_together"]), dtype=np.float32)


def jaw_share(gestures: Mapping[str, Floats]) -> Floats:
    """Return the share [time] of the jaw in what `gestures` [time] by name open, 0..1."""
    open_ = sum(mm * gestures[name] for name, mm in GAP_MM.items())
    return np.asarray(GAP_MM["jaw"] * gestures["jaw"] / np.maximum(open_, 1e-3), np.float32)


def opened(gap: Floats, share: Floats, limit: Floats, funnel: Floats) -> dict[str, Floats]:
    """Return the gestures [time] by name that part lips by `gap` millimetres [time].

    The jaw has a `share` [time] of it as far as its `limit` [time] goes; a `funnel` [time] that
    would part lips further gives way; raisers and depressors bring what is missing.
    """
    funnel = np.minimum(funnel, gap / GAP_MM["funnel"])
    left = gap - GAP_MM["funnel"] * funnel
    left = np.maximum(left, 0.0)
    jaw = np.minimum(np.minimum(share * gap, left) / GAP_MM["jaw"], limit)
    rest = np.maximum(gap - GAP_MM["jaw"] * jaw - GAP_MM["funnel"] * funnel, 0.0)
    own = {
        "upper_raise": (1.0 - LOWER_SHARE) * rest / GAP_MM["upper_raise"],
        "lower_depress": LOWER_SHARE * rest / GAP_MM["lower_depress"],
    }
    bounded = {name: np.minimum(value, MOST_OWN) for name, value in own.items()}
    made = {"jaw": jaw, "funnel": funnel, **bounded}
    return {name: value.astype(np.float32) for name, value in made.items()}


def stretch_of(width_mm: Floats, gestures: Mapping[str, Floats]) -> Floats:
    """Return the stretch [time], 0..1, that makes the mouth `width_mm` [time] wider than at rest.

    What the other `gestures` [time] by name do to its width is taken into account.
    """
    others = sum(mm * gestures[name] for name, mm in WIDTH_MM.items() if name != "stretch")
    return np.asarray(np.clip((width_mm - others) / WIDTH_MM["stretch"], 0.0, 1.0), np.float32)
