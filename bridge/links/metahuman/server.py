"""The device's thread: an asyncio loop on a socket that was bound before anything else."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.links.metahuman.connection import Patience
from bridge.links.metahuman.conversation import RECORDING_STATE, TAKE_ADDED
from bridge.links.metahuman.reception import Reception

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from bridge.links.metahuman.device import Device, EndedTake, Take

STOP_S = 5.0
"""Time given to the thread to begin and to end."""

ACCEPT_S = 0.05
"""Between two clients that come: whoever connects again and again costs the tick thread nothing."""


def anyone(_host: str) -> bool:
    """Let every host connect."""
    return True


class Server:
    """A thread that serves a device on a bound, listening socket, from `start` to `stop`.

    `notice` is told, from that thread, of clients that get frames and of faults. `is_allowed`
    decides by IP address who may connect. `beside` runs on the same loop, as discovery does.
    """

    def __init__(
        self,
        device: Device,
        bound: socket.socket,
        *,
        notice: Callable[[str], None],
        is_allowed: Callable[[str], bool] = anyone,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
        patience: Patience | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._device = device
        self._bound = bound
        self._beside = beside
        self._files = ThreadPoolExecutor(1, "metahuman-takes")
        self._reception = Reception(
            device,
            self._files,
            notice=notice,
            is_allowed=is_allowed,
            wall_ms=lambda: int(1000 * wall()),
            patience=patience or Patience(),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_serving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metahuman", daemon=True)

    def start(self) -> None:
        """Begin to serve, and to tell clients of takes, whoever starts them."""
        if self._device.recorder is not None:
            self._device.recorder.watch(self._take_begins, self._take_ended)
        self._thread.start()
        self._is_serving.wait(STOP_S)

    def stop(self) -> None:
        """Say goodbye to all clients, close their connections and end the thread."""
        self._call(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self._files.shutdown(wait=False, cancel_futures=True)
        self._bound.close()

    def _take_begins(self, _take: Take) -> None:
        self._call(self._reception.announce, RECORDING_STATE, {"isRecording": True})

    def _take_ended(self, take: EndedTake) -> None:
        self._call(self._reception.announce, RECORDING_STATE, {"isRecording": False})
        if take.problem is None:
            self._call(self._reception.announce, TAKE_ADDED, {"name": take.identifier})

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """Run something on the loop, if there is one."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._reception.tell_of_fault)
        working = [asyncio.ensure_future(self._accept())]
        if self._beside is not None:
            working.append(asyncio.ensure_future(self._beside()))
        self._is_serving.set()
        await self._stopping.wait()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self._reception.close()

    async def _accept(self) -> None:
        """Let clients in, one after another; the system keeps a few more waiting."""
        loop = asyncio.get_running_loop()
        self._bound.settimeout(0.0)
        clients: set[asyncio.Task[None]] = set()
        while True:
            # What goes wrong here is the client's fault, or a lack of sockets that will pass.
            with suppress(OSError):
                accepted, _ = await loop.sock_accept(self._bound)
                reader, writer = await asyncio.open_connection(sock=accepted)
                task = loop.create_task(self._reception.welcome(reader, writer))
                clients.add(task)
                task.add_done_callback(clients.discard)
            await asyncio.sleep(ACCEPT_S)
