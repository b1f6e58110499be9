"""The performer: from generated rows to the pose of one face at any tick, with fallback poses where
there are no rows.

Fallback policies define the generated face in silence, when it is late, without input and while
paused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cstalk_bridge.face.procedural.animation import Pose
from cstalk_bridge.face.procedural.motion import ease
from cstalk_bridge.face.timeline import ReadTiming, TimelineReading
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.rig.curves import Showing, neutral_board

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.animation import ProceduralAnimation
    from cstalk_bridge.face.procedural.cues import Cues
    from cstalk_bridge.face.procedural.prosody import Prosody


class Situation(Enum):
    """The situation of the generated face at a tick."""

    LIVE = "live"
    SILENCE = "silence"
    """There is a face, of a voice that is silent."""
    LATE = "late"
    """There is no recent face although there is input: inference is too slow."""
    LOST = "lost"
    """There is no face, because there is no input."""
    PAUSE = "pause"
    """The user has paused the face."""


class FallbackMode(Enum):
    """What a face does without a live one."""

    FOLLOW = "follow"
    """Shows what the generator makes, and holds the last face while it makes none."""
    HOLD = "hold"
    """Holds the last face."""
    DECAY = "decay"
    """Holds the last face for `hold_s`, then decays to neutral."""
    NEUTRAL = "neutral"
    """Decays to neutral at once."""


DECAY_S, HOLD_S, RETURN_S = 0.3, 0.25, 0.15


@dataclass(frozen=True, slots=True)
class FallbackPolicy:
    """What a face does in one situation. ValueError for negative times."""

    mode: FallbackMode
    decay_s: float = DECAY_S
    """Time constant of the decay to neutral."""
    hold_s: float = HOLD_S
    """How long a face is held before it decays."""
    return_s: float = RETURN_S
    """Duration of the return to the next face, at most as long as the face was not the live one."""

    def __post_init__(self) -> None:
        if self.decay_s <= 0.0 or self.hold_s < 0.0 or self.return_s < 0.0:
            raise ValueError(f"decay_s must be above 0 and no time negative, found {self}")

    def share(self, since_s: float) -> float:
        """Return how much of the face remains after `since_s`, 0..1."""
        if self.mode in {FallbackMode.FOLLOW, FallbackMode.HOLD}:
            return 1.0
        falling_s = since_s - (self.hold_s if self.mode is FallbackMode.DECAY else 0.0)
        return math.exp(-falling_s / self.decay_s) if falling_s > 0.0 else 1.0


FOLLOW_POLICY = FallbackPolicy(FallbackMode.FOLLOW)


@dataclass(frozen=True, slots=True)
class FallbackPolicies:
    """One policy for each situation without a live face."""

    silence: FallbackPolicy = FOLLOW_POLICY
    late: FallbackPolicy = FallbackPolicy(FallbackMode.NEUTRAL)
    lost: FallbackPolicy = FallbackPolicy(FallbackMode.DECAY)
    pause: FallbackPolicy = FallbackPolicy(FallbackMode.HOLD)

    def of(self, situation: Situation) -> FallbackPolicy:
        """Return the policy for a situation; that of a live face is to follow it."""
        match situation:
            case Situation.LIVE:
                return FOLLOW_POLICY
            case Situation.SILENCE:
                return self.silence
            case Situation.LATE:
                return self.late
            case Situation.LOST:
                return self.lost
            case Situation.PAUSE:
                return self.pause


class Fallback:
    """Follows the generated face, or falls back by the policies, without a jump between them."""

    def __init__(self, size: int, policies: FallbackPolicies | None = None) -> None:
        self.policies = policies or FallbackPolicies()
        self._shown = np.zeros(size, dtype=np.float32)
        self._held = self._shown
        self._offset = self._shown
        self._situation = Situation.LOST
        self._since_s = -math.inf
        self._away_since_s: float | None = -math.inf
        """Host time since which the face shown differs from the generated one; None while equal."""
        self._return_s = 0.0

    def step(
        self, now_s: float, situation: Situation, row: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the row to show at host time `now_s`, float32 [size].

        `row` is the generated one; None is replaced by the last one shown.
        """
        policy = self.policies.of(situation)
        is_new = situation is not self._situation
        if is_new:
            away_s = 0.0 if self._away_since_s is None else now_s - self._away_since_s
            self._return_s = min(self.policies.of(self._situation).return_s, away_s)
            self._held = self._shown
            self._situation, self._since_s = situation, now_s
        follows = policy.mode is FallbackMode.FOLLOW and row is not None
        since_s = now_s - self._since_s
        base = row if follows and row is not None else self._held
        goal = base * np.float32(policy.share(since_s))
        if is_new:
            self._offset = self._shown - goal
        left = 1.0 - ease(since_s / self._return_s) if self._return_s > 0.0 else 0.0
        self._shown = goal + np.float32(left) * self._offset if left > 0.0 else goal
        if follows and left <= 0.0:
            self._away_since_s = None
        elif self._away_since_s is None:
            self._away_since_s = now_s
        return self._shown


