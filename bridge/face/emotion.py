"""A subject's emotion over time: an eased fade from one mix to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def ease(share: float) -> float:
    """Return the smoothstep 3x^2 - 2x^3 of `share` held to 0..1: it starts and ends at rest."""
    x = min(max(share, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


@dataclass(frozen=True, slots=True)
class Fade:
    """An emotion going from one mix to another.

    `start` and `end` are float32 [emotions], a weight 0..1 each; all zero is neutral. The fade
    begins at `start_s` on the host clock and takes `over_s` seconds; 0 is a cut.
    """

    start: NDArray[np.float32]
    end: NDArray[np.float32]
    start_s: float
    over_s: float

    def at(self, now_s: float) -> NDArray[np.float32]:
        """Return the mix at host time `now_s`, float32 [emotions]."""
        if now_s >= self.start_s + self.over_s:
            return self.end
        return self.start + (self.end - self.start) * ease((now_s - self.start_s) / self.over_s)

    def turn(self, end: NDArray[np.float32], now_s: float, over_s: float) -> Fade:
        """Return the fade that leaves from where this one is now."""
        return Fade(start=self.at(now_s), end=end, start_s=now_s, over_s=over_s)
