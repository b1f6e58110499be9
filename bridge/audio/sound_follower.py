"""The sound that is in step with a face, block by block, for an output device of any rate.

A windowed sinc with a Kaiser window, tabulated at `PHASES` places between two samples and
interpolated linearly between these (J. O. Smith, Digital Audio Resampling, "Theory of Ideal
Bandlimited Interpolation"). What it leaves of a sine below 0.8 of the lower Nyquist frequency is
more than 80 dB below it.

The sound is read at the place in the stream whose face is shown when the device plays it. That
place has two parts: the stream that arrives at that instant, which is known with the jitter of
two drivers and is followed slowly, and the delay of the face, which is known exactly and is
followed at once.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition

    PositionAt = Callable[[float], HistoryPosition | None]
    DelayAt = Callable[[float], float]


PHASES: Final = 256

HALF_TAPS: Final = 16
"""Input samples on each side of a place, where the output's rate is not the lower one."""

MAX_HALF_TAPS: Final = 128
"""The same at most, for an output of an eighth of the rate."""

KAISER_BETA: Final = 9.0
"""Side lobes at -90 dB."""

CUTOFF: Final = 0.92
"""Middle of the fall, as a part of the lower Nyquist frequency."""


class InterpolatedSound(NamedTuple):
    """Samples float32 [count], and how many of them, at the end, the stream does not yet hold."""

    samples: NDArray[np.float32]
    missing: int


class Interpolator:
    """Reads a stream of `input_hz` samples for an output at about `output_hz`."""

    def __init__(self, input_hz: float, output_hz: float) -> None:
        ratio = min(1.0, output_hz / input_hz)
        self._half = min(math.ceil(HALF_TAPS / ratio), MAX_HALF_TAPS)
        self._table = _phase_table(self._half, CUTOFF * ratio)
        self._steps = np.diff(self._table, axis=0)
        self.reach_s = self._half / input_hz
        """How much sound after a place it needs."""

    def read(
        self, history: AudioHistory, place: float, step: float, count: int
    ) -> InterpolatedSound:
        """Return the sound at `place`, `place` + `step`, ... in samples of the stream."""
        places = place + step * np.arange(count)
        whole = np.floor(places).astype(np.int64)
        first = int(whole[0]) - self._half + 1
        source = history.read(first, int(whole[-1]) + self._half + 1 - first)
        windows = np.lib.stride_tricks.sliding_window_view(source, 2 * self._half)
        phases = PHASES * (places - whole)
        rows = np.minimum(phases.astype(np.int64), PHASES - 1)
        between = (phases - rows).astype(np.float32)[:, None]
        filters = self._table[rows] + between * self._steps[rows]
        samples = np.einsum("nk,nk->n", windows[whole - whole[0]], filters)
        missing = int(np.count_nonzero(whole + self._half >= history.end))
        return InterpolatedSound(np.asarray(samples, dtype=np.float32), missing)


def _phase_table(half: int, cutoff: float) -> NDArray[np.float32]:
    """Return the filter of every phase, [PHASES + 1, 2 * half], oldest tap first, with sum 1."""
    taps = np.arange(-half + 1, half + 1)
    distance = taps - np.arange(PHASES + 1)[:, None] / PHASES
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, 1.0)
    table = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside))
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float32)


FOLLOWING_S: Final = 2.0
"""Time constant with which the rate of reading takes away a distance from the stream as it arrives.
A device 200 ppm too fast is followed 0.4 ms behind."""

NEAR_S: Final = 0.002
"""Distance beyond which it is taken away the faster the greater it is: a driver has stalled."""

MAX_BEND: Final = 0.01
"""Change of the rate at most: a sixth of a semitone. A delay that grows by 5 ms is followed in half
a second."""

JUMP_S: Final = 0.030
"""Distance beyond which the sound jumps, with a crossfade: a change of the look-ahead."""

CROSSFADE_S: Final = 0.005

OBSERVATIONS: Final = 25
"""Distances of which the median is taken, a quarter of a second: drivers report their delay with
jitter."""

BLOCK_MARGIN_S: Final = 0.012
"""What may be missing of the newest sound: a block of 10 ms that is still filling, and its way."""

LEAD_MEMORY: Final = 200
"""Callbacks over which the lead of the device is measured: two seconds."""

LEAD_PERCENTILE: Final = 80.0
"""Which of these leads counts. The longest ones are those of a machine that was busy."""

LEAD_EVERY: Final = 20
"""Callbacks from one such measurement to the next."""

SILENT_S: Final = 0.25
"""Sound that is missing for longer has ended; a shorter gap counts as an underrun."""


