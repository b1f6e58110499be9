"""Head motion by voice, gaze, emotion and breath, and brow accents on stressed syllables.

Angles are in degrees up to the result, with the signs of `cstalk_bridge.rig.curves.HEAD_AXES`. In
head tracks of the GRID speaker s1 (900 clips) the head rises with loudness (mean correlation
within clips 0.45, 40 ms later), moves most in pitch (sd 1 : 0.67 : 0.42 of pitch, yaw, roll), and
faster with loudness (0.54). The speaker reads commands and holds still; `SPEECH_GAIN` scales that
to conversation. The head follows the eyes 70 to 150 ms later. All motion stays below 5 Hz.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.procedural.motion import Breath, Drift, Pulse, Spring, Sway

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.cues import Moment
    from cstalk_bridge.face.procedural.eyes import Look


ACCENT_FROM = 0.62
"""Prominence from which a stressed syllable may move the brows."""
ACCENT_CHANCE = 0.6
ACCENT_PULL, ACCENT_PULL_S = 0.55, 0.16
"""Height at prominence 1 and duration of the pulse that the spring smooths."""
BROWS_HZ = 1.5
ACCENT_REST_S = 0.6
"""Least time between two accents: one on every syllable looks nervous."""


class Brows:
    """Brow accents of one character. `raised`, 0..1, is how far both brows are raised."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pull = Pulse()
        self._spring = Spring(BROWS_HZ)
        self._since_s = ACCENT_REST_S
        self.raised = 0.0

    def step(self, moment: Moment) -> float:
        """Return how far the brows are raised after the moment."""
        self._since_s += moment.elapsed_s
        if moment.stressed >= ACCENT_FROM and self._since_s >= ACCENT_REST_S:
            self._since_s = 0.0
            if self._random.random() < ACCENT_CHANCE:
                self._pull.start(ACCENT_PULL * moment.stressed, ACCENT_PULL_S)
        pull = self._pull.step(moment.elapsed_s)
        self.raised = max(0.0, self._spring.step(pull, moment.elapsed_s))
        return self.raised


SPEECH_GAIN = 5.0
PITCH_PER_LEVEL_DEG = 0.7 * SPEECH_GAIN
PITCH_PER_SEMITONE_DEG = 0.06 * SPEECH_GAIN
MELODY_LIMIT = 8.0
SINK_S = 0.6
"""Time constant with which a raised head sinks in a pause."""
VOICE_HZ, NOD_HZ, POSTURE_HZ, FOLLOW_HZ = 1.5, 1.6, 0.25, 0.8
NOD_DEG, NOD_S = -5.0, 0.12
"""Height at prominence 1 and duration of a nod's pulse; the spring makes 2.2 degrees of it."""
TURN_SHARE, ROLL_SHARE = 0.67, 0.42
"""Yaw and roll of a nod, relative to its pitch."""
SWAY_DEG = (0.36 * SPEECH_GAIN, 0.2 * SPEECH_GAIN, 0.23 * SPEECH_GAIN)
"""Standard deviation of sway at full level (yaw, pitch, roll), as tracked; in pitch without the
part that follows loudness."""
FOLLOW_DELAY_S = (0.07, 0.15)
FOLLOW_FROM_DEG, FOLLOW_SHARE = 8.0, 0.3
"""The head turns by this share of the angle beyond which a look goes."""
LISTENING_ROLL_DEG = 1.5
"""Head tilt while listening, to the side that the character prefers."""
DRIFT_DEG = (1.1, 0.8, 0.7)
"""Standard deviation of slow drift while talking: yaw, pitch, roll."""
LISTENING_DRIFT = 0.5
LIMIT_DEG = (25.0, 20.0, 15.0)
"""Limits of the head rotation, whatever the levels: yaw, pitch, roll."""
LIMIT_CM = 3.0


