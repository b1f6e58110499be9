"""A microphone, which may vanish and come back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bridge.audio.block import BLOCK_S, Block
from bridge.audio.capture import MIXED_CHANNELS, Capture
from bridge.audio.channel import picked
from bridge.audio.devices import InputDevice, default_device, list_devices, select_device
from bridge.audio.source import MICROPHONE, SourceState
from bridge.audio.survey import Levels
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.audio.channel import Channel
    from bridge.audio.ring import Stamped

SILENCE_S = 1.0
"""Time without a block after which a device counts as lost; drivers pause for up to half a second
and catch up."""

REOPENING_S = 1.0
"""Least time between two attempts to reopen, and the time an attempt is given to deliver."""

MAX_AGE_S = 1.0
"""Oldest sound a driver's clock is believed to deliver."""


class Microphone:
    """An input device in blocks of 10 ms, mono.

    `wanted` is "mic" (the default device) or what `select_device` takes; `channel` counts from 1,
    None mixes the first two, "all" mixes all. The constructor opens the device: UserError when that
    is not possible. The device is asked for 16 kHz first, then for the rates of sound cards, and on
    reopening again for the rate it had.

    It is LOST when its stream ends (unplugged, server gone) or when it delivers nothing for
    `SILENCE_S` (suspended, stalled), and RUNNING again with the next block, whether after `reopen`
    or by itself. A block's `captured_s` is its arrival less its age by the driver's clock, which is
    at least a block.
    """

    is_device = True

    def __init__(
        self,
        wanted: str,
        *,
        now: Callable[[], float],
        wake: threading.Event,
        channel: Channel = None,
    ) -> None:
        self._wanted = wanted
        self._now = now
        self._wake = wake
        self._channel = channel
        device = _meant(wanted, is_renewed=False)
        if isinstance(channel, int) and channel > device.channels:
            what = f"channel {channel} is asked for, {device.name!r} has {device.channels}"
            remedy = f"choose a channel from 1 to {device.channels}, or none to mix"
            raise UserError(Problem(wanted, what, remedy))
        self._capture = Capture(device, channel, now=now, wake=wake)
        self._levels: Levels | None = None
        self.name = device.name
        self._device_channels = device.channels
        self.rate_hz = self._capture.rate_hz
        self.state = SourceState.RUNNING
        self.fault = ""
        """Why it was lost or could not be reopened, in words; empty while it runs."""
        self._dropped_before = 0
        self._heard_s = now()
        self._tried_s = self._heard_s
        self._attempt: threading.Thread | None = None
        self._is_closed = False

    @property
    def dropped_blocks(self) -> int:
        """Blocks lost because nobody polled for a second, or by the driver as far as it says."""
        return self._dropped_before + self._capture.dropped_blocks

    @property
    def next_due_s(self) -> float | None:
        """Host time at which silence will mean loss, or at which to reopen."""
        if self._is_closed:
            return None
        if self._is_reopening:
            return self._now() + REOPENING_S
        if self.state is SourceState.LOST:
            return self._tried_s + REOPENING_S
        return self._heard_s + SILENCE_S

    def watch_channels(self) -> None:
        """Measure from now on whether mixing the channels loses the voice; `mix_fault` tells it."""
        self._levels = Levels(min(self._device_channels, MIXED_CHANNELS))

    @property
    def mix_fault(self) -> str:
        """What is wrong with the mix, in words; empty where nothing is, or nothing is mixed."""
        if self._levels is None or self._channel is not None:
            return ""
        return self._levels.choice()[1]

    def start(self) -> None:
        """Deliver from now on."""
        self._capture.skip()
        self._heard_s = self._now()

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that arrived, and notice when none do."""
        if self._is_closed:
            return []
        capture = self._capture
        blocks = [self._block(stamped) for stamped in capture.read()]
        if blocks:
            self._heard_s = now_s
            if capture.is_alive:
                self.state, self.fault = SourceState.RUNNING, ""
        if self.state is SourceState.RUNNING:
            if not capture.is_alive:
                self._lose(now_s, "the device is gone")
            elif now_s - self._heard_s >= SILENCE_S:
                self._lose(now_s, f"the device delivered nothing for {SILENCE_S:g} s")
        return blocks

    def reopen(self) -> None:
        """Start an attempt to open the device again, in the background."""
        now_s = self._now()
        if self.state is not SourceState.LOST or self._is_reopening or self._is_closed:
            return
        if now_s - self._tried_s < REOPENING_S:
            return
        self._tried_s = now_s
        self._attempt = threading.Thread(target=self._reopen, name="reopen mic", daemon=True)
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
        return self._attempt is not None and self._attempt.is_alive()

    def _lose(self, now_s: float, fault: str) -> None:
        self.state, self.fault = SourceState.LOST, fault
        self._tried_s = now_s - REOPENING_S

    def _reopen(self) -> None:
        """Replace the capture; runs beside the polling thread, which sees it swapped as a whole."""
        lost = self._capture
        lost.close()
        try:
            device = _meant(self._wanted, is_renewed=True)
            capture = Capture(
                device, self._channel, now=self._now, wake=self._wake, rate_hz=self.rate_hz
            )
        except UserError as error:
            self.fault = str(error)
            return
        self._dropped_before += lost.dropped_blocks
        self._capture, self.name = capture, device.name
        if self._is_closed:
            capture.close()

    def _block(self, stamped: Stamped) -> Block:
        age_s = stamped.age_s if BLOCK_S <= stamped.age_s <= MAX_AGE_S else BLOCK_S
        if self._levels is not None and self._channel is None:
            self._levels.add(stamped.samples)
        samples = picked(stamped.samples, self._channel)
        return Block(samples, stamped.arrived_s - age_s, stamped.arrived_s)


def _meant(wanted: str, *, is_renewed: bool) -> InputDevice:
    devices = list_devices(is_renewed=is_renewed)
    return default_device(devices) if wanted == MICROPHONE else select_device(devices, wanted)
