"""A microphone as an audio source: it may vanish and come back.

The driver's callback copies blocks into a lock-free ring and does nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cstalk_bridge.audio.devices import (
    MICROPHONE,
    AudioDevice,
    close_stream,
    default_device,
    list_devices,
    open_input,
    select_device,
    start_stream,
)
from cstalk_bridge.audio.levels import ALL, ChannelLevels, pick_channel
from cstalk_bridge.audio.portaudio import load_portaudio, open_at_first_rate
from cstalk_bridge.audio.source import (
    BLOCK_S,
    BLOCKS_PER_S,
    HOP_RATE_HZ,
    Block,
    SourceState,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.audio.levels import Channel


RING_BLOCKS = 100
"""Blocks kept for a late reader: one second, then the oldest are lost."""

GUARD_BLOCKS = 2
"""Blocks that a reader does not touch, so that none is overwritten while it is copied."""


class StampedBlock(NamedTuple):
    """A block as the driver delivered it."""

    samples: NDArray[np.float32]
    """[frames, channels]"""
    arrived_s: float
    """Host time of the callback."""
    age_s: float
    """Time from the recording of the first sample to the callback, by the driver's clock."""


class BlockRing:
    """A ring for one writer and one reader, without locks; writing allocates no memory.

    The writer never waits: it overwrites the oldest block, and the reader counts what it missed.
    """

    def __init__(self, frames: int, channels: int) -> None:
        self._samples = np.zeros((RING_BLOCKS, frames, channels), dtype=np.float32)
        self._stamps = np.zeros((RING_BLOCKS, 2))
        self._written = 0
        self._read = 0
        self.dropped = 0
        """Blocks overwritten before they were read."""

    @property
    def written(self) -> int:
        """Blocks written since the start."""
        return self._written

    def write(self, samples: NDArray[np.float32], arrived_s: float, age_s: float) -> None:
        """Copy a block, [frames, channels]."""
        slot = self._written % RING_BLOCKS
        self._samples[slot] = samples
        self._stamps[slot, 0] = arrived_s
        self._stamps[slot, 1] = age_s
        self._written += 1

    def read(self) -> list[StampedBlock]:
        """Return copies of the blocks written since the last time, oldest first."""
        written = self._written
        first = max(self._read, written - RING_BLOCKS + GUARD_BLOCKS)
        self.dropped += first - self._read
        self._read = written
        return [
            StampedBlock(self._samples[slot].copy(), *self._stamps[slot].tolist())
            for slot in (number % RING_BLOCKS for number in range(first, written))
        ]

    def skip(self) -> None:
        """Skip what was written so far; it does not count as dropped."""
        self._read = self._written


CARD_RATES_HZ = (48000, 44100)
"""Rates of sound cards, for systems that do not convert."""

MIXED_CHANNELS = 2
"""Channels that are mixed when none is chosen: a stereo pair. Virtual devices have dozens."""


class Capture:
    """An open stream that delivers into a ring, until it is closed or dies.

    Opens `device` at `rate_hz`, or without one at the first rate it takes of 16 kHz,
    `CARD_RATES_HZ` and its own; with `is_full_band` 16 kHz is the last of them.
    DeviceUnavailableError with every refusal when it takes none. A stream that died stays dead.
    """

    def __init__(
        self,
        device: AudioDevice,
        channel: Channel,
        *,
        now: Callable[[], float],
        wake: threading.Event,
        rate_hz: int | None = None,
        is_full_band: bool = False,
    ) -> None:
        self._now = now
        self._wake = wake
        self._is_finished = False
        self._driver_drops = 0
        mixed = device.channels if channel == ALL else min(device.channels, MIXED_CHANNELS)
        channels = channel if isinstance(channel, int) else mixed
        card_rates = (*CARD_RATES_HZ, device.default_rate_hz)
        rates = (*card_rates, HOP_RATE_HZ) if is_full_band else (HOP_RATE_HZ, *card_rates)
        self._stream, self.rate_hz = open_at_first_rate(
            device.name,
            (rate_hz,) if rate_hz else rates,
            partial(self._open_at, device, channels),
            "check that it is connected, not in use by others, and that access is allowed",
        )

    @property
    def is_alive(self) -> bool:
        """Whether the stream has not ended."""
        return not self._is_finished

    @property
    def dropped_blocks(self) -> int:
        """Blocks that the ring or, as far as it reports, the driver lost."""
        return self._ring.dropped + self._driver_drops

    def read(self) -> list[StampedBlock]:
        """Return what arrived since the last time."""
        return self._ring.read()

    def skip(self) -> None:
        """Skip what arrived so far."""
        self._ring.skip()

    def close(self) -> None:
        """Close the stream; harmless when done twice."""
        close_stream(self._stream)

    def _open_at(self, device: AudioDevice, channels: int, rate_hz: int) -> tuple[Any, int]:
        """Return a running stream and its rate."""
        frames = rate_hz // BLOCKS_PER_S
        self._ring = BlockRing(frames, channels)
        stream = open_input(
            device,
            samplerate=rate_hz,
            channels=channels,
            blocksize=frames,
            callback=self._on_block,
            finished_callback=self._finish,
        )
        start_stream(stream)
        self._is_finished = False
        return stream, rate_hz

    def _on_block(self, samples: Any, _frames: int, time: Any, status: Any) -> None:
        """Copy a block and wake the reader, nothing else: this runs on the driver's thread."""
        self._ring.write(samples, self._now(), time.currentTime - time.inputBufferAdcTime)
        if status.input_overflow:
            self._driver_drops += 1
        self._wake.set()

    def _finish(self) -> None:
        self._is_finished = True
        self._wake.set()


