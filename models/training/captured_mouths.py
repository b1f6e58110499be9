"""Captured mouths as three curves: how far the jaw is open, lips are pursed, and held together.

Two people were captured. A tracker saw the GRID talker; its jaw and pucker are taken above what
they show while he is silent, and lips are together by mouthClose / jawOpen, as MetaHumans take it.
An artist solved the FACEGOOD talker's sliders, of which `mouth_stretch_c` behaves as a jaw; what
holds her lips together is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.timing import ROW_RATE_HZ
from models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    face_curves,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CURVES = ("jaw", "pucker", "together")
"""The curves, in board values: of `CTRL_C_jaw.ty`, the purse sliders, the lips-together sliders."""

JAW_GAIN = 1.25  # the GRID tracker's jaw against the board's: viewers prefer clear articulation
PUCKER_GAIN = 2.0  # the same for its pucker, whose w and uw reach 0.2 and 0.4
LEAST_JAW = 0.05  # under this opening the ratio of close to open is noise
FEWEST_SILENT_ROWS = ROW_RATE_HZ // 5

SLIDERS: dict[str, dict[str, float]] = {
    "jaw": {"mouth_stretch_c": 1.0},
    "purse": {"mouth_pucker_l": 1.0, "mouth_oh_c": 0.2, "mouth_oo_c": 0.7},
    "funnel": {"mouth_funnel_dl": 1.0, "mouth_oh_c": 0.45, "mouth_oo_c": 0.3},
    "upper_raise": {"mouth_upperLipRaise_l": 1.2},
    "lower_depress": {"mouth_lowerLipDepress_l": 1.0},
}
"""FACEGOOD's sliders as gestures (`rules.GESTURES`)."""

OBSERVED: dict[str, tuple[bool, ...]] = {
    "grid_s1": (True, True, True),
    "facegood": (True, True, False),
}
"""Which of `CURVES` each source tells."""

FILES = {"grid_s1": GRID_CURVES, "facegood": "curves.npz"}
"""The archive of each source, in its folder."""

TEACHERS = tuple(OBSERVED)
"""The sources, in the order in which the articulation network numbers them."""


class CapturedMouths:
    """The curves of every captured clip; FACEGOOD may be missing."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.archives: dict[str, Any] = {
            source: np.load(folders[source] / file)
            for source, file in FILES.items()
            if source in folders
        }

    def grid(self, stem: str, phones: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the curves of a GRID clip with `phones` [time], [time, curves]."""
        archive = self.archives["grid_s1"]
        every = face_curves(archive, stem, GRID_LATE_S, GRID_FPS, len(phones))
        names = list(archive["names"])
        scores = every[:, [names.index(name) for name in ("jawOpen", "mouthPucker", "mouthClose")]]
        silent = phones == 0
        enough = silent.sum() > FEWEST_SILENT_ROWS
        rest = np.median(scores[silent], 0) if enough else scores.min(0)
        above = np.maximum(scores - rest, 0.0)
        together = scores[:, 2] / np.maximum(scores[:, 0], LEAST_JAW)
        curves = np.stack((JAW_GAIN * above[:, 0], PUCKER_GAIN * above[:, 1], together), 1)
        return np.asarray(np.clip(curves, 0.0, 1.0), dtype=np.float32)

    def facegood(self, stem: str, rows: int) -> NDArray[np.float32]:
        """Return the curves of a FACEGOOD clip, [time, curves]; lips together are 0."""
        told = self.facegood_gestures(stem, rows)
        curves = np.stack((told["jaw"], told["purse"], np.zeros(rows)), 1)
        return np.asarray(curves, dtype=np.float32)

    def facegood_gestures(self, stem: str, rows: int) -> dict[str, NDArray[np.float32]]:
        """Return the gestures of `SLIDERS` of a FACEGOOD clip, [time] each, 0..1."""
        archive = self.archives["facegood"]
        names = list(archive["names"])
        curves = face_curves(archive, stem, FACEGOOD_LATE_S, FACEGOOD_FPS, rows)
        return {
            gesture: np.clip(sum(w * curves[:, names.index(name)] for name, w in mix.items()), 0, 1)
            for gesture, mix in SLIDERS.items()
        }
