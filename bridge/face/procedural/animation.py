"""The procedural animation of one character, stepped once per tick, and its overlay on the
generated face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from random import Random
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as validated_dataclass

from cstalk_bridge.document import FieldError
from cstalk_bridge.face.procedural.acting import Acting
from cstalk_bridge.face.procedural.cues import CueTracker, Moment
from cstalk_bridge.face.procedural.eyes import LONGEST_BLINK_S, Blink, Eyes, Gaze
from cstalk_bridge.face.procedural.head import Brows, Head
from cstalk_bridge.face.procedural.motion import ExpressionDrift, Spring
from cstalk_bridge.face.procedural.muscles import (
    GAIN_COUNT,
    GAIN_PER_SHARE,
    SHIFT_COUNT,
    Asymmetry,
    Emphasis,
    MuscleTone,
    RestingLips,
    SmallMotion,
    gained_channels,
    shifted_channels,
)
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS, MOUTH_REGIONS, UPPER_FACE_REGIONS
from cstalk_bridge.rig.curves import BOARD_MAXIMUM, BOARD_MINIMUM, Frame, Showing
from cstalk_bridge.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.cues import Cues


MOUTH = np.array([channel.region in MOUTH_REGIONS for channel in CHANNELS])
UPPER = np.array(
    [channel.region in UPPER_FACE_REGIONS and not channel.rest for channel in CHANNELS]
)
"""Masks of the channels of these regions, bool [174]; without eyeballs, and without channels that
rest above 0, whose value is not a strength."""


def max_level(name: str) -> float:
    """Return the highest level of a part."""
    return setting(f"alive.{name}").bounds[1]


@validated_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Levels:
    """The strength of each part: 0 is off, 1 the default, 2 twice as much. ValueError beyond."""

    gaze: float = setting("alive.gaze").field()
    head: float = setting("alive.head").field()
    blink: float = setting("alive.blink").field()
    brows: float = setting("alive.brows").field()
    idle: float = setting("alive.idle").field()
    mouth: float = setting("alive.mouth").field()
    upper_face: float = setting("alive.upper_face").field()
    symmetry: float = setting("alive.symmetry").field()
    acting: float = setting("alive.acting").field()
    emphasis: float = setting("alive.emphasis").field()
    asymmetry: float = setting("alive.asymmetry").field()
    resting_lips: float = setting("alive.resting_lips").field()

    @property
    def liveliness(self) -> float:
        """The largest level of procedural motion, at most 1; 0 if all of it is off."""
        motion = (self.gaze, self.head, self.blink, self.brows, self.idle)
        return min(1.0, max(*motion, self.acting, self.emphasis))


LEVEL_NAMES = tuple(field.name for field in fields(Levels))
"""Names of the levels, in order."""


def read_levels(text: str) -> dict[str, str]:
    """Parse `gaze:0.5, head:0`, as on the command line, to values by name.

    FieldError for text of another form and unknown names. `Levels` checks the numbers, and has the
    defaults of the others.
    """
    levels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, level = (piece.strip() for piece in part.partition(":"))
        if not colon or name not in LEVEL_NAMES or name in levels:
            fault = f"{name} is given twice" if name in levels else f"{part!r} is not a level"
            raise FieldError(fault, f"write NAME:LEVEL, with {', '.join(LEVEL_NAMES)}")
        levels[name] = level
    return levels


DEFAULT_LEVELS = Levels()
"""All procedural motion as in people."""
NO_ANIMATION_LEVELS = Levels(
    gaze=0.0, head=0.0, blink=0.0, brows=0.0, idle=0.0,
    acting=0.0, emphasis=0.0, asymmetry=0.0, resting_lips=0.0,
)  # fmt: skip
"""The generated face without procedural motion."""


_MIRROR = np.array([CHANNEL_INDEX[channel.mirror] for channel in CHANNELS], dtype=np.intp)
_MIRROR_SIGN = np.array([channel.mirror_sign for channel in CHANNELS], dtype=np.float32)


def apply_levels(board: NDArray[np.float32], levels: Levels) -> NDArray[np.float32]:
    """Return generated boards at these levels, float32 [..., 174], each value in its range.

    Returns `board` itself if the levels change nothing.
    """
    if levels.mouth == 1.0 and levels.upper_face == 1.0 and levels.symmetry == 0.0:
        return board
    scaled = board.copy()
    if levels.symmetry > 0.0:
        mirrored = _MIRROR_SIGN * board[..., _MIRROR]
        scaled += np.float32(0.5 * levels.symmetry) * (mirrored - board)
    scaled[..., MOUTH] *= np.float32(levels.mouth)
    scaled[..., UPPER] *= np.float32(levels.upper_face)
    return np.clip(scaled, BOARD_MINIMUM, BOARD_MAXIMUM, out=scaled)


TRAVEL_DEG, TRAVEL_UP_DEG = 40.0, 30.0
"""Eye rotation at full deflection of the controls: sideways and down, and up (Epic's rig)."""
LID_PER_DEG = 0.016
"""Movement of the upper lids with eye pitch: 0.9 per radian, the median of phone takes."""
LID_RAISE_LIMIT, LID_LOWER_LIMIT = -0.12, 0.45
BROW_SHARES = {"brow_raiseIn.ty": 0.7, "brow_raiseOut.ty": 1.0}
BLINK_SQUINT = 0.08
"""Squint of the inner corner while the lid is closed."""


def sides(*names: str) -> NDArray[np.intp]:
    """Return the board indices of channels of both sides, left ones first."""
    return indices(f"CTRL_{side}_{name}" for side in "LR" for name in names)


def indices(names: Iterable[str]) -> NDArray[np.intp]:
    """Return the board indices of channels by their full names."""
    return np.array([CHANNEL_INDEX[name] for name in names], dtype=np.intp)


_BLINK = sides("eye_blink.ty")
MOTION_VALUES = 5 + GAIN_COUNT + SHIFT_COUNT + 1
"""Length of `ProceduralMotion.values`."""

_GAINS = slice(4, 5 + GAIN_COUNT)
_SHIFTS = slice(5 + GAIN_COUNT, 5 + GAIN_COUNT + SHIFT_COUNT)
MOST_PARTED = {"jaw.ty": 0.1, "mouth_upperLipRaise.ty": 0.3, "mouth_lowerLipDepress.ty": 0.13}
"""What parts the lips of an expression at rest, and how far; speech opens them further."""

_NONE, _ALL = np.float32(0.0), np.float32(1.0)
_HIGHEST_LID, _LOWEST_LID = np.float32(LID_RAISE_LIMIT), np.float32(LID_LOWER_LIMIT)


@dataclass(frozen=True, slots=True, eq=False)
class ProceduralMotion:
    """The procedural motion of one tick.

    `eyes_deg` is the rotation of the eyes in the head in degrees: yaw to the character's left,
    pitch up. `closure`, 0..1, is the share of the lid opening that a blink closes; `brow_raise`,
    0..1, lifts the brows for an accent; `expression_drift` is added to the strength 1 of the upper
    face. `head` is float32 [6] in `HEAD_AXES` order. `gaze_deg` is the direction of gaze, head and
    eyes together, and `is_mutual` whether that is at the partner. `gains` and `shifts` scale and
    move groups of channels (`muscles`); `lip_closing`, 0..1, is the share by which the lips that an
    emotion parts (`MOST_PARTED`) are closed.
    """

    eyes_deg: tuple[float, float]
    closure: float
    brow_raise: float
    expression_drift: float
    head: NDArray[np.float32]
    gaze_deg: tuple[float, float]
    is_mutual: bool
    gains: NDArray[np.float64] = field(default_factory=lambda: np.zeros(GAIN_COUNT))
    shifts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(SHIFT_COUNT))
    lip_closing: float = 0.0

    @property
    def values(self) -> NDArray[np.float32]:
        """The values that `overlay` adds to a board, float32 [values]: see there."""
        values = np.empty(MOTION_VALUES, dtype=np.float32)
        values[:5] = (*self.eyes_deg, self.closure, self.brow_raise, self.expression_drift)
        values[5 : 5 + GAIN_COUNT] = self.gains
        values[_SHIFTS] = self.shifts
        values[-1] = self.lip_closing
        return values

    def apply_to(self, board: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a board with this motion overlaid, float32 [174], each value in its range."""
        return overlay(board, self.values)


def overlay(board: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boards, float32 [..., 174], with motion overlaid, each value in its range.

    `values` is float32 [..., MOTION_VALUES]: eye yaw and pitch in degrees, closure, brow raise,
    expression drift, gains, shifts and lip closing, as in `ProceduralMotion`; those left out at the
    end are 0.
    """
    values = _filled(values)
    pitch_deg, closure = values[..., 1:2], values[..., 2:3]
    lids = np.clip(np.float32(-LID_PER_DEG) * pitch_deg, _HIGHEST_LID, _LOWEST_LID)
    halves = np.maximum(pitch_deg, _NONE), np.minimum(pitch_deg, _NONE)
    scales = values[..., _GAINS] @ _SCALED
    parted = np.minimum(np.maximum(board, _NONE), _PARTED)
    held = board * (_ALL + scales) - values[..., -1:] * parted
    moved = (values[..., :4], *halves, lids, values[..., _SHIFTS])
    composed = held + np.concatenate(moved, axis=-1) @ _ADDED
    open_ = composed[..., _BLINK]
    composed[..., _BLINK] = open_ + closure * (_ALL - open_)
    return np.minimum(
        np.maximum(composed, BOARD_MINIMUM, out=composed), BOARD_MAXIMUM, out=composed
    )


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values of full length."""
    missing = MOTION_VALUES - values.shape[-1]
    if not missing:
        return values
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])


def eye_angles_deg(board: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return eye yaw and pitch in the head in degrees, [..., 2], of boards, [..., 174]."""
    yaw, pitch = (board[..., sides(f"eye.{axis}")].mean(axis=-1) for axis in ("tx", "ty"))
    up_deg, down_deg = np.float32(TRAVEL_UP_DEG), np.float32(TRAVEL_DEG)
    return np.stack((yaw * down_deg, pitch * np.where(pitch > 0.0, up_deg, down_deg)), axis=-1)


def _added() -> NDArray[np.float32]:
    """Return what each input of `overlay` adds to the board, [7 + shifts, 174]: the first four
    values, the upward and the downward half of the pitch, the lids, and the shifts.
    """
    added = np.zeros((7, len(CHANNELS)), dtype=np.float32)
    added[0, sides("eye.tx")] = 1.0 / TRAVEL_DEG
    added[2, sides("eye_squintInner.ty")] = BLINK_SQUINT
    for name, share in BROW_SHARES.items():
        added[3, sides(name)] = share
    added[4, sides("eye.ty")] = 1.0 / TRAVEL_UP_DEG
    added[5, sides("eye.ty")] = 1.0 / TRAVEL_DEG
    added[6, _BLINK] = 1.0
    return np.concatenate((added, shifted_channels()))


_ADDED = _added()


def _drifting_channels() -> NDArray[np.float32]:
    """Return 1 for each channel with expression drift, [174]: the upper face without the lids."""
    drifting = UPPER.astype(np.float32)
    drifting[_BLINK] = 0.0
    return drifting


def _parted() -> NDArray[np.float32]:
    """Return how far each channel parts the lips of an expression at rest, [174]."""
    parted = np.zeros(len(CHANNELS), dtype=np.float32)
    for channel in CHANNELS:
        parted[channel.index] = MOST_PARTED.get(channel.name.split("_", 2)[2], 0.0)
    return parted


_PARTED = _parted()

_SCALED = np.concatenate((_drifting_channels()[None], gained_channels()))
"""How far the expression drift and the gains reach each channel, [1 + gains, 174]."""

ANIMATED_CHANNELS = tuple(channel.name for channel in CHANNELS if _ADDED[:, channel.index].any())
"""The channels to which procedural motion adds."""


CHEEK_SHARE, SQUINT_SHARE = 0.5, 0.3
"""How far cheeks rise and inner lids close with the lip corner of the same side; a smile without
the eyes looks posed (Ekman, Davidson and Friesen 1990)."""

_CORNERS = sides("mouth_cornerPull.ty")
_CHEEKS = sides("eye_cheekRaise.ty")
_SQUINTS = sides("eye_squintInner.ty")

COUPLED_CHANNELS = tuple(
    f"CTRL_{side}_eye_{part}.ty" for side in "LR" for part in ("cheekRaise", "squintInner")
)
"""The channels that follow others."""


def couple_expression(
    board: NDArray[np.float32], strength: float | NDArray[np.float32] = 1.0
) -> NDArray[np.float32]:
    """Return boards whose cheeks and inner lids follow a smile, float32 [..., 174].

    They are raised to their share of the smile if they are below it. `strength`, 0..2, scales that
    share: one number for all boards, or [..., 1].
    """
    joined = board.copy()
    corners = np.maximum(board[..., _CORNERS], np.float32(0.0))
    smile = np.minimum(np.asarray(strength, np.float32) * corners, np.float32(1.0))
    for eyes, share in ((_CHEEKS, CHEEK_SHARE), (_SQUINTS, SQUINT_SHARE)):
        joined[..., eyes] = np.maximum(board[..., eyes], np.float32(share) * smile)
    return joined


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One character at a tick, before its parts are composed."""

    board: NDArray[np.float32]
    """The generated face, float32 [174]."""
    motion: ProceduralMotion
    levels: Levels
    """The levels in effect."""
    showing: Showing = Showing.LIVE
    """Which generated frame the board shows."""


def compose_poses(poses: Sequence[Pose]) -> NDArray[np.float32]:
    """Return the composed faces of several characters, float32 [characters, 174], in one batch."""
    boards = np.stack([apply_levels(pose.board, pose.levels) for pose in poses])
    strengths = np.array([[_coupling(pose.levels)] for pose in poses], dtype=np.float32)
    values = np.stack([pose.motion.values for pose in poses])
    return overlay(couple_expression(boards, strengths), values)


def prepare_boards(board: NDArray[np.float32], levels: Levels) -> NDArray[np.float32]:
    """Return generated boards, float32 [..., 174], with levels and expression coupling applied."""
    return couple_expression(apply_levels(board, levels), _coupling(levels))


def _coupling(levels: Levels) -> float:
    return levels.upper_face * levels.liveliness


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
    """Gaze, blinks, head, brows, acting and idle motion of one character.

    The same `seed`, cues and times give the same motion. Any thread may set `levels`; one thread
    calls `step`, once per tick. Its memory does not grow. All blinks lie between the two times of
    `blinking_s`.
    """

    def __init__(
        self,
        seed: int,
        levels: Levels | None = None,
        blinking_s: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        self.levels = levels or Levels()
        self.seed = seed
        self._first_blink_s, self._last_blink_s = blinking_s[0], blinking_s[1] - LONGEST_BLINK_S
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
        self._expression = Expression(seed)
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
        self._blink.is_held = not self._first_blink_s <= now_s <= self._last_blink_s
        closure = self._blink.step(moment, levels.blink, levels.gaze * self._eyes.shift_deg)
        brow_raise = levels.brows * self._brows.step(moment)
        yaw_deg, pitch_deg = math.degrees(head[0]), math.degrees(head[1])
        eyes_deg = self._turn_eyes(levels.gaze, yaw_deg, pitch_deg)
        gains, shifts, lip_closing = self._expression.step(moment, levels)
        return ProceduralMotion(
            eyes_deg=eyes_deg,
            closure=closure,
            brow_raise=brow_raise,
            expression_drift=self._expression_drift.step(moment.elapsed_s, levels.idle),
            head=head,
            gaze_deg=(eyes_deg[0] + yaw_deg, eyes_deg[1] + pitch_deg),
            is_mutual=look.is_mutual,
            gains=gains,
            shifts=shifts,
            lip_closing=lip_closing,
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


EXPRESSION_S = 0.04
"""Time between two steps of the slow parts of an expression, which is interpolated between them."""


class Expression:
    """Acting, emphasis, tone, small motion and asymmetry of one character.

    They are slow and take a while to compute, so they advance every `EXPRESSION_S`, each character
    at its own time, and the face follows one step behind. Lips follow each tick.
    """

    def __init__(self, seed: int) -> None:
        acting, emphasis, tone, small, sides = (
            Random(f"{seed} {part}") for part in ("acting", "emphasis", "tone", "small", "sides")
        )
        self._acting = Acting(acting)
        self._emphasis = Emphasis(emphasis)
        self._tone = MuscleTone(tone)
        self._small = SmallMotion(small)
        self._asymmetry = Asymmetry(sides)
        self._lips = RestingLips()
        self._events = Moment()
        """What has happened since the last step."""
        self._age_s = Random(f"{seed} steps").uniform(0.0, EXPRESSION_S)
        self._shown: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] = np.zeros(GAIN_COUNT + SHIFT_COUNT)
        """What is shown now, gains then shifts, and its change per second."""
        self._left_s = 0.0
        """Time until the last step is shown."""

    def step(
        self, moment: Moment, levels: Levels
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return gains, shifts and lip closing after a moment, as in `ProceduralMotion`."""
        events = self._events
        events.elapsed_s += moment.elapsed_s
        events.stressed = max(events.stressed, moment.stressed)
        events.phrase_ended = events.phrase_ended or moment.phrase_ended
        self._age_s += moment.elapsed_s
        if self._shown is None:
            self._shown = self._advance(moment, levels)
        else:
            moved_s = min(moment.elapsed_s, self._left_s)
            self._left_s -= moved_s
            self._shown = self._shown + moved_s * self._speed
        if self._age_s >= EXPRESSION_S:
            self._age_s %= EXPRESSION_S
            self._speed = (self._advance(moment, levels) - self._shown) / EXPRESSION_S
            self._left_s = EXPRESSION_S
        shown = self._shown
        closing = self._lips.step(moment, levels.resting_lips)
        return shown[:GAIN_COUNT], shown[GAIN_COUNT:], closing

    def _advance(self, moment: Moment, levels: Levels) -> NDArray[np.float64]:
        """Advance over the events since the last step; return gains and shifts."""
        events = self._events
        events.prosody, events.emotion = moment.prosody, moment.emotion
        self._acting.step(events, levels.acting)
        self._emphasis.step(events, levels.emphasis)
        self._tone.step(events.elapsed_s, levels.idle)
        self._small.step(events, levels.idle)
        shares = self._asymmetry.step(events.elapsed_s, levels.asymmetry)
        sides = np.concatenate((shares, -shares))
        both = self._emphasis.shifts + self._tone.shifts
        gains = (1.0 + self._acting.gains) * (1.0 + GAIN_PER_SHARE * sides) - 1.0
        shifts = self._acting.shifts + np.concatenate((both, both)) * (1.0 + sides)
        self._events = Moment()
        return np.concatenate((gains, shifts, self._small.shifts))
