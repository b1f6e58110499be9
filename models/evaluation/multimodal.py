"""Multimodal clips: face, gaze and head over time, and features of them that show an emotion.

Faces are also given as action units of FACS (Ekman and Friesen), which trackers of real people
report. The protocols of what a caller supplies are declared here: a head to measure on, and a
procedural animation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN_COLUMNS, CHANNEL_INDEX
from cstalk_bridge.models.evaluation.recordings import MissingDataError
from cstalk_bridge.models.metrics.curves import FACE_DEG, SACCADE_DEG_S, SHUT_LID
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.captured_faces import ACTION_UNIT_GAINS, FULL_INTENSITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cstalk_bridge.models.metrics.geometry import Geometry

    Floats = NDArray[np.float32]


UNITS: tuple[str, ...] = tuple(ACTION_UNIT_GAINS)
"""The units' names, as OpenFace's columns without `_r`."""

_EVERY = np.stack(list(ACTION_UNIT_GAINS.values()), 1)
_TOTAL = np.abs(_EVERY).sum(1, keepdims=True)
_SHOWN = np.divide(np.sign(_EVERY), _TOTAL, out=np.zeros_like(_EVERY), where=_TOTAL > 0)
_SHOWN /= np.maximum((_EVERY != 0).sum(0), 1)


def units_of(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the units that a face [rows, 81] shows, [rows, units], 0..5.

    A unit is the mean of its sliders, each divided by the sum of all units on it at full strength.
    """
    return np.asarray(np.clip(face @ _SHOWN, 0.0, 1.0) * FULL_INTENSITY, dtype=np.float32)


WINDOW_S = 10.0
"""Length of the windows in which an emotion is recognised."""
UPPER_UNITS = tuple(
    UNITS.index(f"AU{number}") for number in ("01", "02", "04", "05", "06", "07", "09")
)
"""Positions of the units of the upper face: brows, lids, cheeks and nose."""

_LIDS = np.array([CHANNEL_INDEX[f"CTRL_{side}_eye_blink.ty"] for side in "LR"])


@dataclass(frozen=True, slots=True, eq=False)
class MultimodalClip:
    """A face with gaze and head, 50 rows a second.

    `board` is float32 [rows, 174]; `head` float32 [rows, 6]: yaw, pitch, roll in radians, then x,
    y, z in centimetres, z towards the partner; `gaze_deg` float32 [rows, 2], where the character
    looks relative to its partner: yaw to its left, pitch up.
    """

    board: NDArray[np.float32]
    head: NDArray[np.float32]
    gaze_deg: NDArray[np.float32]

    def windows(self) -> list[MultimodalClip]:
        """Return its windows of `WINDOW_S`; a shorter rest at the end is dropped."""
        size = round(WINDOW_S * ROW_RATE_HZ)
        starts = range(0, len(self.board) - size + 1, size)
        return [
            MultimodalClip(
                self.board[i : i + size], self.head[i : i + size], self.gaze_deg[i : i + size]
            )
            for i in starts
        ]

    def with_head_offset(self, rest: NDArray[np.float32]) -> MultimodalClip:
        """Return a copy whose head pose is offset by `rest`, float32 [6] as `head`."""
        return replace(self, head=self.head + rest)

    def units(self) -> NDArray[np.float32]:
        """Return the mean action units that its face shows, [units]."""
        return np.asarray(units_of(self.board[:, AUDIO_DRIVEN_COLUMNS]).mean(0))

    def nonverbal_features(self) -> NDArray[np.float32]:
        """Return its nonverbal features: those of `gaze_features`, then of `head_features`."""
        shut = self.board[:, _LIDS].mean(1)
        gaze = gaze_features(self.gaze_deg, shut, ROW_RATE_HZ)
        return np.concatenate((gaze, head_features(self.head, ROW_RATE_HZ)))


class ProceduralAnimation(Protocol):
    """Adds procedural animation to a generated face."""

    def __call__(
        self,
        sound: NDArray[np.float32],
        emotions: NDArray[np.float32],
        face: NDArray[np.float32],
        seed: int,
    ) -> MultimodalClip:
        """Return the animated face of a recording.

        `sound` is mono 16 kHz [time], `emotions` [rows, emotions], `face` [rows, 81] in the order
        of `AUDIO_DRIVEN`; the same `seed` gives the same animation.
        """


def gaze_features(
    gaze_deg: NDArray[np.float32], shut: NDArray[np.float32], rate_hz: float
) -> NDArray[np.float32]:
    """Return mean pitch, spread of yaw and of pitch, share of looks at the partner, shifts and
    blinks a minute, float32 [6].

    `gaze_deg` is [rows, 2], `shut`, 0..1, the closure of the lids [rows].
    """
    minutes = len(gaze_deg) / rate_hz / 60
    speed_deg_s = np.linalg.norm(np.diff(gaze_deg, axis=0), axis=1) * rate_hz
    return np.array(
        [
            gaze_deg[:, 1].mean(),
            gaze_deg[:, 0].std(),
            gaze_deg[:, 1].std(),
            (np.linalg.norm(gaze_deg, axis=1) < FACE_DEG).mean(),
            _rises(speed_deg_s > SACCADE_DEG_S) / minutes,
            _rises(shut > SHUT_LID) / minutes,
        ],
        dtype=np.float32,
    )


def head_features(head: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Return the head's mean pitch, absolute tilt, nearness, spread of pitch and mean speed,
    float32 [5].
    """
    speed = np.linalg.norm(np.diff(head[:, :3], axis=0), axis=1) * rate_hz
    pitch, tilt, near = head[:, 1].mean(), abs(head[:, 2].mean()), head[:, 5].mean()
    return np.array([pitch, tilt, near, head[:, 1].std(), speed.mean()], dtype=np.float32)


def _rises(states: NDArray[np.bool_]) -> int:
    return int((states[1:] & ~states[:-1]).sum())


class MeasuredHead(Protocol):
    """A head with ARKit's 52 curves and the plain mapping of the face board onto them."""

    name: str

    def scores(self, face: Floats) -> dict[str, Floats]:
        """Return the ARKit curves, by name [rows], of a face [rows, 81] in `AUDIO_DRIVEN` order."""

    def geometry(self, scores: Mapping[str, Floats]) -> Geometry:
        """Return the geometry under ARKit curves by name [rows]; names left out are at rest."""


def required_animation(animation: ProceduralAnimation | None) -> ProceduralAnimation:
    """Return the animation; MissingDataError without one."""
    if animation is None:
        raise MissingDataError("this suite needs procedural animation; use cstalk-bridge evaluate")
    return animation


def required_head(head: MeasuredHead | None) -> MeasuredHead:
    """Return the head; MissingDataError without one."""
    if head is None:
        raise MissingDataError(
            "this suite measures on a head in millimetres; use cstalk-bridge evaluate"
        )
    return head
