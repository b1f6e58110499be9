"""Section `preview`: several browsers watch a daemon; rate, latency, and the effect on the ticks.

`python -m cstalk_bridge.bench.preview ADDRESS CLIENTS` is the process of the clients: it prints
"ready" when all have a frame, watches until its standard input is closed, and prints what arrived
as one .npy array.
"""

from __future__ import annotations

import asyncio
import math
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.daemon_process import (
    ChildProcess,
    DaemonProcess,
    free_port,
    on_closed_input,
    read_columns,
    write_columns,
)
from cstalk_bridge.bench.packets import FPS, LATENESS_P99_MS, RATE_TOLERANCE_HZ, ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.bench.daemon_process import Measurements
    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


CLIENTS = 8
ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`): of the generator and of the preview."""

LATENCY_P99_MS = 16.7
"""A frame that is later comes when the next one is due."""


def measure_preview(config: BenchConfig) -> list[Figure | Remark]:
    """Watch for half of `config.seconds`, with a quarter before and after without clients."""
    address = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    quarter_s = config.seconds / 4
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, preview=address) as running,
    ):
        time.sleep(1.0)
        running.measured()
        time.sleep(quarter_s)
        before = running.measured()
        with PreviewClientsProcess(address, CLIENTS) as watchers:
            running.measured()
            begun_s = time.monotonic()
            time.sleep(2 * quarter_s)
            watched, watched_s = running.measured(), time.monotonic() - begun_s
            sightings = watchers.stop()
        running.measured()
        time.sleep(quarter_s)
        after = running.stop()
    return [
        *of_sightings(sightings, CLIENTS),
        *of_ticks(before, watched, after),
        *_of_processor(before, quarter_s, watched, watched_s),
    ]


def of_sightings(seen: ReceivedFrames, clients: int) -> list[Figure | Remark]:
    """Return the rate of the slowest client, what was left out, and the latency of the worst."""
    each = [seen.of(client) for client in range(clients)]
    if min(len(one.ticks) for one in each) < 3:
        return [
            Figure(
                "clients that received frames", sum(len(one.ticks) > 2 for one in each), "", clients
            )
        ]
    rates = [(len(one.ticks) - 1) / (one.arrived_s[-1] - one.arrived_s[0]) for one in each]
    steps = np.concatenate([np.diff(one.ticks) for one in each])
    worst = max((spread_of(one.arrived_s - one.left_s) for one in each), key=_p99)
    return [
        Figure("clients", clients, ""),
        Figure("frame rate of the slowest client", min(rates), "frames/s", FPS - RATE_TOLERANCE_HZ),
        Figure(
            "frame rate of the fastest client",
            max(rates),
            "frames/s",
            maximum=FPS + RATE_TOLERANCE_HZ,
        ),
        Figure("frames left out, of all clients", int(np.maximum(steps - 1, 0).sum()), ""),
        Figure("frames out of order", int((steps < 1).sum()), "", maximum=0),
        *figures_of("tick to browser, worst client", worst, p99_ms=LATENCY_P99_MS),
    ]


def of_ticks(
    before: Measurements, watched: Measurements, after: Measurements
) -> list[Figure | Remark]:
    """Return the ticks' lateness with clients, beside what it was without."""
    quiet = [phase.spreads.get("lateness") for phase in (before, after)]
    with_clients = watched.spreads.get("lateness")
    quiet_p99_ms = [1e3 * _p99(spread) for spread in quiet]
    added_ms = 1e3 * _p99(with_clients) - max(quiet_p99_ms)
    ratio = 1e3 * _p99(with_clients) / max(quiet_p99_ms)
    return [
        Figure("tick lateness before, p99", quiet_p99_ms[0], "ms"),
        *figures_of("tick lateness with clients", with_clients, p99_ms=LATENESS_P99_MS),
        Figure("tick lateness after, p99", quiet_p99_ms[1], "ms"),
        Figure("p99 added by the clients", added_ms, "ms", maximum=ADDED_P99_MS),
        Figure("p99 with clients, ratio to without", ratio, "times"),
        Figure("ticks left out", after.drops["ticks"], "ticks", maximum=0),
    ]


def _of_processor(
    before: Measurements, before_s: float, watched: Measurements, watched_s: float
) -> list[Figure | Remark]:
    alone, together = before.cpu_s / before_s, watched.cpu_s / watched_s
    return [
        Figure("one core, daemon alone", 100 * alone, "%"),
        Figure("one core, with clients", 100 * together, "%"),
        Figure("one core, for each client", 100 * (together - alone) / CLIENTS, "%"),
    ]


def _p99(spread: object) -> float:
    return float(getattr(spread, "p99_s", math.nan))


MAX_FRAMES = 1_000_000
"""Frames kept of all clients: half an hour of eight at 60 fps."""


@dataclass(frozen=True, slots=True)
class ReceivedFrames:
    """What clients saw, in the order of arrival: client, tick number, host times at which the tick
    thread gave the frame away and at which it arrived, each [frames]."""

    clients: Floats
    ticks: Floats
    left_s: Floats
    arrived_s: Floats

    def of(self, client: int) -> ReceivedFrames:
        """Return what one client saw."""
        own = self.clients == client
        return ReceivedFrames(
            *(each[own] for each in (self.clients, self.ticks, self.left_s, self.arrived_s))
        )


class PreviewClientsProcess(ChildProcess):
    """The clients as a context; `stop` ends them and returns what they received."""

    def __init__(self, address: str, clients: int) -> None:
        super().__init__("cstalk_bridge.bench.preview", address, clients)

    def __enter__(self) -> Self:
        super().__enter__()
        if self.read_line() != "ready":
            self.kill()
            raise RuntimeError("the clients did not start; their message is above")
        return self

    def stop(self) -> ReceivedFrames:
        """End them; return what they received."""
        return ReceivedFrames(*read_columns(self.close()))


async def watch(address: str, clients: int, over: asyncio.Event) -> Floats:
    """Return client, tick, leaving and arrival of every frame until `over`, [4, frames]."""
    from websockets.asyncio.client import connect

    from cstalk_bridge.preview.hub import HEADER

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


async def _watch_until_closed(address: str, clients: int) -> Floats:
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    on_closed_input(partial(loop.call_soon_threadsafe, over.set))
    return await watch(address, clients, over)


if __name__ == "__main__":
    write_columns(asyncio.run(_watch_until_closed(sys.argv[1], int(sys.argv[2]))))