MAX_HOLD_MS = MAX_DECAY_MS = 60_000.0


def _read_mode(value: Any) -> Any:
    """Read `hold` as `{policy: hold}`."""
    return {"policy": value} if isinstance(value, str) else value


class FallbackPolicyConfig(BaseModel):
    """Config of a `FallbackPolicy`, with the same defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: FallbackMode
    hold_ms: float = Field(default=1e3 * HOLD_S, ge=0.0, le=MAX_HOLD_MS, allow_inf_nan=False)
    decay_ms: float = Field(default=1e3 * DECAY_S, gt=0.0, le=MAX_DECAY_MS, allow_inf_nan=False)

    @property
    def to_policy(self) -> FallbackPolicy:
        """The policy that this config describes."""
        return FallbackPolicy(self.policy, hold_s=1e-3 * self.hold_ms, decay_s=1e-3 * self.decay_ms)


def _default_policy(situation: str) -> Any:
    return Field(
        default_factory=lambda: FallbackPolicyConfig(
            policy=getattr(FallbackPolicies(), situation).mode
        )
    )


class FallbackConfig(BaseModel):
    """Config of `FallbackPolicies`: in silence, without input, and while paused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    silence: Annotated[FallbackPolicyConfig, BeforeValidator(_read_mode)] = _default_policy(
        "silence"
    )
    lost: Annotated[FallbackPolicyConfig, BeforeValidator(_read_mode)] = _default_policy("lost")
    pause: Annotated[FallbackPolicyConfig, BeforeValidator(_read_mode)] = _default_policy("pause")

    @property
    def policies(self) -> FallbackPolicies:
        """The policies that this config describes."""
        return FallbackPolicies(
            silence=self.silence.to_policy, lost=self.lost.to_policy, pause=self.pause.to_policy
        )


SILENCE_S = 0.5
"""A pause this long is silence; a shorter one separates two phrases."""

MAX_HELD_S = 0.5
"""How long a face is held while rows are late; then it goes to rest: a mouth stuck open looks worse
than a closed one."""


class Performer:
    """One subject's face on the host's clock: rows in, poses out.

    `channels` names the columns of the rows, all of them board channels; `animation` is its
    procedural animation, `policies` its fallback policies. Pure apart from its own state, and
    called by the tick thread only. `now_s` must not go backwards.
    """

    def __init__(
        self,
        channels: Sequence[str],
        animation: ProceduralAnimation,
        policies: FallbackPolicies | None = None,
    ) -> None:
        self._columns = np.array([CHANNEL_INDEX[name] for name in channels], dtype=np.intp)
        self.animation = animation
        self._fallback = Fallback(len(channels), policies)

    def change_policies(self, policies: FallbackPolicies) -> None:
        """Follow other policies from the next pose on; any thread may call this."""
        self._fallback.policies = policies

    def pose(
        self,
        reading: TimelineReading | None,
        cues: Cues,
        now_s: float,
        *,
        is_paused: bool = False,
        is_starved: bool = False,
    ) -> Pose:
        """Return the pose to show at host time `now_s`.

        `reading` is that of the timeline, None without one. `is_starved` means that audio is
        missing, so that no late row will follow. A paused face still moves its eyes and blinks.
        """
        showing = _showing(reading, now_s, is_starved=is_starved)
        row = None if reading is None or showing is Showing.RESTING else reading.values
        if is_paused:
            situation = Situation.PAUSE
        elif row is not None:
            situation = _voice_situation(cues.prosody)
        else:
            situation = Situation.LOST if is_starved or reading is None else Situation.LATE
        board = neutral_board()
        board[self._columns] = self._fallback.step(now_s, situation, row)
        motion = self.animation.step(now_s, cues)
        return Pose(board, motion, self.animation.eased_levels, showing)


def _showing(reading: TimelineReading | None, now_s: float, *, is_starved: bool) -> Showing:
    if reading is None or reading.values is None:
        return Showing.RESTING
    if reading.timing is ReadTiming.LIVE:
        return Showing.LIVE
    is_new = now_s - reading.ready_s <= MAX_HELD_S
    return Showing.HELD if is_new and not is_starved else Showing.RESTING


def _voice_situation(prosody: Prosody) -> Situation:
    return Situation.SILENCE if prosody.pause_s >= SILENCE_S else Situation.LIVE
