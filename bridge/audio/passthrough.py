"""Audio passthrough: the sound of a subject on an output device, in step with its face.

A windowed sinc with a Kaiser window, tabulated at `PHASES` places between two samples and
interpolated linearly between these (J. O. Smith, Digital Audio Resampling, "Theory of Ideal
Bandlimited Interpolation"). What it leaves of a sine below 0.8 of the lower Nyquist frequency is
more than 80 dB below it.

`SoundFollower` decides what is played at a time, and `Passthrough` plays it. The sound is read
at the place in the stream whose face is shown when the device plays it, so that look-ahead,
buffer and the clocks of both devices need no care of their own: the rate of reading follows that
place.

The callback of the driver's thread reads and never waits; opening and reopening have a thread.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from cstalk_bridge.audio.devices import (
    Direction,
    close_stream,
    list_devices,
    open_output,
    select_device,
)
from cstalk_bridge.audio.levels import amplitude
from cstalk_bridge.audio.portaudio import DeviceUnavailableError, load_portaudio
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.audio.devices import AudioDevice
    from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition


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


if TYPE_CHECKING:
    PositionAt = Callable[[float], HistoryPosition | None]


if TYPE_CHECKING:
    DelayAt = Callable[[float], float]


class PassthroughConfig(BaseModel):
    """Audio passthrough of a subject to `device`, None for none.

    `delay_ms` is added to the measured delay of the face, or subtracted from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str | None = setting("passthrough.device").field(min_length=1, max_length=1024)
    delay_ms: float = setting("passthrough.delay_ms").field()
    level_db: float = setting("passthrough.level_db").field()


FOLLOWING_S: Final = 2.0
"""Time constant with which the rate of reading takes away a distance from the wanted place. A
device 200 ppm too fast is followed 0.4 ms behind."""

MAX_BEND: Final = 0.01
"""Change of the rate at most: a sixth of a semitone."""

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
        """How far the sound that is played lies behind its wanted place, median of the last."""
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
        history = position.history
        self._follow_lead(played_s, now_s, frames)
        wanted = (position.stream_s - self.extra_s - self.late_s) * history.rate_hz
        before = self._place if history is self._history else None
        if before is None:
            self._begin(history, wanted)
        elif self._is_far(wanted, history.rate_hz):
            self.jumps += 1
            self._begin(history, self._place + self.offset_s * history.rate_hz)
        step = history.rate_hz / self._rate_hz * (1.0 + self.bend)
        sound = self._read(history, self._place, step, frames)
        if before is not None and before != self._place:
            sound = _crossfaded(self._read(history, before, step, frames), sound, self._rate_hz)
        self._place += step * frames
        played = np.clip(sound * self._gains(frames), -1.0, 1.0)
        return np.asarray(played, dtype=np.float32)

    def _begin(self, history: AudioHistory, place: float) -> None:
        if history is not self._history:
            self._interpolator = Interpolator(history.rate_hz, self._rate_hz)
            self._history = history
        self._place = place
        self._distances.clear()
        self.bend = self.offset_s = 0.0

    def _is_far(self, wanted: float, rate_hz: int) -> bool:
        """Follow the wanted place by the rate; return whether it is too far away for that."""
        self._distances.append((wanted - self._place) / rate_hz)
        self.offset_s = median(self._distances)
        self.bend = min(max(self.offset_s / FOLLOWING_S, -MAX_BEND), MAX_BEND)
        return abs(self.offset_s) > JUMP_S

    def _follow_lead(self, played_s: float, now_s: float, frames: int) -> None:
        """Note how much too early the device asks for the sound that belongs to a face."""
        self._leads.append(played_s - now_s)
        if self._lead_s is None or not self._until_lead:
            self._lead_s = float(np.percentile(self._leads, LEAD_PERCENTILE))
            self._until_lead = LEAD_EVERY
        self._until_lead -= 1
        needed_s = self._lead_s + frames / self._rate_hz + BLOCK_MARGIN_S
        self.late_s = max(0.0, needed_s - self._delay_at(played_s) - self.extra_s)

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


