"""The ear of one subject: blocks in, hops out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.dc_block import DcBlock
from bridge.audio.gate import NoiseGate
from bridge.audio.hop import HOP_RATE_HZ, HOP_SAMPLES, Hop
from bridge.audio.level import amplitude, decibels, peak_db
from bridge.audio.resample import Resampler
from bridge.audio.spec import GateSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.block import Block

MAX_HOPS = 100
"""Hops kept for a reader who is late: two seconds, more than a face depends on; then the oldest is
dropped."""


class Listener:
    """Gain, DC block, 16 kHz, level meter and gate, in this order, then cut into hops.

    Blocks have the rate `rate_hz`, 8000..384000; ValueError otherwise. What is beyond full
    scale after the gain is clipped, NaN becomes 0. The k-th sample of the stream is the sound at
    k / 16000 s minus `delay_s`.
    """

    def __init__(self, rate_hz: int, *, gain_db: float = 0.0, gate: GateSpec | None = None) -> None:
        self._factor = np.float32(amplitude(gain_db))
        self._resampler = Resampler(rate_hz)
        self._dc_block = DcBlock(rate_hz)
        self._gate = NoiseGate(gate or GateSpec(), HOP_RATE_HZ)
        self._gathered = np.zeros(HOP_SAMPLES, dtype=np.float32)
        self._filled = 0
        self._captured_s = 0.0
        self._power = 0.0
        self._peak_db = decibels(0.0)
        self._count = 0
        self._hops: deque[Hop] = deque(maxlen=MAX_HOPS)
        self.dropped_hops = 0
        """Hops which nobody took in time; their numbers are missing."""

    @property
    def gain_db(self) -> float:
        """The gain, which counts from the next block on."""
        return decibels(float(self._factor))

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._factor = np.float32(amplitude(gain_db))

    @property
    def delay_s(self) -> float:
        """How far the stream stays behind the blocks: at most 2 ms, none at 16 kHz."""
        return self._resampler.delay_s

    def push(self, block: Block) -> None:
        """Take the next block."""
        passed = self._dc_block.push(self._amplified(block.samples))
        samples = self._resampler.push(np.minimum(np.maximum(passed, -1.0), 1.0))
        passed = self._gate.push(samples)
        start = 0
        while start < len(samples):
            end = min(len(samples), start + HOP_SAMPLES - self._filled)
            if not self._filled:
                self._captured_s = block.captured_s - self.delay_s + start / HOP_RATE_HZ
            self._gather(samples[start:end], passed[start:end])
            if self._filled == HOP_SAMPLES:
                self._finish(block.arrived_s)
            start = end

    def _amplified(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples after the gain, within full scale; what is no number is silence."""
        limit = 1.0 / self._factor
        loud: NDArray[np.float32] = np.minimum(np.maximum(samples, -limit), limit) * self._factor
        is_number = loud == loud
        return loud if is_number.all() else np.where(is_number, loud, np.float32(0.0))

    def take_hops(self) -> list[Hop]:
        """Return all hops that are complete, oldest first; they are the caller's now."""
        taken = list(self._hops)
        self._hops.clear()
        return taken

    def _gather(self, samples: NDArray[np.float32], passed: NDArray[np.float32]) -> None:
        self._gathered[self._filled : self._filled + len(passed)] = passed
        self._filled += len(passed)
        self._power += float(np.dot(samples, samples))
        self._peak_db = max(self._peak_db, peak_db(samples))

    def _finish(self, arrived_s: float) -> None:
        if len(self._hops) == MAX_HOPS:
            self.dropped_hops += 1
        hop = Hop(
            samples=self._gathered,
            index=self._count,
            arrived_s=arrived_s,
            captured_s=self._captured_s,
            level_db=decibels((self._power / HOP_SAMPLES) ** 0.5),
            peak_db=self._peak_db,
            gate_open=self._gate.is_open,
        )
        self._hops.append(hop)
        self._gathered = np.zeros(HOP_SAMPLES, dtype=np.float32)
        self._filled = 0
        self._power = 0.0
        self._peak_db = decibels(0.0)
        self._count += 1
