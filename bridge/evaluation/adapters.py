"""The protocols that `cstalk_bridge.models.evaluation` declares, implemented by the bridge.

Those of `cstalk_bridge.models.evaluation.multimodal`: `ProceduralAnimation`, a face with its
procedural animation, and `MeasuredHead`, the rig map, blendshapes and landmarks of a head.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.evaluation.landmarks import find_landmarks
from cstalk_bridge.face.procedural.animation import ProceduralAnimation
from cstalk_bridge.face.procedural.compose import MOTION_VALUES, overlay, prepare_boards
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import ProsodyTracker
from cstalk_bridge.frame import neutral_board
from cstalk_bridge.heads.arkit import SHAPES, arkit_names
from cstalk_bridge.heads.library import OWN_ID, chosen_head
from cstalk_bridge.heads.reading import read_head
from cstalk_bridge.models.board import AUDIO_DRIVEN_COLUMNS, CHANNELS
from cstalk_bridge.models.evaluation.multimodal import MultimodalClip
from cstalk_bridge.models.metrics.geometry import Geometry, geometry_of
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head

    Floats = NDArray[np.float32]


class HeadInMm:
    """Measures faces on `head` (`cstalk_bridge.models.evaluation.multimodal.MeasuredHead`).

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
        board[:, AUDIO_DRIVEN_COLUMNS] = face
        times_s = np.arange(len(face)) / ROW_RATE_HZ
        pose = np.zeros((len(face), 6), dtype=np.float32)
        curves = self._rigmap.applier().apply_sequence(board, pose, times_s)[:, :SHAPES]
        return dict(zip(arkit_names(), curves.T, strict=True))

    def geometry(self, scores: Mapping[str, Floats]) -> Geometry:
        """Return the geometry under ARKit curves by name [rows]; names left out are at rest."""
        rows = len(next(iter(scores.values()))) if scores else 0
        still = np.zeros(rows, dtype=np.float32)
        values = np.stack([scores.get(name, still) for name in arkit_names()], 1)
        return geometry_of(self.points, values)


def animate(
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    face: NDArray[np.float32],
    seed: int,
) -> MultimodalClip:
    """Return the face of a recording with procedural animation
    (`cstalk_bridge.models.evaluation.multimodal.ProceduralAnimation`)."""
    rows = len(face)
    samples = np.zeros(rows * HOP_SAMPLES, dtype=np.float32)
    samples[: len(sound)] = sound[: len(samples)]
    tracker, animation = ProsodyTracker(), ProceduralAnimation(seed)
    numbers = np.zeros((rows, MOTION_VALUES), dtype=np.float32)
    head = np.zeros((rows, 6), dtype=np.float32)
    gaze_deg = np.zeros((rows, 2), dtype=np.float32)
    for row, prosody in enumerate(tracker.process(samples)):
        motion = animation.step(row * HOP_S, Cues(prosody, emotions[row]))
        numbers[row], head[row], gaze_deg[row] = motion.values, motion.head, motion.gaze_deg
    board = neutral_board(rows)
    board[:, AUDIO_DRIVEN_COLUMNS] = face
    return MultimodalClip(
        overlay(prepare_boards(board, animation.eased_levels), numbers), head, gaze_deg
    )
