"""Live frames on their way from the tick thread to any number of clients, the newest one first.

    tick thread                            asyncio loop of the server
    link -> publish -> one slot, wake once -> pack once -> one slot per client -> its WebSocket

Nothing on the way queues: a slot holds the newest frame, and a client that is not done with the
one before loses it, counted. The tick thread copies a few numbers and wakes the loop, if anybody
watches; it waits for nobody.

A frame is one binary message, little-endian:

    offset  type       field
    0       u8         kind, 1
    1       u8         subjects
    2       u16        curves of each subject
    4       u32        tick number, modulo 2^32
    8       f64        host clock at which the tick thread gave the frame away, in seconds
    16      f32 array  values, [subjects, curves]
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.outputs.link import LinkStatus, replace_nonfinite
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.outputs.udp import Receiver
    from cstalk_bridge.timecode.tick import Tick


KIND = 1
HEADER = struct.Struct("<BBHId")
MAX_CLIENTS = 32
"""Clients at once; a stage has a few browsers, and each costs the loop a message per tick."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All subjects at one tick; `values` is float32 [subjects, curves]."""

    tick_number: int
    left_s: float
    values: NDArray[np.float32]

    def packed(self) -> bytes:
        """Return the frame's message."""
        subjects, curves = self.values.shape
        number = self.tick_number & 0xFFFFFFFF
        head = HEADER.pack(KIND, subjects, curves, number, self.left_s)
        return head + self.values.astype("<f4", copy=False).tobytes()


class Client:
    """One who watches: a slot for the newest frame, and how many were taken and lost.

    It belongs to the loop.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.dropped = 0
        self._waiting: bytes | None = None
        self._filled = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        """Put a frame into the slot, in place of one that was not taken."""
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = frame
        self._filled.set()

    async def next(self) -> bytes:
        """Wait for a frame and take it."""
        await self._filled.wait()
        self._filled.clear()
        frame, self._waiting = self._waiting, None
        if frame is None:
            raise RuntimeError("a filled slot is empty: two take from one client")
        self.taken += 1
        return frame


class Hub:
    """Frames of `subjects` with these `curves`, from one tick thread to the clients of one loop."""

    def __init__(
        self,
        subjects: Sequence[str],
        curves: Sequence[str],
        rate_hz: float,
        now: Callable[[], float] = host_now,
    ) -> None:
        self.subjects = tuple(subjects)
        self.arrangements = 1
        """How often the subjects were arranged; clients are told anew each time."""
        self.curves = tuple(curves)
        self.rate_hz = rate_hz
        self.refused = 0
        """Clients that came when `MAX_CLIENTS` were there."""
        self._now = now
        self._values = np.zeros((len(self.subjects), len(self.curves)), dtype=np.float32)
        self._newest: Snapshot | None = None
        self._delivered: Snapshot | None = None
        self._is_awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[Client] = set()
        self._taken = self._dropped = 0

    @property
    def introduction(self) -> dict[str, Any]:
        """What a client must know to read frames."""
        return {
            "subjects": [{"name": name} for name in self.subjects],
            "curves": self.curves,
            "rate_hz": self.rate_hz,
        }

    def arrange(self, subjects: Sequence[str]) -> None:
        """Show other subjects from the next tick on; only the tick thread calls this."""
        self.subjects = tuple(subjects)
        self._values = np.zeros((len(self.subjects), len(self.curves)), dtype=np.float32)
        self.arrangements += 1

    def publish(self, subject: int, values: NDArray[np.float32], tick_number: int) -> None:
        """Take the curves of one subject, float32 [curves]; only the tick thread calls this.

        The last subject of a tick completes the frame. Never waits, never raises.
        """
        self._values[subject] = values
        if subject + 1 == len(self.subjects) and self._clients:
            self._newest = Snapshot(tick_number, self._now(), self._values.copy())
            self._wake()

    @contextmanager
    def joined(self) -> Iterator[Client | None]:
        """Be a client within the context; None where `MAX_CLIENTS` are there. Only on the loop."""
        if len(self._clients) >= MAX_CLIENTS:
            self.refused += 1
            yield None
            return
        self._loop = asyncio.get_running_loop()
        client = Client()
        self._clients.add(client)
        try:
            yield client
        finally:
            self._clients.discard(client)
            self._taken += client.taken
            self._dropped += client.dropped

    @property
    def counters(self) -> dict[str, int]:
        """Clients now, frames they took and lost in all, clients refused."""
        here = list(self._clients)
        return {
            "clients": len(here),
            "taken": self._taken + sum(client.taken for client in here),
            "dropped": self._dropped + sum(client.dropped for client in here),
            "refused": self.refused,
        }

    def _wake(self) -> None:
        """Let the loop deliver, unless it is about to."""
        loop = self._loop
        if self._is_awake or loop is None:
            return
        self._is_awake = True
        try:
            loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # The server has closed its loop: nobody watches any more.
            self._is_awake = False

    def _deliver(self) -> None:
        self._is_awake = False
        newest = self._newest
        if newest is not None and newest is not self._delivered:
            self._delivered = newest
            frame = newest.packed()
            for client in self._clients:
                client.offer(frame)


class PreviewLink:
    """Frames of one subject to the clients of a hub; a `cstalk_bridge.outputs.link.Link`.

    `sent` counts frames given to the hub. A client too slow for them loses some, which the hub
    counts: that is no failure of the link.
    """

    def __init__(self, hub: Hub, subject: int) -> None:
        self.name = "preview"
        self.sent = 0
        self.failed = self.refused = 0
        self.not_finite = 0
        self.receivers: tuple[Receiver, ...] = ()
        self.place = subject
        """The place of its subject among those of the hub; for the tick thread."""
        self._hub = hub
        self._rest = np.zeros(len(hub.curves), dtype=np.float32)
        self._last_number = -1
        self._is_closed = False

    def status(self, now_s: float) -> LinkStatus:  # noqa: ARG002 - as of any link
        """Return that its frames have left: nobody answers for them here."""
        return LinkStatus(Delivery.SENT)

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Show one frame, [curves]; never waits. ValueError for another shape only."""
        if values.shape != self._rest.shape:
            raise ValueError(f"values of shape {values.shape}, not {self._rest.shape}")
        finite, replaced = replace_nonfinite(values)
        self.not_finite += replaced
        self._hub.publish(self.place, finite, tick.number)
        self.sent += 1
        self._last_number = tick.number

    def neutral(self, tick: Tick) -> None:
        """Show a face at rest."""
        self.send(self._rest, tick)

    def close(self) -> None:
        """Leave the face at rest, if any was ever shown."""
        if not self._is_closed and self._last_number >= 0:
            self._hub.publish(self.place, self._rest, self._last_number + 1)
        self._is_closed = True
