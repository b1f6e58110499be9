"""The procedural animation of one character: all its parts, one step per tick."""

from __future__ import annotations

import math
from dataclasses import fields
from random import Random
from typing import TYPE_CHECKING
from zlib import crc32

from cstalk_bridge.face.procedural.compose import (
    Levels,
    Pose,
    ProceduralMotion,
    compose_poses,
    max_level,
)
from cstalk_bridge.face.procedural.cues import CueTracker
from cstalk_bridge.face.procedural.eyes import Blink, Eyes, Gaze
from cstalk_bridge.face.procedural.head import Brows, Head
from cstalk_bridge.face.procedural.motion import ExpressionDrift, Spring
from cstalk_bridge.frame import Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.cues import Cues


LONGEST_STEP_S = 0.1
"""Longest step: after a longer gap between ticks the animation goes on where it was."""
LEVEL_HZ = 0.8
"""Natural frequency of the spring that eases a changed level: half within a third of a second."""
TAKEN_OVER = 1e-4
"""Difference below which an eased level has reached its target."""


def seed_of(name: str) -> int:
    """Return the default seed of a character, derived from its name."""
    return crc32(name.encode())


class ProceduralAnimation:
    """Gaze, blinks, head, brows and idle motion of one character.

    The same `seed`, cues and times give the same motion. Any thread may set `levels`; one thread
    calls `step`, once per tick. Its memory does not grow.
    """

    def __init__(self, seed: int, levels: Levels | None = None) -> None:
        self.levels = levels or Levels()
        streams = [
            Random(f"{seed} {part}") for part in ("gaze", "eyes", "blink", "head", "brows", "swell")
        ]
        gaze, eyes, blink, head, brows, drift = streams
        self._cue_tracker = CueTracker()
        self._gaze = Gaze(gaze)
        self._eyes = Eyes(eyes)
        self._blink = Blink(blink)
        self._head = Head(head)
        self._brows = Brows(brows)
        self._expression_drift = ExpressionDrift(drift)
        self._springs = {
            field.name: Spring(LEVEL_HZ, getattr(self.levels, field.name))
            for field in fields(Levels)
        }
        self._now_s = -math.inf
        self.eased_levels = self.levels
        """The levels in effect now, while changes are eased in."""

    def step(self, now_s: float, cues: Cues) -> ProceduralMotion:
        """Return the motion at host time `now_s`.

        A time that does not advance changes nothing; after a gap longer than `LONGEST_STEP_S` the
        animation goes on where it was.
        """
        elapsed_s = 0.0 if math.isinf(self._now_s) else max(0.0, now_s - self._now_s)
        self._now_s = max(now_s, self._now_s)
        moment = self._cue_tracker.step(cues, min(elapsed_s, LONGEST_STEP_S))
        levels = self._ease(moment.elapsed_s)
        look = self._gaze.step(moment)
        self._eyes.step(look, moment.elapsed_s, levels.idle)
        head = self._head.step(moment, look, level=levels.head, idle=levels.idle)
        closure = self._blink.step(moment, levels.blink, levels.gaze * self._eyes.shift_deg)
        brow_raise = levels.brows * self._brows.step(moment)
        yaw_deg, pitch_deg = math.degrees(head[0]), math.degrees(head[1])
        eyes_deg = self._turn_eyes(levels.gaze, yaw_deg, pitch_deg)
        return ProceduralMotion(
            eyes_deg=eyes_deg,
            closure=closure,
            brow_raise=brow_raise,
            expression_drift=self._expression_drift.step(moment.elapsed_s, levels.idle),
            head=head,
            gaze_deg=(eyes_deg[0] + yaw_deg, eyes_deg[1] + pitch_deg),
            is_mutual=look.is_mutual,
        )

    def frame(self, now_s: float, cues: Cues, board: NDArray[np.float32]) -> Frame:
        """Return the face at host time `now_s`: a generated board, float32 [174], with motion.

        Levels and expression coupling are applied to a copy of the board first. Calls `step`.
        """
        motion = self.step(now_s, cues)
        (face,) = compose_poses([Pose(board, motion, self.eased_levels)])
        return Frame(time_s=now_s, board=face, head=motion.head)

    def _ease(self, elapsed_s: float) -> Levels:
        """Return the levels eased by `elapsed_s`; `levels` itself once they are reached."""
        levels = self.levels
        if levels is self.eased_levels:
            return levels
        eased = {
            name: min(max(spring.step(getattr(levels, name), elapsed_s), 0.0), max_level(name))
            for name, spring in self._springs.items()
        }
        left = max(abs(getattr(levels, name) - value) for name, value in eased.items())
        self.eased_levels = levels if left < TAKEN_OVER else Levels(**eased)
        return self.eased_levels

    def _turn_eyes(self, level: float, yaw_deg: float, pitch_deg: float) -> tuple[float, float]:
        """Return yaw and pitch of the eyes in a turned head, in degrees.

        The eyes compensate for the head (vestibulo-ocular reflex), so that gaze stays in place
        while it nods; at gaze level 0 they do not move.
        """
        kept = min(level, 1.0)
        return (
            level * self._eyes.yaw_deg - kept * yaw_deg,
            level * self._eyes.pitch_deg - kept * pitch_deg,
        )