class SoundFollower:
    """What an output device plays, block by block, to be in step with a face.

    `position_at` returns the place in the stream whose face is shown at a host time, None without
    sound; `delay_at` how long before that time its sound arrived, in s. Free of clocks and devices.
    """

    def __init__(self, rate_hz: int, position_at: PositionAt, delay_at: DelayAt) -> None:
        self.extra_s = 0.0
        """Delay beyond that of the face, negative for less; may be set from any thread."""
        self.level = 1.0
        """Factor on the sound; may be set from any thread."""
        self.underruns = 0
        """Blocks with a gap, because the sound had not arrived yet."""
        self.jumps = 0
        """Changes of place that were too large to be followed by the rate."""
        self.offset_s = 0.0
        """How far the sound that is played lies behind its wanted place."""
        self.late_s = 0.0
        """How much later than the face it is played: the device asks for it too early."""
        self.bend = 0.0
        """Present change of the rate, as a part of it."""
        self._rate_hz = rate_hz
        self._position_at = position_at
        self._delay_at = delay_at
        self._history: AudioHistory | None = None
        self._interpolator: Interpolator | None = None
        self._place = 0.0
        self._arriving_s = 0.0
        """Stream time that arrives when the next block is played, without jitter."""
        self._distances: deque[float] = deque(maxlen=OBSERVATIONS)
        self._leads: deque[float] = deque(maxlen=LEAD_MEMORY)
        self._lead_s: float | None = None
        self._until_lead = 0
        self._level = 0.0

    def delay_s(self, host_s: float) -> float:
        """Return how long before a host time the sound arrived that is played then."""
        return self._delay_at(host_s) + self.extra_s + self.late_s

    def render(self, now_s: float, played_s: float, frames: int) -> NDArray[np.float32]:
        """Return the next block, float32 [frames], at `now_s`; it is played at `played_s`."""
        position = self._position_at(played_s)
        if position is None:
            return np.zeros(frames, dtype=np.float32)
        history, delay_s = position.history, self._delay_at(played_s)
        self._follow_lead(delay_s, played_s - now_s, frames)
        before = self._place if history is self._history else None
        if before is None:
            self._begin(history)
        drift = self._follow_arrival(position.stream_s + delay_s, is_new=before is None)
        wanted_s = self._arriving_s - delay_s - self.extra_s - self.late_s
        self.offset_s = wanted_s - self._place / history.rate_hz
        if before is None or abs(self.offset_s) > JUMP_S:
            self.jumps += before is not None
            self._place, self.offset_s = wanted_s * history.rate_hz, 0.0
        bend = drift + self.offset_s * self._rate_hz / frames
        self.bend = min(max(bend, -MAX_BEND), MAX_BEND)
        step = history.rate_hz / self._rate_hz * (1.0 + self.bend)
        sound = self._read(history, self._place, step, frames)
        if before is not None and before != self._place:
            sound = _crossfaded(self._read(history, before, step, frames), sound, self._rate_hz)
        self._place += step * frames
        self._arriving_s += frames / self._rate_hz * (1.0 + drift)
        played = np.clip(sound * self._gains(frames), -1.0, 1.0)
        return np.asarray(played, dtype=np.float32)

    def _begin(self, history: AudioHistory) -> None:
        self._interpolator = Interpolator(history.rate_hz, self._rate_hz)
        self._history = history

    def _follow_arrival(self, observed_s: float, *, is_new: bool) -> float:
        """Follow the stream time that arrives; return how much faster than the host it runs."""
        distance_s = observed_s - self._arriving_s
        self._distances.append(distance_s)
        offset_s = median(self._distances)
        if is_new or abs(offset_s) > JUMP_S:
            self._arriving_s += distance_s if is_new else offset_s
            self._distances.clear()
            return 0.0
        drift = offset_s / FOLLOWING_S * max(1.0, abs(offset_s) / NEAR_S)
        return min(max(drift, -MAX_BEND), MAX_BEND)

    def _follow_lead(self, delay_s: float, lead_s: float, frames: int) -> None:
        """Note how much too early the device asks for the sound that belongs to a face."""
        self._leads.append(lead_s)
        if self._lead_s is None or not self._until_lead:
            self._lead_s = float(np.percentile(self._leads, LEAD_PERCENTILE))
            self._until_lead = LEAD_EVERY
        self._until_lead -= 1
        needed_s = self._lead_s + frames / self._rate_hz + BLOCK_MARGIN_S
        self.late_s = max(0.0, needed_s - delay_s - self.extra_s)

    def _read(
        self, history: AudioHistory, place: float, step: float, frames: int
    ) -> NDArray[np.float32]:
        if self._interpolator is None:
            raise RuntimeError("the follower has not begun")
        samples, missing = self._interpolator.read(history, place, step, frames)
        behind_s = (place - history.end) / history.rate_hz
        if missing and behind_s < SILENT_S:
            self.underruns += 1
        return samples

    def _gains(self, frames: int) -> NDArray[np.float32]:
        """Return the factors of a block, which go to the level that is set."""
        before, self._level = self._level, self.level
        return np.linspace(before, self._level, frames, dtype=np.float32)


def _crossfaded(
    before: NDArray[np.float32], after: NDArray[np.float32], rate_hz: int
) -> NDArray[np.float32]:
    count = min(len(after), round(CROSSFADE_S * rate_hz))
    share = np.ones(len(after), dtype=np.float32)
    share[:count] = np.linspace(0.0, 1.0, count, dtype=np.float32)
    return before + share * (after - before)