class Head:
    """Head motion of one character. `pose` is float32 [6] in `HEAD_AXES` order after each step."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._side = random.choice((-1.0, 1.0))
        """The preferred side of a tilt: -1 or 1."""
        self._drift = tuple(Drift(random, sd) for sd in DRIFT_DEG)
        self._sway = tuple(Sway(random, sd) for sd in SWAY_DEG)
        self._breath = Breath(random)
        self._voice = Spring(VOICE_HZ)
        self._raised = 0.0
        self._nods = tuple(Pulse() for _ in range(3))
        self._nodding = tuple(Spring(NOD_HZ) for _ in range(3))
        self._following = (Spring(FOLLOW_HZ), Spring(FOLLOW_HZ))
        self._posture = tuple(Spring(POSTURE_HZ) for _ in range(3))
        self._liveliness = Spring(POSTURE_HZ, LISTENING_DRIFT)
        self._look: Look | None = None
        self._goal = (0.0, 0.0)
        self._next_goal = (0.0, 0.0)
        self._goal_in_s = math.inf
        self.pose: NDArray[np.float32] = np.zeros(6, dtype=np.float32)

    def step(self, moment: Moment, look: Look, *, level: float, idle: float) -> NDArray[np.float32]:
        """Return the pose after the moment, float32 [6]: radians and centimetres."""
        elapsed_s = moment.elapsed_s
        motion = math.exp(moment.style.head_motion)
        turned = [
            spoken + posture
            for spoken, posture in zip(
                self._voice_motion(moment, motion), self._posture_of(moment, elapsed_s), strict=True
            )
        ]
        lively = self._liveliness.step(1.0 if moment.is_talking else LISTENING_DRIFT, elapsed_s)
        for axis, drift in enumerate(self._drift):
            turned[axis] += idle * motion * lively * drift.step(elapsed_s)
        self._follow_gaze(look, elapsed_s)
        for axis, spring in enumerate(self._following):
            turned[axis] += spring.step(self._goal[axis], elapsed_s)
        breath = idle * self._breath.step(elapsed_s)
        turned[1] += 0.3 * breath
        moved = (0.0, 0.12 * breath, self._posture[2].value + 0.06 * breath)
        self.pose = _pose(turned, moved, level)
        return self.pose

    def _voice_motion(self, moment: Moment, motion: float) -> tuple[float, float, float]:
        """Return yaw, pitch and roll due to the voice: up with loudness, down on stresses."""
        prosody = moment.prosody
        melody = min(max(prosody.melody, -MELODY_LIMIT), MELODY_LIMIT)
        raised = PITCH_PER_LEVEL_DEG * prosody.level + PITCH_PER_SEMITONE_DEG * melody
        if prosody.is_speaking:
            self._raised = raised
        else:
            self._raised *= math.exp(-moment.elapsed_s / SINK_S)
        raised = self._voice.step(motion * self._raised, moment.elapsed_s)
        if moment.stressed:
            depth = motion * NOD_DEG * moment.stressed * self._random.uniform(0.4, 1.0)
            factors = (self._symmetric(TURN_SHARE), 1.0, self._symmetric(ROLL_SHARE))
            for nod, factor in zip(self._nods, factors, strict=True):
                nod.start(depth * factor, NOD_S)
        loud = motion * prosody.level
        yaw, pitch, roll = (
            spring.step(nod.step(moment.elapsed_s), moment.elapsed_s)
            + sway.step(loud, moment.elapsed_s)
            for spring, nod, sway in zip(self._nodding, self._nods, self._sway, strict=True)
        )
        return yaw, raised + pitch, roll

    def _symmetric(self, most: float) -> float:
        return self._random.uniform(-most, most)

    def _posture_of(self, moment: Moment, elapsed_s: float) -> tuple[float, float, float]:
        """Return the posture of the emotion, eased: yaw, pitch, roll."""
        style = moment.style
        roll = style.roll_deg + (0.0 if moment.is_talking else LISTENING_ROLL_DEG)
        pitch, tilt, ahead = self._posture
        ahead.step(style.z_cm, elapsed_s)
        return (
            0.0,
            pitch.step(style.pitch_deg, elapsed_s),
            tilt.step(self._side * roll, elapsed_s),
        )

    def _follow_gaze(self, look: Look, elapsed_s: float) -> None:
        """Turn to a new gaze target after a delay; a newer target replaces a waiting one."""
        if look is not self._look:
            self._look = look
            goal = _beyond(look)
            if goal != self._next_goal:
                self._next_goal = goal
                self._goal_in_s = self._random.uniform(*FOLLOW_DELAY_S)
        self._goal_in_s -= elapsed_s
        if self._goal_in_s <= 0.0:
            self._goal = self._next_goal
            self._goal_in_s = math.inf


def _beyond(look: Look) -> tuple[float, float]:
    """Return yaw and pitch of the head for a gaze target, in degrees."""
    far_deg = math.hypot(look.yaw_deg, look.pitch_deg)
    if far_deg <= FOLLOW_FROM_DEG:
        return 0.0, 0.0
    factor = FOLLOW_SHARE * (far_deg - FOLLOW_FROM_DEG) / far_deg
    return factor * look.yaw_deg, factor * look.pitch_deg


def _pose(
    turned_deg: list[float], moved_cm: tuple[float, float, float], level: float
) -> NDArray[np.float32]:
    pose = [
        math.radians(_soft(level * angle, limit))
        for angle, limit in zip(turned_deg, LIMIT_DEG, strict=True)
    ]
    pose += [_soft(level * way, LIMIT_CM) for way in moved_cm]
    return np.array(pose, dtype=np.float32)


def _soft(value: float, limit: float) -> float:
    """Return `value` compressed smoothly to stay below `limit`; small values hardly change."""
    return limit * math.tanh(value / limit)
