"""Noise gate: what is softer than speech becomes silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.level import rms_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.spec import GateSpec

OPENING_S = 0.002
"""Length of the fade-in: no click, and no consonant lost."""

CLOSING_S = 0.010
"""Length of the fade-out."""


class NoiseGate:
    """A gate with hysteresis and hold, without delay.

    It opens within the block whose level reaches `open_db` and closes in the block which ends
    `hold_ms` without one that reached `close_db`. Open, it passes samples unchanged; closed, it
    returns zeros; between the two the gain moves linearly. Disabled, it is open.
    """

    def __init__(self, spec: GateSpec, rate_hz: int) -> None:
        self._spec = spec
        self._rate_hz = rate_hz
        self._hold = round(spec.hold_ms * 1e-3 * rate_hz)
        self.is_open = not spec.enabled
        """Whether the last block was let through."""
        self._gain = float(self.is_open)
        self._quiet = 0
        """Samples since the last block that reached `close_db`."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next samples, [frames], as they are let through."""
        if not self._spec.enabled or not len(samples):
            return samples
        self._decide(rms_db(samples), len(samples))
        target = float(self.is_open)
        if self._gain == target:
            return samples if self.is_open else np.zeros_like(samples)
        fade_s = OPENING_S if self.is_open else CLOSING_S
        step = (target - self._gain) / abs(target - self._gain) / (fade_s * self._rate_hz)
        gains = np.clip(self._gain + step * np.arange(1, len(samples) + 1), 0.0, 1.0)
        self._gain = float(gains[-1])
        return np.asarray(samples * gains, dtype=np.float32)

    def _decide(self, level_db: float, frames: int) -> None:
        if level_db >= self._spec.open_db or (self.is_open and level_db >= self._spec.close_db):
            self.is_open = True
            self._quiet = 0
        elif self.is_open:
            self._quiet += frames
            self.is_open = self._quiet < self._hold
