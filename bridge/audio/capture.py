"""One open stream of one device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.audio.block import BLOCKS_PER_S
from bridge.audio.channel import ALL
from bridge.audio.hop import HOP_RATE_HZ
from bridge.audio.portaudio import (
    DeviceUnavailableError,
    close_input,
    load_portaudio,
    open_input,
)
from bridge.audio.ring import BlockRing
from bridge.errors import Problem

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.audio.channel import Channel
    from bridge.audio.devices import InputDevice
    from bridge.audio.ring import Stamped

CARD_RATES_HZ = (48000, 44100)
"""What sound cards do, where the system does not convert."""

MIXED_CHANNELS = 2
"""How many channels are mixed when none is chosen: a stereo pair. Virtual devices claim dozens."""


class Capture:
    """A stream that is open and delivers into a ring, until it is closed or dies.

    Opens `device` at `rate_hz`, or without one at the first rate it takes of 16 kHz,
    `CARD_RATES_HZ` and its own. DeviceUnavailableError with every refusal when it takes none. A
    stream that died stays dead.
    """

    def __init__(
        self,
        device: InputDevice,
        channel: Channel,
        *,
        now: Callable[[], float],
        wake: threading.Event,
        rate_hz: int | None = None,
    ) -> None:
        self._now = now
        self._wake = wake
        self._is_finished = False
        self._driver_drops = 0
        mixed = device.channels if channel == ALL else min(device.channels, MIXED_CHANNELS)
        channels = channel if isinstance(channel, int) else mixed
        rates = (HOP_RATE_HZ, *CARD_RATES_HZ, device.default_rate_hz)
        self._stream, self.rate_hz = self._opened(
            device, channels, dict.fromkeys((rate_hz,) if rate_hz else rates)
        )

    @property
    def is_alive(self) -> bool:
        """Whether the stream has not ended."""
        return not self._is_finished

    @property
    def dropped_blocks(self) -> int:
        """Blocks which the ring or, as far as it says, the driver lost."""
        return self._ring.dropped + self._driver_drops

    def read(self) -> list[Stamped]:
        """Return what arrived since the last time."""
        return self._ring.read()

    def skip(self) -> None:
        """Pass over what arrived so far."""
        self._ring.skip()

    def close(self) -> None:
        """Close the stream; harmless when done twice."""
        close_input(self._stream)

    def _opened(
        self, device: InputDevice, channels: int, rates_hz: dict[int, None]
    ) -> tuple[Any, int]:
        """Return a running stream and its rate."""
        error_type = load_portaudio().PortAudioError
        refusals = []
        for rate_hz in rates_hz:
            frames = rate_hz // BLOCKS_PER_S
            self._ring = BlockRing(frames, channels)
            stream = None
            try:
                stream = open_input(
                    device=device.index,
                    samplerate=rate_hz,
                    channels=channels,
                    blocksize=frames,
                    callback=self._hear,
                    finished_callback=self._finish,
                )
                stream.start()
            except (error_type, ValueError) as error:
                refusals.append(f"{rate_hz} Hz: {str(error).splitlines()[0]}")
                if stream is not None:
                    close_input(stream)
            else:
                self._is_finished = False
                return stream, rate_hz
        what = f"the device cannot be opened ({'; '.join(refusals)})"
        remedy = "check that it is connected, not in use by others, and that access is allowed"
        raise DeviceUnavailableError(Problem(device.name, what, remedy))

    def _hear(self, samples: Any, _frames: int, time: Any, status: Any) -> None:
        """Take a block from the driver's thread: copy it and wake the reader, nothing else."""
        self._ring.write(samples, self._now(), time.currentTime - time.inputBufferAdcTime)
        if status.input_overflow:
            self._driver_drops += 1
        self._wake.set()

    def _finish(self) -> None:
        self._is_finished = True
        self._wake.set()
