"""Audio preprocessing of one subject: blocks of any rate in, hops at 16 kHz out.

Gain, DC block, resampler, level meter and noise gate, in this order. `audio.voice_gate` is the
gate that only voices open.

The DC block is the common one-pole form (J. O. Smith, Introduction to Digital Filters, "DC
Blocker"): y[n] = x[n] - x[n-1] + R y[n-1].

The resampler is a polyphase windowed-sinc filter (Crochiere and Rabiner, Multirate Digital Signal
Processing, 1983, chapter 4) with a Kaiser window. Output sample n is the sound at n / 16000 s
minus `delay_s`, so that as much comes out as goes in, block by block.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.audio.levels import amplitude, decibels, peak_db, rms_db
from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES, GateConfig, Hop
from cstalk_bridge.audio.voice_gate import GatedHop, VoiceGate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.audio.source import Block


DC_CUTOFF_HZ: Final = 5.0
"""Where it falls by 3 dB: a deep voice, 80 Hz, loses 0.02 dB."""

DC_BLOCK_SAMPLES: Final = 128
"""Samples whose recursion is one product of matrices."""


class DcBlock:
    """A stream of float32 samples at `rate_hz` without their constant part, without delay.

    It begins as if the first sample had been there for ever, so that an offset makes no step. What
    comes out depends on the samples alone, not on how the stream is cut.
    """

    def __init__(self, rate_hz: float) -> None:
        pole = math.exp(-2.0 * math.pi * DC_CUTOFF_HZ / rate_hz)
        ages = np.arange(DC_BLOCK_SAMPLES)[:, None] - np.arange(DC_BLOCK_SAMPLES)
        self._responses = np.where(ages >= 0, pole ** np.maximum(ages, 0), 0.0)
        self._decay = pole ** np.arange(1, DC_BLOCK_SAMPLES + 1)
        self._last_in: float | None = None
        self._last_out = 0.0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next samples, [time], all finite, without what is constant in them."""
        if not len(samples):
            return samples
        before = float(samples[0]) if self._last_in is None else self._last_in
        self._last_in = float(samples[-1])
        steps = np.diff(np.asarray(samples, dtype=np.float64), prepend=before)
        passed = np.empty(len(steps))
        whole = len(steps) // DC_BLOCK_SAMPLES * DC_BLOCK_SAMPLES
        answers = steps[:whole].reshape(-1, DC_BLOCK_SAMPLES) @ self._responses.T
        for place, answer in zip(range(0, whole, DC_BLOCK_SAMPLES), answers, strict=True):
            passed[place : place + DC_BLOCK_SAMPLES] = answer + self._decay * self._last_out
            self._last_out = float(passed[place + DC_BLOCK_SAMPLES - 1])
        rest = len(steps) - whole
        if rest:
            answer = self._responses[:rest, :rest] @ steps[whole:]
            passed[whole:] = answer + self._decay[:rest] * self._last_out
            self._last_out = float(passed[-1])
        return passed.astype(np.float32)


GATE_ATTACK_S = 0.002
"""Length of the fade-in: no click, and no consonant lost."""

GATE_RELEASE_S = 0.010
"""Length of the fade-out."""


class NoiseGate:
    """A gate with hysteresis and hold, without delay.

    It opens within the block whose level reaches `open_db` and closes in the block which ends
    `hold_ms` without one that reached `close_db`. Open, it passes samples unchanged; closed, it
    returns zeros; between the two the gain moves linearly. Disabled, it is open. Any thread may set
    `config`, which counts from the next block on.
    """

    def __init__(self, config: GateConfig, rate_hz: int) -> None:
        self.config = config
        self._rate_hz = rate_hz
        self.is_open = not config.enabled
        """Whether the last block passed."""
        self._gain = float(self.is_open)
        self._quiet = 0
        """Samples since the last block that reached `close_db`."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next samples, [frames], after the gate."""
        config = self.config
        if not len(samples):
            return samples
        if config.enabled:
            self._decide(config, rms_db(samples), len(samples))
        else:
            self.is_open, self._quiet = True, 0
        target = float(self.is_open)
        if self._gain == target:
            return samples if self.is_open else np.zeros_like(samples)
        fade_s = GATE_ATTACK_S if self.is_open else GATE_RELEASE_S
        step = (target - self._gain) / abs(target - self._gain) / (fade_s * self._rate_hz)
        gains = np.clip(self._gain + step * np.arange(1, len(samples) + 1), 0.0, 1.0)
        self._gain = float(gains[-1])
        return np.asarray(samples * gains, dtype=np.float32)

    def _decide(self, config: GateConfig, level_db: float, frames: int) -> None:
        if level_db >= config.open_db or (self.is_open and level_db >= config.close_db):
            self.is_open = True
            self._quiet = 0
        elif self.is_open:
            self._quiet += frames
            self.is_open = self._quiet < round(config.hold_ms * 1e-3 * self._rate_hz)


