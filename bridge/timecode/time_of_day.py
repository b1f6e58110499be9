"""The time of day with which ticks are stamped, of the system clock or of linear timecode, and its
configuration.

Each source feeds a chase from a thread of its own. It may stall or vanish; ticks never wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from cstalk_bridge.audio.devices import MICROPHONE
from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.audio.source import AudioConfig, SourceState
from cstalk_bridge.audio.stream import StreamClock
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.chase import Chase, ChaseMode, ClockReading
from cstalk_bridge.timecode.ltc import RATE_FRAMES, LtcDecoder, LtcFrame, rate_of
from cstalk_bridge.timecode.smpte import Timecode, day_length_s
from cstalk_bridge.timecode.system_clock import SystemSource
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.audio.source import Block
    from cstalk_bridge.timecode.chase import SyncStatus
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


class TimecodeConfig(BaseModel):
    """`source` "system" is the system clock, "ltc" linear timecode in the sound of `audio`.

    `mode` "chase" follows it, "jam" takes its time once, "free" only compares with it. `offset_ms`
    is added to timecode: what its sound takes to get here. Gain and gate of `audio` do nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["system", "ltc"] = setting("timecode.source").field()
    mode: ChaseMode = setting("timecode.mode").field(default=ChaseMode.FREE)
    audio: AudioConfig | None = setting("timecode.audio").field()
    offset_ms: float = setting("timecode.offset_ms").field()

    @model_validator(mode="after")
    def _has_audio(self) -> Self:
        chosen = self.audio.input if self.audio else MICROPHONE
        if self.source == "ltc" and chosen == MICROPHONE:
            raise ValueError(
                "timecode needs an input of its own, not the default microphone; "
                "name the device or file that carries it in audio.input"
            )
        return self


GAP_FRAMES = 0.5
"""Distance between two frames from which on they are not one after another."""

SPEED_TOLERANCE = 0.02
"""How far from its proper speed a frame may have been played to be the time of day."""


class LtcReader:
    """One unbroken stream of blocks at `rate_hz`.

    A reading is of the host time at which the sound arrived; `offset_s` is added to its time of
    day, as the time that the sound took until then.
    """

    def __init__(self, rate_hz: int, offset_s: float = 0.0) -> None:
        self.rate: FrameRate | None = None
        """The rate of the timecode, None until a second of it was read at its proper speed."""
        self.label = ""
        """The label that was read last, whatever its speed; "" before the first."""
        self._offset_s = offset_s
        self._decoder = LtcDecoder(rate_hz)
        self._clock = StreamClock()
        self._received = 0
        self._sequence: deque[LtcFrame] = deque(maxlen=RATE_FRAMES)

    def push(self, block: Block) -> list[ClockReading]:
        """Process the next block and return the readings of the frames that ended in it."""
        self._received += len(block.samples)
        self._clock.observe(block.arrived_s, self._received / self._decoder.rate_hz)
        readings = (self._reading(frame) for frame in self._decoder.push(block.samples))
        return [reading for reading in readings if reading is not None]

    def _reading(self, frame: LtcFrame) -> ClockReading | None:
        self.label = frame.label
        if self._sequence:
            last = self._sequence[-1]
            if abs(frame.place - last.place - last.length) > GAP_FRAMES * last.length:
                self._sequence.clear()
        self._sequence.append(frame)
        self.rate = rate_of(self._sequence, self._decoder.rate_hz) or self.rate
        if self.rate is None or frame.is_reverse:
            return None
        speed = self._decoder.rate_hz / self.rate.hz / frame.length
        if abs(speed - 1.0) > SPEED_TOLERANCE:
            return None
        try:
            timecode = Timecode.from_label(self.rate, frame.label)
        except ValueError:
            # A label of another rate than those before.
            return None
        host_s = self._clock.host_time(frame.place / self._decoder.rate_hz)
        day_s = float(timecode.seconds) + self._offset_s
        return ClockReading(host_s, day_s, float(day_length_s(self.rate)))


IDLE_S: Final = 0.2
"""Longest sleep, so that a lost device is reopened and an end is noticed."""


class LtcSource:
    """Reads linear timecode for a chase until it is closed.

    `config` names an input and one of its channels; `offset_s` is the delay of the sound until it
    gets here. UserError where it cannot be opened.
    """

    def __init__(
        self,
        config: AudioConfig,
        chase: Chase,
        *,
        offset_s: float = 0.0,
        now: Callable[[], float] = host_now,
    ) -> None:
        self._chase = chase
        self._offset_s = offset_s
        self._now = now
        self._wake = threading.Event()
        self._source, self.notice = open_source(
            config, now=now, wake=self._wake, is_voice=False, may_wait=True
        )
        self._reader = LtcReader(self._source.rate_hz, offset_s)
        self._worker = Worker("timecode", self._run)
        self._worker.start()

    @property
    def text(self) -> str:
        """Kind, rate and last label, for the user: `LTC 29.97df 10:20:30;15`."""
        reader = self._reader
        return " ".join(filter(None, ("LTC", str(reader.rate or ""), reader.label)))

    def close(self) -> None:
        """Stop reading; harmless when done twice."""
        self._worker.request_stop()
        self._wake.set()
        self._worker.join()
        self._source.close()

    def _run(self) -> None:
        self._source.start()
        state = self._source.state
        while not self._worker.is_stopping:
            due_s = self._source.next_due_s
            pause_s = IDLE_S if due_s is None else min(max(0.0, due_s - self._now()), IDLE_S)
            self._wake.wait(pause_s)
            self._wake.clear()
            blocks = self._source.poll(self._now())
            before, state = state, self._source.state
            if before.is_absent and state is SourceState.RUNNING:
                self._reader = LtcReader(self._source.rate_hz, self._offset_s)
            for block in blocks:
                for reading in self._reader.push(block):
                    self._chase.read(reading)
            if state.is_absent:
                self._source.reopen()


class TimeOfDay:
    """A source and the chase that it feeds, until it is closed."""

    def __init__(self, chase: Chase, source: SystemSource | LtcSource) -> None:
        self.chase = chase
        self.notice = source.notice if isinstance(source, LtcSource) else None
        """A line for the user about the source, as that its device is missing."""
        self._source = source

    @property
    def text(self) -> str:
        """The source of the time and its state, for the user."""
        return self._source.text

    def stamp(self, tick: Tick) -> Tick:
        """Return the tick with the frame number that counts; never waits."""
        return self.chase.stamp(tick)

    def status(self, host_s: float) -> SyncStatus:
        """Return how the time of the ticks compares with the source's."""
        return self.chase.status(host_s)

    def close(self) -> None:
        """Close the source; harmless when done twice."""
        self._source.close()


def open_time_of_day(
    config: TimecodeConfig, rate: FrameRate, *, now: Callable[[], float] = host_now
) -> TimeOfDay:
    """Open the source of a config for ticks at a rate. UserError where it cannot be opened."""
    chase = Chase(rate, config.mode)
    if config.source == "system" or config.audio is None:
        return TimeOfDay(chase, SystemSource(chase))
    return TimeOfDay(
        chase, LtcSource(config.audio, chase, offset_s=1e-3 * config.offset_ms, now=now)
    )