class NoCapture:
    """In place of a capture while no device has been opened yet."""

    is_alive = False
    dropped_blocks = 0
    rate_hz = HOP_RATE_HZ
    """The rate that is tried first."""

    def read(self) -> list[StampedBlock]:
        """Return nothing."""
        return []

    def skip(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


SILENCE_S = 1.0
"""Time without a block after which a device counts as lost; drivers pause for up to half a second
and catch up."""

REOPENING_S = 1.0
"""Time between two attempts to reopen, and the time in which an attempt must deliver."""

MAX_AGE_S = 1.0
"""Greatest age of audio by the driver's clock that is believed."""


class Microphone:
    """An input device in blocks of 10 ms, mono.

    `wanted` is "mic" (the default device) or what `select_device` takes; `channel` counts from 1,
    None mixes the first two, "all" mixes all. The constructor opens the device: UserError when that
    is not possible. It tries 16 kHz first, with `is_full_band` last, then the rates of sound cards;
    reopening keeps the rate.

    It is LOST when its stream ends (unplugged, server gone) or when it delivers nothing for
    `SILENCE_S` (suspended, stalled), and RUNNING again with the next block, whether after `reopen`
    or by itself. With `may_wait` it is WAITING where no device of that name can be opened at
    first: missing, in use, without the channel. A block's `captured_s` is its arrival less its age
    by the driver's clock, which is at least a block.
    """

    is_device = True

    def __init__(
        self,
        wanted: str,
        *,
        now: Callable[[], float],
        wake: threading.Event,
        channel: Channel = None,
        is_full_band: bool = False,
        may_wait: bool = False,
    ) -> None:
        load_portaudio()
        self._wanted = wanted
        self._now = now
        self._wake = wake
        self._channel = channel
        self._is_full_band = is_full_band
        self._levels: ChannelLevels | None = None
        self._capture: Capture | NoCapture = NoCapture()
        self._device_channels = 0
        self.name = wanted
        self.fault = ""
        """Why it is absent or could not be reopened; empty while it runs."""
        self.hint = ""
        """What the user can do about it; empty while it runs."""
        try:
            self._use(self._opened(is_renewed=False))
            self.state = SourceState.RUNNING
        except UserError as error:
            if not may_wait:
                raise
            self.state = SourceState.WAITING
            self._note(error)
        self._dropped_before = 0
        self._received_s = now()
        self._tried_s = self._received_s
        self._attempt: Worker | None = None
        self._is_closed = False

    @property
    def rate_hz(self) -> int:
        """Sample rate of every block, while it is WAITING that which is tried first."""
        return self._capture.rate_hz

    @property
    def dropped_blocks(self) -> int:
        """Blocks lost because of late polling, or by the driver as far as it reports."""
        return self._dropped_before + self._capture.dropped_blocks

    @property
    def next_due_s(self) -> float | None:
        """Host time at which missing blocks will mean loss, or at which to reopen."""
        if self._is_closed:
            return None
        if self._is_reopening:
            return self._now() + REOPENING_S
        if self.state.is_absent:
            return self._tried_s + REOPENING_S
        return self._received_s + SILENCE_S

    def watch_channels(self) -> None:
        """Measure from now on whether mixing the channels loses the voice, for `mix_fault`."""
        self._levels = ChannelLevels(min(self._device_channels, MIXED_CHANNELS))

    @property
    def mix_fault(self) -> str:
        """What is wrong with the mix; empty where nothing is, or nothing is mixed."""
        if self._levels is None or self._channel is not None:
            return ""
        return self._levels.choice()[1]

    def start(self) -> None:
        """Start delivering."""
        self._capture.skip()
        self._received_s = self._now()

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that arrived; the state changes when none do for too long."""
        if self._is_closed:
            return []
        capture = self._capture
        blocks = [self._block(stamped) for stamped in capture.read()]
        if blocks:
            self._received_s = now_s
            if capture.is_alive:
                self.state, self.fault, self.hint = SourceState.RUNNING, "", ""
        if self.state is SourceState.RUNNING:
            if not capture.is_alive:
                self._lose(now_s, "the device is no longer available")
            elif now_s - self._received_s >= SILENCE_S:
                self._lose(now_s, f"the device delivered nothing for {SILENCE_S:g} s")
        return blocks

    def reopen(self) -> None:
        """Start an attempt to open the device again, in the background."""
        now_s = self._now()
        if not self.state.is_absent or self._is_reopening or self._is_closed:
            return
        if now_s - self._tried_s < REOPENING_S:
            return
        self._tried_s = now_s
        self._attempt = Worker("reopen mic", self._reopen)
        self._attempt.start()

    def close(self) -> None:
        """Close the device."""
        self._is_closed = True
        self.state = SourceState.ENDED
        if self._attempt is not None:
            self._attempt.join(REOPENING_S)
        self._capture.close()

    @property
    def _is_reopening(self) -> bool:
        return self._attempt is not None and self._attempt.is_running

    def _lose(self, now_s: float, fault: str) -> None:
        self.state, self.fault = SourceState.LOST, fault
        self._tried_s = now_s - REOPENING_S

    def _reopen(self) -> None:
        """Replace the capture as a whole; runs on a thread beside the polling one."""
        lost = self._capture
        lost.close()
        try:
            opened = self._opened(is_renewed=True)
        except UserError as error:
            self._note(error)
            return
        self._dropped_before += lost.dropped_blocks
        self._use(opened)
        if self._is_closed:
            self._capture.close()

    def _opened(self, *, is_renewed: bool) -> tuple[AudioDevice, Capture]:
        """Find the device and open it. UserError."""
        device = _find_device(self._wanted, is_renewed=is_renewed)
        if isinstance(self._channel, int) and self._channel > device.channels:
            what = f"channel {self._channel} does not exist, {device.name!r} has {device.channels}"
            remedy = f"choose a channel from 1 to {device.channels}, or none to mix"
            raise UserError(Problem(self._wanted, what, remedy))
        before = self._capture
        rate_hz = None if isinstance(before, NoCapture) else before.rate_hz
        capture = Capture(
            device,
            self._channel,
            now=self._now,
            wake=self._wake,
            rate_hz=rate_hz,
            is_full_band=self._is_full_band,
        )
        return device, capture

    def _use(self, opened: tuple[AudioDevice, Capture]) -> None:
        device, capture = opened
        self.name, self._device_channels = device.name, device.channels
        self._capture = capture

    def _note(self, error: UserError) -> None:
        """Keep why it could not be opened."""
        self.fault = "; ".join(problem.what for problem in error.problems)
        self.hint = "; ".join(problem.remedy for problem in error.problems if problem.remedy)

    def _block(self, stamped: StampedBlock) -> Block:
        age_s = stamped.age_s if BLOCK_S <= stamped.age_s <= MAX_AGE_S else BLOCK_S
        if self._levels is not None and self._channel is None:
            self._levels.add(stamped.samples)
        samples = pick_channel(stamped.samples, self._channel)
        return Block(samples, stamped.arrived_s - age_s, stamped.arrived_s)


def _find_device(wanted: str, *, is_renewed: bool) -> AudioDevice:
    devices = list_devices(is_renewed=is_renewed)
    return default_device(devices) if wanted == MICROPHONE else select_device(devices, wanted)