MIN_RATE_HZ = 8000
MAX_RATE_HZ = 384_000

FILTER_DELAY_S = 0.002
"""Half the filter's length: 4 ms of taps fall 80 dB within 1.25 kHz."""

KAISER_BETA = 7.86
"""Side lobes at -80 dB (Kaiser's formula 0.1102 (A - 8.7))."""

RESAMPLER_CUTOFF = 0.925
"""Middle of the fall, as a part of the lower Nyquist frequency: 7.4 kHz, at 8 kHz all is gone."""

MAX_PHASES = 640
"""Filter phases kept. Every rate in use needs no more (11025 Hz: 640) and is exact; at any other
the place of a sample is rounded to 1/640 of an input sample: noise 70 dB below the sound."""


class Resampler:
    """A stream of float32 samples at `rate_hz` (8000..384000) to 16 kHz.

    At 16 kHz samples pass unchanged and without delay. ValueError for a rate out of range.
    """

    def __init__(self, rate_hz: int) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise ValueError(f"rate {rate_hz} Hz is not within {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz")
        step = Fraction(rate_hz, HOP_RATE_HZ)
        self._step, self._parts = step.numerator, step.denominator
        self._phases = min(self._parts, MAX_PHASES)
        self._table = _phase_table(rate_hz, self._phases)
        self.delay_s = 0.0 if rate_hz == HOP_RATE_HZ else FILTER_DELAY_S
        """How far the output stays behind the input."""
        self.reset()

    def reset(self) -> None:
        """Forget all input so far."""
        self._history = np.zeros(self._table.shape[1] - 1, dtype=np.float32)
        self._position = 0
        """Where the next output lies after the start of the next block, in parts of a sample."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples, [frames], and return all output they complete, [n]."""
        if not self.delay_s:
            return samples
        if not len(samples):
            return samples[:0]
        padded = np.concatenate([self._history, samples], dtype=np.float32)
        self._history = padded[len(samples) :]
        span = len(samples) * self._parts
        count = max(0, -((self._position - span) // self._step))
        places = self._position + self._step * np.arange(count)
        self._position += self._step * count - span
        shape = (len(samples), self._table.shape[1])
        windows = np.ndarray(shape, np.float32, buffer=padded, strides=2 * padded.strides)
        starts, parts = np.divmod(places, self._parts)
        if self._parts == 1:
            return np.asarray(windows[starts] @ self._table[0], dtype=np.float32)
        rows = (parts * self._phases + self._parts // 2) // self._parts
        return np.asarray(np.einsum("nk,nk->n", windows[starts], self._table[rows]))


def _phase_table(rate_hz: int, phases: int) -> NDArray[np.float32]:
    """Return the filter of every phase, [phases + 1, taps], oldest tap first, each with sum 1.

    Row p is applied to the window that ends with the newest input sample at or before the output's
    place; the output lies p / phases of a sample after that one.
    """
    taps = int(2 * FILTER_DELAY_S * rate_hz) + 1
    age = np.arange(taps - 1, -1, -1) + np.arange(phases + 1)[:, None] / phases
    distance_s = age / rate_hz - FILTER_DELAY_S
    cutoff_hz = RESAMPLER_CUTOFF * min(rate_hz, HOP_RATE_HZ) / 2
    inside = np.clip(1.0 - (distance_s / FILTER_DELAY_S) ** 2, 0.0, 1.0)
    window = np.where(np.abs(distance_s) <= FILTER_DELAY_S, np.i0(KAISER_BETA * np.sqrt(inside)), 0)
    table = np.sinc(2.0 * cutoff_hz * distance_s) * window
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float32)


class Mute:
    """Makes blocks silent while `is_muted`, which any thread may set.

    The block in which that changes is faded, so that nothing clicks. Blocks are as many as before,
    so faces and packets go on.
    """

    def __init__(self) -> None:
        self.is_muted = False
        self._was_muted = False

    def apply(self, block: Block) -> Block:
        """Return the next block, silenced while muted."""
        before, after = self._was_muted, self.is_muted
        self._was_muted = after
        if not before and not after:
            return block
        frames = len(block.samples)
        gains = np.linspace(float(not before), float(not after), frames, dtype=np.float32)
        return replace(block, samples=block.samples * gains)


MAX_HOPS = 100
"""Hops kept for a late reader: two seconds, more than a face depends on; then the oldest is
dropped."""


class Preprocessor:
    """Gain, DC block, 16 kHz, level meter and gate, in this order, then cut into hops.

    Blocks have the rate `rate_hz`, 8000..384000; ValueError otherwise. What is beyond full
    scale after the gain is clipped, NaN becomes 0. The k-th sample of the stream is the sound at
    k / 16000 s minus `delay_s`.
    """

    def __init__(
        self, rate_hz: int, *, gain_db: float = 0.0, gate: GateConfig | None = None
    ) -> None:
        self._factor = np.float32(amplitude(gain_db))
        self._resampler = Resampler(rate_hz)
        self._dc_block = DcBlock(rate_hz)
        self._gate = NoiseGate(gate or GateConfig(), HOP_RATE_HZ)
        self._voice_gate: VoiceGate | None = None
        self._open_voice_gate()
        self._gathered = np.zeros(HOP_SAMPLES, dtype=np.float32)
        self._filled = 0
        self._captured_s = 0.0
        self._power = 0.0
        self._peak_db = decibels(0.0)
        self._count = 0
        self._hops: deque[Hop] = deque(maxlen=MAX_HOPS)
        self.dropped_hops = 0
        """Hops that were not taken in time; their numbers are missing."""

    @property
    def gain_db(self) -> float:
        """The gain, which counts from the next block on."""
        return decibels(float(self._factor))

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._factor = np.float32(amplitude(gain_db))

    @property
    def gate(self) -> GateConfig:
        """The settings of the gate, which count from the next block on."""
        return self._gate.config

    @gate.setter
    def gate(self, gate: GateConfig) -> None:
        self._gate.config = gate
        self._open_voice_gate()

    def _open_voice_gate(self) -> None:
        """Open the gate of voices when it is first wanted, not on the thread that pushes."""
        config = self._gate.config
        if config.enabled and config.voice and self._voice_gate is None:
            self._voice_gate = VoiceGate()

    @property
    def _is_voice_gated(self) -> bool:
        config = self._gate.config
        return config.enabled and config.voice and self._voice_gate is not None

    @property
    def delay_s(self) -> float:
        """How far the stream stays behind the blocks: at most 2 ms, none at 16 kHz."""
        return self._resampler.delay_s

    def push(self, block: Block) -> None:
        """Take the next block."""
        passed = self._dc_block.push(self._amplified(block.samples))
        samples = self._resampler.push(np.minimum(np.maximum(passed, -1.0), 1.0))
        passed = samples if self._is_voice_gated else self._gate.push(samples)
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
        """Return the samples after the gain, within full scale; NaN becomes silence."""
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
        level_db = decibels((self._power / HOP_SAMPLES) ** 0.5)
        gated, is_open = GatedHop(self._gathered), self._gate.is_open
        if self._is_voice_gated and self._voice_gate is not None:
            gated = self._voice_gate.push(self._gathered, level_db, self._gate.config)
            is_open = self._voice_gate.is_open
        sounds = (*gated.held_back, gated.samples)
        for place, samples in enumerate(sounds, 1 - len(sounds)):
            if len(self._hops) == MAX_HOPS:
                self.dropped_hops += 1
            hop = Hop(
                samples=samples,
                index=self._count + place,
                arrived_s=arrived_s,
                captured_s=self._captured_s + place * HOP_S,
                level_db=level_db,
                peak_db=self._peak_db,
                gate_open=is_open,
                is_repeated=place < 0,
            )
            self._hops.append(hop)
        self._gathered = np.zeros(HOP_SAMPLES, dtype=np.float32)
        self._filled = 0
        self._power = 0.0
        self._peak_db = decibels(0.0)
        self._count += 1