OUTPUT_RATES_HZ: Final = (48000, 44100)
"""Rates that are tried before the device's own."""

MIN_LATENCY_S: Final = 0.020
MAX_LATENCY_S: Final = 0.100
"""Bounds of the latency requested from the driver. The more the face is behind its sound the longer
it may be, and the longer the less a device minds a busy machine."""

LATENCY_MARGIN_S: Final = 0.046
"""What is left of the face's delay: PulseAudio adds 12 ms, and the newest sound is 22 ms late."""

OUTPUT_BLOCK_S: Final = 0.010

MAX_LEAD_S: Final = 1.0
"""Longest time until a block is played that a driver is believed."""

STALL_S: Final = 3.0
"""Time without a callback after which an output device counts as lost."""

FIRST_S: Final = 6.0
"""The same before the first one: a null sink of PulseAudio that was idle takes two seconds."""

POLL_S: Final = 0.25
"""Time between two looks at the stream and at the delay that is measured."""

RETRY_S: Final = 1.0
"""Time between two attempts to open the device."""

CHANNELS: Final = 2
"""The sound goes to a stereo pair, or to the one channel of a device."""


class PassthroughState(enum.Enum):
    """Whether the sound is played."""

    OPENING = "opening"
    RUNNING = "running"
    LOST = "lost"


