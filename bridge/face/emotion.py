"""A subject's emotion over time: a mix, eased into the next, and how much of it speech leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from bridge.face.felt import Shares
from models.emotions import MOUTH_GUARD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.face.felt import Felt

V = TypeVar("V", float, "NDArray[np.float32]")

TRANSITION_MS = 400
"""Time over which a changed emotion is eased in where nothing else is said: as fast as a face
changes by itself, and slow enough that no frame jumps."""

MAX_TRANSITION_MS = 60_000

AS_CHOSEN = Shares()


def ease(share: float) -> float:
    """Return the smoothstep 3x^2 - 2x^3 of `share` held to 0..1: it starts and ends at rest."""
    x = min(max(share, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


@dataclass(frozen=True, slots=True)
class Fade(Generic[V]):
    """One value going over to another, as an emotion from one mix to the next.

    A mix is float32 [emotions], a weight 0 to `MAX_WEIGHT` each; all zero is neutral. The fade
    begins at `start_s` on the host clock and takes `over_s` seconds; 0 is a cut. Each number goes
    one way only, never back and never beyond its end: `ease` rises, and so do the product with a
    constant and the sum with one, rounded or not.
    """

    start: V
    end: V
    start_s: float
    over_s: float

    def at(self, now_s: float) -> V:
        """Return the value at host time `now_s`."""
        if now_s >= self.start_s + self.over_s:
            return self.end
        if now_s <= self.start_s:  # as another thread's clock may say, also of a cut
            return self.start
        share = ease((now_s - self.start_s) / self.over_s)
        return _held(self.start + (self.end - self.start) * share, self.start, self.end)

    def turn(self, end: V, now_s: float, over_s: float) -> Fade[V]:
        """Return the fade that leaves from where this one is now."""
        return Fade(start=self.at(now_s), end=end, start_s=now_s, over_s=over_s)


def _held(value: V, start: V, end: V) -> V:
    """Return a value that rounding put beyond its ends, at the nearer one."""
    if isinstance(value, float):
        return min(max(value, min(start, end)), max(start, end))
    return np.clip(value, np.minimum(start, end), np.maximum(start, end))


class EmotionState:
    """What a subject feels now.

    `weights` is float32 [emotions], 0 to `MAX_WEIGHT` each; all zero is neutral. `mouth_guard`,
    0..1, is the share of the emotion's mouth which full speech pushes aside; `transition_s` is how
    long a change takes where nothing else is said. `felt` is what the voice seems to feel, None
    where nobody listens; `shares` say how far that counts. One thread at a time may change it,
    while any others read it; `felt` is the generator thread's.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        *,
        mouth_guard: float = MOUTH_GUARD,
        transition_s: float = 1e-3 * TRANSITION_MS,
        shares: Shares = AS_CHOSEN,
    ) -> None:
        self.transition_s = transition_s
        self.felt: Felt | None = None
        self._fade = Fade(weights, weights, start_s=0.0, over_s=0.0)
        self._guard = Fade(mouth_guard, mouth_guard, start_s=0.0, over_s=0.0)
        self._auto = Fade(shares.auto, shares.auto, start_s=0.0, over_s=0.0)
        self._arousal = Fade(shares.arousal, shares.arousal, start_s=0.0, over_s=0.0)

    @property
    def shares(self) -> Shares:
        """How far the voice has a say, once it is eased in."""
        return Shares(self._auto.end, self._arousal.end)

    def change(
        self, weights: NDArray[np.float32], now_s: float, over_s: float | None = None
    ) -> None:
        """Go over to `weights` within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._fade = self._fade.turn(weights, now_s, within_s)

    def change_guard(self, mouth_guard: float, now_s: float, over_s: float | None = None) -> None:
        """Go over to another mouth guard within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._guard = self._guard.turn(mouth_guard, now_s, within_s)

    def change_shares(self, shares: Shares, now_s: float, over_s: float | None = None) -> None:
        """Let the voice have another say, within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._auto = self._auto.turn(shares.auto, now_s, within_s)
        self._arousal = self._arousal.turn(shares.arousal, now_s, within_s)

    def at(self, now_s: float) -> NDArray[np.float32]:
        """Return the mix at host time `now_s`, mood and all, float32 [emotions]."""
        felt, chosen = self.felt, self._fade.at(now_s)
        return (
            chosen
            if felt is None
            else felt.within(chosen, Shares(self._auto.at(now_s), self._arousal.at(now_s)))
        )

    def guard_at(self, now_s: float) -> float:
        """Return the mouth guard at host time `now_s`."""
        return self._guard.at(now_s)
