"""What a phone asks of the mouth, and how neighbouring phones share it.

The table `articulation_rules.csv` gives each phone's gestures as board values (0..1 of the sliders
named in `GESTURES`), from articulatory phonetics: closure for p b m, lower lip to upper teeth for
f v, rounding for w uw ao sh r, spreading for iy s, the tongue's place for the rest. Neighbours are
blended by dominance (Cohen and Massaro, 1993): a gesture reaches out of its phone as far as its
muscles need, and strong gestures win.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ
from models.training.phones import PHONES
from models.training.segments import fill_gaps, frame_times_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.training.segments import Segment


@dataclass(frozen=True, slots=True)
class Gesture:
    """One gesture: the channels it moves (sign included) and how it spreads in time.

    `reach_s` is the time over which its dominance falls to 1/e outside of its phone, `strength`
    its dominance where it is asked for (phones which do not ask for it have strength 1), `lead_s`
    how much earlier than its phone it begins.
    """

    channels: tuple[str, ...]
    reach_s: float
    strength: float
    lead_s: float = 0.0


def _sides(*names: str) -> tuple[str, ...]:
    return tuple(f"CTRL_{side}_{name}" for name in names for side in "LR")


GESTURES: dict[str, Gesture] = {
    "jaw": Gesture(("CTRL_C_jaw.ty",), 0.05, 1.5),
    "lips_together": Gesture(
        _sides("mouth_lipsTogetherU.ty", "mouth_lipsTogetherD.ty"), 0.009, 12, 0.008
    ),
    "lip_bite": Gesture(_sides("mouth_lipBiteD.ty"), 0.014, 8, 0.012),
    "purse": Gesture(_sides("mouth_purseU.ty", "mouth_purseD.ty"), 0.07, 6, 0.03),
    "funnel": Gesture(_sides("mouth_funnelU.ty", "mouth_funnelD.ty"), 0.06, 6, 0.02),
    "towards": Gesture(_sides("mouth_towardsU.ty", "mouth_towardsD.ty"), 0.06, 6, 0.02),
    "stretch": Gesture(_sides("mouth_stretch.ty"), 0.06, 1.5),
    "lower_depress": Gesture(_sides("mouth_lowerLipDepress.ty"), 0.05, 1.2),
    "upper_raise": Gesture(_sides("mouth_upperLipRaise.ty"), 0.05, 1.2),
    "roll": Gesture(_sides("mouth_lipsRollU.ty", "mouth_lipsRollD.ty"), 0.012, 6, 0.01),
    "tongue_up": Gesture(("CTRL_C_tongue_move.ty",), 0.045, 1.2),
    "tongue_tip": Gesture(("CTRL_C_tongue_tipMove.ty",), 0.035, 2),
    "tongue_out": Gesture(("CTRL_C_tongue_inOut.ty",), 0.04, 2),
    "tongue_wide": Gesture(("CTRL_C_tongue_wideNarrow.ty",), 0.06, 1),
}
"""The table's columns. `tongue_out` is negative outwards, as the board's slider is."""


def _read_targets() -> NDArray[np.float32]:
    text = resources.files("models.training").joinpath("articulation_rules.csv").read_text("utf-8")
    rows = {row["phone"]: row for row in csv.DictReader(text.splitlines())}
    return np.array([[float(rows[p][g]) for g in GESTURES] for p in PHONES], dtype=np.float32)


TARGETS = _read_targets()
"""Gesture values by phone, [phones, gestures]."""


def rule_curves(segments: Sequence[Segment], frames: int) -> NDArray[np.float32]:
    """Return the gestures of a phone sequence, [time, gestures]."""
    filled = fill_gaps(segments, frames / ROW_RATE_HZ)
    starts_s, ends_s = (np.array([segment[i] for segment in filled])[:, None] for i in (0, 1))
    targets = TARGETS[[PHONES.index(phone) for _, _, phone in filled]]
    times_s = frame_times_s(frames)[None]
    curves = np.empty((frames, len(GESTURES)), dtype=np.float32)
    for column, gesture in enumerate(GESTURES.values()):
        target = targets[:, column, None]
        asks = np.abs(target) > 0
        lead_s = np.where(asks, gesture.lead_s, 0.0)
        outside_s = np.maximum(np.maximum(starts_s - lead_s - times_s, times_s - ends_s), 0.0)
        dominance = np.where(asks, gesture.strength, 1.0) * np.exp(-outside_s / gesture.reach_s)
        curves[:, column] = (dominance * target).sum(0) / dominance.sum(0)
    return curves