class Passthrough:
    """Plays the sound of a subject on a device, from `start` to `close`.

    A device that is missing, or goes, is tried again every second. `notice` gets a line for the
    user when that changes. `tick_s` returns the measured time from the presentation time of a face
    until its packet is sent, which is added to the delay.
    """

    def __init__(
        self,
        config: PassthroughConfig,
        position_at: PositionAt,
        delay_at: DelayAt,
        *,
        now: Callable[[], float],
        tick_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.device = config.device or ""
        """The device as the user wrote it, and by its full name once it was found."""
        self.state = PassthroughState.OPENING
        self.fault = ""
        """Why the device is not open; empty while it is."""
        self.device_underruns = 0
        """Blocks that the device missed, as far as its driver reports it."""
        self._wanted = self.device
        self._delay_ms, self._level_db = config.delay_ms, config.level_db
        self._position_at, self._delay_at = position_at, delay_at
        self._now, self._tick_s = now, tick_s
        self._follower = SoundFollower(OUTPUT_RATES_HZ[0], position_at, delay_at)
        self._stream: Any = None
        self._is_over = False
        self._called_s = 0.0
        self._counted = [0, 0]
        """Underruns and jumps of the followers before."""
        self._notice: Callable[[str], None] = lambda _text: None
        self._worker = Worker("passthrough", self._supervise, timeout_s=RETRY_S)

    @property
    def delay_ms(self) -> float:
        """The delay added to that of the face; may be set from any thread."""
        return self._delay_ms

    @delay_ms.setter
    def delay_ms(self, delay_ms: float) -> None:
        self._delay_ms = delay_ms
        self._set()

    @property
    def level_db(self) -> float:
        """The level; may be set from any thread."""
        return self._level_db

    @level_db.setter
    def level_db(self, level_db: float) -> None:
        self._level_db = level_db
        self._set()

    @property
    def total_delay_ms(self) -> float:
        """The whole delay of the sound now, behind its arrival."""
        return 1e3 * self._follower.delay_s(self._now())

    @property
    def late_ms(self) -> float:
        """How much later than wanted the sound is played; 0 where the delay suffices."""
        return 1e3 * self._follower.late_s

    @property
    def offset_ms(self) -> float:
        """How far it is behind its place at present; the rate of reading takes it away."""
        return 1e3 * self._follower.offset_s

    @property
    def underruns(self) -> int:
        """Gaps in the sound since the start, for want of sound or missed by the device."""
        return self._counted[0] + self._follower.underruns + self.device_underruns

    @property
    def jumps(self) -> int:
        """Jumps of the sound since the start."""
        return self._counted[1] + self._follower.jumps

    def start(self, notice: Callable[[str], None]) -> None:
        """Open the device in the background and play."""
        self._notice = notice
        self._worker.start()

    def close(self) -> None:
        """End; harmless when done twice."""
        self._worker.stop()
        self._close_stream()

    def _supervise(self) -> None:
        while not self._worker.wait(0.0):
            if self._stream is None:
                self._try_to_open()
            elif self._is_over or self._now() - self._called_s > STALL_S:
                self._close_stream()
                self._lose("the device is no longer available")
                self._worker.wait(RETRY_S)
                continue
            self._set()
            self._worker.wait(POLL_S if self._stream is not None else RETRY_S)

    def _set(self) -> None:
        """Let the follower have the delay and the level that are set."""
        self._follower.extra_s = 1e-3 * self._delay_ms + self._tick_s()
        self._follower.level = amplitude(self._level_db)

    def _try_to_open(self) -> None:
        try:
            devices = list_devices(Direction.OUTPUT, is_renewed=self.state is PassthroughState.LOST)
            device = select_device(devices, self._wanted, Direction.OUTPUT)
            self._open(device)
        except UserError as error:
            self._lose("; ".join(map(str, error.problems)))
            return
        self.device = device.full_name
        was_lost = self.state is PassthroughState.LOST
        self.state, self.fault = PassthroughState.RUNNING, ""
        again = " again" if was_lost else ""
        self._notice(f"the sound is played on {device.full_name}{again}")

    def _lose(self, fault: str) -> None:
        is_new = self.state is not PassthroughState.LOST
        self.state, self.fault = PassthroughState.LOST, fault
        if is_new:
            self._notice(f"the sound cannot be played on {self.device} ({fault}); retrying")

    def _open(self, device: AudioDevice) -> None:
        """Open the device at the first rate that it takes. UserError with every refusal."""
        error_type, refusals = load_portaudio().PortAudioError, []
        for rate_hz in dict.fromkeys((*OUTPUT_RATES_HZ, device.default_rate_hz)):
            self._replace_follower(rate_hz)
            spare_s = self._delay_at(self._now()) - LATENCY_MARGIN_S
            stream = None
            try:
                stream = open_output(
                    device,
                    closed=self._end,
                    samplerate=rate_hz,
                    channels=min(CHANNELS, device.channels),
                    blocksize=round(OUTPUT_BLOCK_S * rate_hz),
                    latency=min(max(spare_s, MIN_LATENCY_S), MAX_LATENCY_S),
                    callback=self._play,
                    finished_callback=self._end,
                )
                self._is_over, self._called_s = False, self._now() + FIRST_S - STALL_S
                stream.start()
            except (error_type, ValueError) as error:
                refusals.append(f"{rate_hz} Hz: {str(error).splitlines()[0]}")
                if stream is not None:
                    close_stream(stream)
            else:
                self._stream = stream
                return
        what = f"the device cannot be opened ({'; '.join(refusals)})"
        remedy = "check that it is connected and not in use by others"
        raise DeviceUnavailableError(Problem(device.name, what, remedy))

    def _replace_follower(self, rate_hz: int) -> None:
        before = self._follower
        self._counted[0] += before.underruns
        self._counted[1] += before.jumps
        self._follower = SoundFollower(rate_hz, self._position_at, self._delay_at)
        self._set()

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            close_stream(stream)

    def _end(self) -> None:
        self._is_over = True

    def _play(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """Fill a block; this runs on the driver's thread."""
        now_s = self._called_s = self._now()
        lead_s = time.outputBufferDacTime - time.currentTime
        if not 0.0 <= lead_s <= MAX_LEAD_S:
            stream = self._stream
            lead_s = MIN_LATENCY_S if stream is None else stream.latency
        if status.output_underflow:
            self.device_underruns += 1
        block[:] = self._follower.render(now_s, now_s + lead_s, frames)[:, None]
