"""A head on which faces are measured: rig map, blendshapes, landmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.evaluation.landmarks import find_landmarks
from bridge.heads.library import OWN_ID, chosen_head
from bridge.heads.names import SHAPES, arkit_names
from bridge.heads.parts import read_head
from bridge.rig.load import load_rigmap
from bridge.rig.tables import ARKIT_MAP
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.evaluation.geometry.measure import Geometry, geometry_of
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.heads.mesh import Head

    Floats = NDArray[np.float32]

_COLUMNS = np.array([INDEX[name] for name in AUDIO_DRIVEN])


class HeadInMm:
    """Measures faces on `head` (`models.evaluation.geometry.heads.MeasuredHead`).

    UserError where the head has no landmarks.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.name = head.name
        self.points = find_landmarks(head)
        self._rigmap = load_rigmap(ARKIT_MAP)

    @classmethod
    def open(cls, path: Path | None) -> HeadInMm:
        """Read a head's file, None for our own; UserError where it cannot be measured."""
        head = read_head(chosen_head(path))
        return cls(head if path else replace(head, name=OWN_ID))

    def scores(self, face: Floats) -> dict[str, Floats]:
        """Return the ARKit curves, by name [rows], of a face [rows, 81] in `AUDIO_DRIVEN` order."""
        board = np.zeros((len(face), len(CHANNELS)), dtype=np.float32)
        board[:, _COLUMNS] = face
        times_s = np.arange(len(face)) / ROW_RATE_HZ
        pose = np.zeros((len(face), 6), dtype=np.float32)
        curves = self._rigmap.applier().course(board, pose, times_s)[:, :SHAPES]
        return dict(zip(arkit_names(), curves.T, strict=True))

    def geometry(self, scores: Mapping[str, Floats]) -> Geometry:
        """Return the geometry under ARKit curves by name [rows]; names left out are at rest."""
        rows = len(next(iter(scores.values()))) if scores else 0
        still = np.zeros(rows, dtype=np.float32)
        values = np.stack([scores.get(name, still) for name in arkit_names()], 1)
        return geometry_of(self.points, values)
