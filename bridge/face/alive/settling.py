"""What becomes of the generated face when there is none: in silence, without input, in a pause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.emotion import ease

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Situation(Enum):
    """Why there is, or is not, a face to show."""

    LIVE = "live"
    SILENCE = "silence"
    """The generator gives a face, of a voice that does not speak."""
    LATE = "late"
    """The generator has given none for a while, though there is input: it does not keep up."""
    LOST = "lost"
    """The generator gives none: no input."""
    PAUSE = "pause"
    """The user halted the face."""


class Rest(Enum):
    """What a face does then."""

    FOLLOW = "follow"
    """Goes on with what the generator gives, and holds it where there is nothing."""
    HOLD = "hold"
    """Stays as it is."""
    DECAY = "decay"
    """Stays for `hold_s`, then falls to neutral."""
    NEUTRAL = "neutral"
    """Falls to neutral at once."""


DECAY_S, HOLD_S, RETURN_S = 0.3, 0.25, 0.15


@dataclass(frozen=True, slots=True)
class Policy:
    """How a face rests: it falls with the time constant `decay_s`. ValueError for negative times.

    `hold_s` is for how long a face that decays stays as it is before. `return_s` is the time in
    which it goes over to the next face that comes, at most as long as it was away from the
    generated one.
    """

    rest: Rest
    decay_s: float = DECAY_S
    hold_s: float = HOLD_S
    return_s: float = RETURN_S

    def __post_init__(self) -> None:
        if self.decay_s <= 0.0 or self.hold_s < 0.0 or self.return_s < 0.0:
            raise ValueError(f"a rest needs a decay above 0 s and no negative time, found {self}")

    def share(self, since_s: float) -> float:
        """Return how much of the face is left after `since_s`, 0..1."""
        if self.rest in {Rest.FOLLOW, Rest.HOLD}:
            return 1.0
        falling_s = since_s - (self.hold_s if self.rest is Rest.DECAY else 0.0)
        return math.exp(-falling_s / self.decay_s) if falling_s > 0.0 else 1.0


FOLLOWED = Policy(Rest.FOLLOW)


@dataclass(frozen=True, slots=True)
class Policies:
    """One policy for each situation without a live face."""

    silence: Policy = FOLLOWED
    late: Policy = Policy(Rest.NEUTRAL)
    lost: Policy = Policy(Rest.DECAY)
    pause: Policy = Policy(Rest.HOLD)

    def of(self, situation: Situation) -> Policy:
        """Return the policy for a situation; a live face is followed."""
        match situation:
            case Situation.LIVE:
                return FOLLOWED
            case Situation.SILENCE:
                return self.silence
            case Situation.LATE:
                return self.late
            case Situation.LOST:
                return self.lost
            case Situation.PAUSE:
                return self.pause


class Settling:
    """Follows the generated face, and lets it rest. No change of situation makes it jump."""

    def __init__(self, size: int, policies: Policies | None = None) -> None:
        self.policies = policies or Policies()
        self._shown = np.zeros(size, dtype=np.float32)
        self._held = self._shown
        self._offset = self._shown
        self._situation = Situation.LOST
        self._since_s = -math.inf
        self._away_since_s: float | None = -math.inf
        """Since when the face shown is not quite the generated one; None while it is."""
        self._return_s = 0.0

    def step(
        self, now_s: float, situation: Situation, row: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the row to show at host time `now_s`, float32 [size].

        `row` is the generator's, None without one; then the last one shown stands in for it.
        """
        policy = self.policies.of(situation)
        is_new = situation is not self._situation
        if is_new:
            away_s = 0.0 if self._away_since_s is None else now_s - self._away_since_s
            self._return_s = min(self.policies.of(self._situation).return_s, away_s)
            self._held = self._shown
            self._situation, self._since_s = situation, now_s
        follows = policy.rest is Rest.FOLLOW and row is not None
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
