"""A process that watches the live preview as several browsers do, and stamps what arrives.

Like `receiver` it is a process of its own, on the same host clock. `python -m
bridge.bench.watchers ADDRESS CLIENTS` prints "ready" when all have a frame, watches until its
standard input is closed, and prints what arrived as one .npy array.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from bridge.clock.host import host_now

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_FRAMES = 1_000_000
"""Frames kept of all clients: half an hour of eight at 60 fps."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """What clients saw, in the order of arrival: client, tick number, host times at which the tick
    thread gave the frame away and at which it arrived, each [frames]."""

    clients: Floats
    ticks: Floats
    left_s: Floats
    arrived_s: Floats

    def of(self, client: int) -> Sightings:
        """Return what one client saw."""
        own = self.clients == client
        return Sightings(
            *(each[own] for each in (self.clients, self.ticks, self.left_s, self.arrived_s))
        )


class WatcherProcess:
    """The watchers as a context; `stop` ends them and returns what they saw."""

    def __init__(self, address: str, clients: int) -> None:
        self._command = [sys.executable, "-m", "bridge.bench.watchers", address, str(clients)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._output().readline().strip() != b"ready":
            raise RuntimeError("the watchers did not start; their message is above")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> Sightings:
        """End them; return what they saw."""
        output, _ = self._process.communicate()
        return Sightings(*np.load(BytesIO(output)))

    def _output(self) -> BinaryIO:
        output = self._process.stdout
        if output is None:
            raise RuntimeError("the watchers' output is not a pipe")
        return output  # type: ignore[return-value]


async def watch(address: str, clients: int, over: asyncio.Event) -> Floats:
    """Return client, tick, leaving and arrival of every frame until `over`, [4, frames]."""
    from websockets.asyncio.client import connect

    from bridge.preview.hub import HEADER

    rows: list[tuple[float, float, float, float]] = []
    waiting = set(range(clients))

    async def one(client: int) -> None:
        async with connect(f"ws://{address}/live", compression=None) as socket:
            async for frame in socket:
                arrived_s = host_now()
                if isinstance(frame, bytes) and len(rows) < MAX_FRAMES:
                    _, _, _, tick, left_s = HEADER.unpack_from(frame)
                    rows.append((client, tick, left_s, arrived_s))
                    if waiting:
                        waiting.discard(client)
                        if not waiting:
                            print("ready", flush=True)

    watching = [asyncio.create_task(one(client)) for client in range(clients)]
    await over.wait()
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


async def _main(address: str, clients: int) -> Floats:
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, daemon=True).start()
    return await watch(address, clients, over)


if __name__ == "__main__":
    np.save(sys.stdout.buffer, asyncio.run(_main(sys.argv[1], int(sys.argv[2]))))
