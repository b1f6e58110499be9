"""Audio passthrough: the sound of a subject on an output device, in step with its face.

`Passthrough` plays what a `SoundFollower` decides. The callback of the driver's thread reads and
never waits; opening and reopening have a thread.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from cstalk_bridge.audio.devices import (
    Direction,
    close_stream,
    list_devices,
    open_output,
    select_device,
    start_stream,
)
from cstalk_bridge.audio.levels import amplitude
from cstalk_bridge.audio.portaudio import open_at_first_rate
from cstalk_bridge.audio.sound_follower import SoundFollower
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.audio.devices import AudioDevice
    from cstalk_bridge.audio.sound_follower import DelayAt, PositionAt


class PassthroughConfig(BaseModel):
    """Audio passthrough of a subject to `device`, None for none.

    `delay_ms` is added to the measured delay of the face, or subtracted from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str | None = setting("passthrough.device").field(min_length=1, max_length=1024)
    delay_ms: float = setting("passthrough.delay_ms").field()
    level_db: float = setting("passthrough.level_db").field()


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
    """Whether the sound is played; the values are shown to users."""

    OPENING = "opening"
    RUNNING = "playing"
    LOST = "missing"


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
        self._stream = open_at_first_rate(
            device.name,
            (*OUTPUT_RATES_HZ, device.default_rate_hz),
            partial(self._open_at, device),
            "check that it is connected and not in use by others",
        )

    def _open_at(self, device: AudioDevice, rate_hz: int) -> Any:
        """Return a running stream."""
        self._replace_follower(rate_hz)
        spare_s = self._delay_at(self._now()) - LATENCY_MARGIN_S
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
        start_stream(stream)
        return stream

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
