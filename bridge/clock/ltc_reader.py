"""From blocks of sound with linear timecode to readings of the time of day."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from bridge.clock.chase import Reading
from bridge.clock.ltc import RATE_FRAMES, LtcDecoder, LtcFrame, rate_of
from bridge.clock.stream_clock import StreamClock
from bridge.clock.timecode import Timecode, day_length_s

if TYPE_CHECKING:
    from bridge.audio.block import Block
    from bridge.clock.rate import FrameRate

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
        """The rate of the timecode, None until a second of it was heard at its proper speed."""
        self.label = ""
        """What was read last, whatever its speed; "" before anything."""
        self._offset_s = offset_s
        self._decoder = LtcDecoder(rate_hz)
        self._clock = StreamClock()
        self._heard = 0
        self._run: deque[LtcFrame] = deque(maxlen=RATE_FRAMES)

    def push(self, block: Block) -> list[Reading]:
        """Take the next block and return what the frames said that ended in it."""
        self._heard += len(block.samples)
        self._clock.observe(block.arrived_s, self._heard / self._decoder.rate_hz)
        readings = (self._reading(frame) for frame in self._decoder.push(block.samples))
        return [reading for reading in readings if reading is not None]

    def _reading(self, frame: LtcFrame) -> Reading | None:
        self.label = frame.label
        if self._run:
            last = self._run[-1]
            if abs(frame.place - last.place - last.length) > GAP_FRAMES * last.length:
                self._run.clear()
        self._run.append(frame)
        self.rate = rate_of(self._run, self._decoder.rate_hz) or self.rate
        if self.rate is None or frame.is_reverse:
            return None
        speed = self._decoder.rate_hz / self.rate.hz / frame.length
        if abs(speed - 1.0) > SPEED_TOLERANCE:
            return None
        try:
            timecode = Timecode.from_label(self.rate, frame.label)
        except ValueError:
            # A label of another rate than was heard so far.
            return None
        host_s = self._clock.host_time(frame.place / self._decoder.rate_hz)
        day_s = float(timecode.seconds) + self._offset_s
        return Reading(host_s, day_s, float(day_length_s(self.rate)))
