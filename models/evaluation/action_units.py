"""Faces as action units of FACS (Ekman and Friesen), so that they compare with tracked people.

`action_units.csv` says which sliders make a unit; of a pair of sides the mean counts. The first
slider of a unit is where it is at home. Units are on OpenFace's scale: 0 absent, 5 the strongest,
which is a board value of 1. Left out are the units that no audio-driven channel makes (AU23, lips
tightened) and blinks (AU45), which no voice tells.
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN
from models.evaluation.groups import columns_of
from models.regions import REGION_OF, region_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STRONGEST = 5.0
"""OpenFace's greatest intensity."""


def _read() -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]:
    text = resources.files("models.evaluation").joinpath("action_units.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    units = tuple(dict.fromkeys(row["unit"] for row in rows))
    made = np.zeros((len(AUDIO_DRIVEN), len(units)), dtype=np.float32)
    homes = np.zeros((len(units), len(AUDIO_DRIVEN)), dtype=np.float32)
    for row in rows:
        unit, columns, weight = (
            units.index(row["unit"]),
            columns_of(row["slider"]),
            float(row["weight"]),
        )
        made[columns, unit] += weight / len(columns)
        if not homes[unit].any():
            homes[unit, columns] = np.sign(weight)
    return units, made, homes


UNITS, _MADE, _HOMES = _read()
"""The units' names, as OpenFace's columns without `_r`."""

OBSERVED: NDArray[np.bool_] = np.abs(_HOMES).sum(0) > 0
"""The channels at which a unit is at home, [81]."""


def _region(unit: int) -> str:
    return REGION_OF[AUDIO_DRIVEN[int(np.flatnonzero(_HOMES[unit])[0])]]


UPPER: tuple[int, ...] = tuple(
    i for i in range(len(UNITS)) if _region(i) in ("brow", "eyelid_cheek")
)
"""Columns of the upper face's units, which EVE and FDD compare."""
MOUTH: tuple[int, ...] = tuple(
    i for i in range(len(UNITS)) if _region(i) in ("mouth_upper", "mouth_lower", "jaw_chin")
)
"""Columns of the mouth's units, which LVE compares."""


def units_of(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the units that a face [rows, 81] shows, [rows, units], 0..5."""
    return np.asarray(np.clip(face @ _MADE, 0.0, 1.0) * STRONGEST, dtype=np.float32)


def couplings(courses: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return how far regions move together in courses of units [time, units].

    [regions, regions] as `models.regions.region_correlation` defines it, over each unit's home
    channels; regions without a unit (the tongue) are NaN.
    """
    faces = [np.asarray(course / STRONGEST @ _HOMES, dtype=np.float32) for course in courses]
    return region_correlation(faces, OBSERVED)
