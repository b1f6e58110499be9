"""A head that shows a face in millimetres without any mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN, jaw, pucker, together
from cstalk_bridge.models.metrics.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Mapping

GAP_MM, TEETH_MM, WIDTH_MM = 30.0, 20.0, 50.0


class PlainHead:
    """Gap, teeth and protrusion are so many millimetres a unit of their curve."""

    name = "plain"

    def scores(self, face: np.ndarray) -> dict[str, np.ndarray]:
        assert face.shape[1] == len(AUDIO_DRIVEN)
        opened = jaw(face)
        return {
            "jawOpen": opened,
            "mouthClose": opened * together(face),
            "mouthPucker": pucker(face),
        }

    def geometry(self, scores: Mapping[str, np.ndarray]) -> Geometry:
        opened = scores["jawOpen"]
        nothing = np.zeros_like(opened)
        closed, round_ = scores.get("mouthClose", nothing), scores.get("mouthPucker", nothing)
        gaps = np.repeat((GAP_MM * np.maximum(opened - closed, 0))[:, None], 5, axis=1)
        return Geometry(
            gaps=gaps,
            teeth=(TEETH_MM * opened).astype(np.float32),
            width=(WIDTH_MM - 10 * round_).astype(np.float32),
            upper_protrusion=8 * round_,
            lower_protrusion=8 * round_,
            lip_over_teeth=(1 - GAP_MM * opened).astype(np.float32),
            tongue=nothing,
            corner_left=nothing,
            corner_right=nothing,
            brow=np.stack([10 * opened, nothing, 8 * opened, nothing], 1),
        )
