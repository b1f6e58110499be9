"""Heads on which faces are measured, as the evaluation sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from models.evaluation.recordings import MissingDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from models.evaluation.geometry.measure import Geometry

    Floats = NDArray[np.float32]


class MeasuredHead(Protocol):
    """A head with ARKit's 52 curves and the plain mapping of the face board onto them."""

    name: str

    def scores(self, face: Floats) -> dict[str, Floats]:
        """Return the ARKit curves, by name [rows], of a face [rows, 81] in `AUDIO_DRIVEN` order."""

    def geometry(self, scores: Mapping[str, Floats]) -> Geometry:
        """Return the geometry under ARKit curves by name [rows]; names left out are at rest."""


def needed(head: MeasuredHead | None) -> MeasuredHead:
    """Return the head; MissingDataError where there is none to measure on."""
    if head is None:
        raise MissingDataError(
            "faces are measured in millimetres by the program: cstalk-bridge evaluate"
        )
    return head
