"""The server of a device: a thread with an asyncio loop that accepts, limits and closes
clients.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cstalk_bridge.outputs.metahuman.messages import FramingError
from cstalk_bridge.outputs.metahuman.session import (
    RECORDING_STATE,
    SESSION_STOPPED,
    TAKE_ADDED,
    TAKE_START,
    TAKE_STOP,
    Connection,
    LimitExceededError,
    Session,
    Timeouts,
)
from cstalk_bridge.system.worker import SERVER_STOP_TIMEOUT_S, Worker

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Executor

    from cstalk_bridge.outputs.metahuman.device import Device, Feed
    from cstalk_bridge.outputs.metahuman.messages import Incoming
    from cstalk_bridge.outputs.protocol import EndedTake, Take
    from cstalk_bridge.system.addresses import SocketAddress


MAX_CLIENTS = 32
"""Clients at once; a stage has a few machines with one or two connections each."""

MAX_CLIENTS_OF_A_HOST = 8

PENALTY_S = 0.1
"""How long a connection of another protocol stays open: its sender waits, this program does not."""

SHUTDOWN_S = 0.5
"""Time given to clients to receive their last message."""

NOTICES = 10
NOTICE_WINDOW_S = 10.0
"""At most `NOTICES` are reported within that time: a hostile client shall not fill a log."""


class ConnectionManager:
    """The clients of a device. All belongs to its loop; `files` runs what waits for files."""

    def __init__(
        self,
        device: Device,
        files: Executor,
        *,
        notice: Callable[[str], None],
        is_allowed: Callable[[str], bool],
        wall_ms: Callable[[], int],
        timeouts: Timeouts,
    ) -> None:
        self._device = device
        self._files = files
        self._notice = notice
        self._is_allowed = is_allowed
        self._wall_ms = wall_ms
        self._timeouts = timeouts
        self._noticed: deque[float] = deque(maxlen=NOTICES)
        self._connections: dict[Connection, asyncio.Task[None] | None] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client from its first byte to its last."""
        peer = writer.get_extra_info("peername")
        if fault := self._rejection(peer):
            self._device.counters.rejected += 1
            self._report(fault)
            writer.transport.abort()
            return

        def address_at(port: int) -> SocketAddress:
            return (peer[0], port, *peer[2:])

        connection = Connection(
            reader,
            writer,
            Session(self._device, address_at),
            counters=self._device.counters,
            wall_ms=self._wall_ms,
            timeouts=self._timeouts,
        )
        self._device.counters.clients += 1
        self._connections[connection] = asyncio.current_task()
        try:
            await self._serve_client(connection)
        finally:
            del self._connections[connection]
            self._release(connection)

    async def close(self) -> None:
        """Send all clients the end of their sessions, and close their connections."""
        for connection in self._connections:
            connection.send_update(SESSION_STOPPED)
            connection.close()
        tasks = [task for task in self._connections.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=SHUTDOWN_S)
        for connection in self._connections:
            connection.abort()

    def announce(self, path: str, body: Mapping[str, Any]) -> None:
        """Send an update to every client that subscribed."""
        for connection in self._connections:
            if connection.session.is_subscribed:
                connection.send_update(path, body)

    def report_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report an exception which nobody caught."""
        self._report(f"{context.get('message', '')} {context.get('exception') or ''}".strip())

    async def _serve_client(self, connection: Connection) -> None:
        try:
            await connection.serve(partial(self._handle, connection))
        except (FramingError, LimitExceededError) as fault:
            self._device.counters.malformed += 1
            self._report(f"{connection.host} sends another protocol, disconnected: {fault}")
            await asyncio.sleep(PENALTY_S)
            connection.abort()
        except TimeoutError:
            self._device.counters.malformed += 1
            connection.abort()
        except OSError:
            connection.abort()

    async def _handle(self, connection: Connection, request: Incoming) -> dict[str, Any] | None:
        """Handle one request; report a client whose frames it changed."""
        session = connection.session
        if request.address_path in (TAKE_START, TAKE_STOP):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._files, session.handle, request)
        before = session.streams
        body = session.handle(request)
        after = session.streams
        if after != before:
            self._report(f"{connection.host} gets {_names(after) or 'no subject now'}")
        return body

    def _rejection(self, peer: SocketAddress | None) -> str | None:
        """Return why a client is rejected, None where it is not."""
        if not peer:
            return "a client disconnected at once"
        host = str(peer[0])
        if not self._is_allowed(host):
            return f"{host} is not allowed; see allow= of the link"
        of_host = sum(connection.host == host for connection in self._connections)
        if len(self._connections) >= MAX_CLIENTS or of_host >= MAX_CLIENTS_OF_A_HOST:
            return f"{host} is rejected: {len(self._connections)} clients are connected"
        return None

    def _release(self, connection: Connection) -> None:
        streams = connection.session.streams
        connection.session.release()
        connection.close()
        # After the loop has set the stream's error, for the connection is lost.
        asyncio.get_running_loop().call_soon(connection.forget)
        if streams:
            self._report(f"{connection.host} disconnected; it received {_names(streams)}")

    def _report(self, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if len(self._noticed) == NOTICES and now_s - self._noticed[0] < NOTICE_WINDOW_S:
            return
        self._noticed.append(now_s)
        self._notice(f"MetaHuman device: {text}")


def _names(feeds: tuple[Feed, ...]) -> str:
    return ", ".join(feed.name for feed in feeds)


ACCEPT_S = 0.05
"""Between two accepted clients: one that connects again and again costs the tick thread nothing."""


def anyone(_host: str) -> bool:
    """Let every host connect."""
    return True


class Server:
    """A thread that serves a device on a bound, listening socket, from `start` to `stop`.

    `notice` gets, on that thread, which clients get frames, and faults. `is_allowed`
    decides by IP address who may connect. `background` runs on the same loop, as discovery does.
    """

    def __init__(
        self,
        device: Device,
        bound: socket.socket,
        *,
        notice: Callable[[str], None],
        is_allowed: Callable[[str], bool] = anyone,
        background: Callable[[], Coroutine[Any, Any, None]] | None = None,
        timeouts: Timeouts | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._device = device
        self._notice = notice
        self._bound = bound
        self._background = background
        self._files = ThreadPoolExecutor(1, "metahuman-takes")
        self._manager = ConnectionManager(
            device,
            self._files,
            notice=notice,
            is_allowed=is_allowed,
            wall_ms=lambda: int(1000 * wall()),
            timeouts=timeouts or Timeouts(),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_serving = threading.Event()
        self._worker = Worker("metahuman", self._run, failed=self._report_failure)

    def start(self) -> None:
        """Begin to serve, and to report takes to clients, whoever starts them."""
        if self._device.recorder is not None:
            self._device.recorder.watch(self._take_begins, self._take_ended)
        self._worker.start()
        self._is_serving.wait(SERVER_STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End all sessions, close the connections and end the thread."""
        self._call(self._stopping.set)
        self._worker.join(SERVER_STOP_TIMEOUT_S)
        self._files.shutdown(wait=False, cancel_futures=True)
        self._bound.close()

    def _take_begins(self, _take: Take) -> None:
        self._call(self._manager.announce, RECORDING_STATE, {"isRecording": True})

    def _take_ended(self, take: EndedTake) -> None:
        self._call(self._manager.announce, RECORDING_STATE, {"isRecording": False})
        if take.problem is None:
            self._call(self._manager.announce, TAKE_ADDED, {"name": take.identifier})

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """Run something on the loop, if there is one."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function, *arguments)

    def _report_failure(self, error: Exception) -> None:
        self._notice(f"MetaHuman device: stopped by an internal error: {error}")

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._manager.report_fault)
        working = [asyncio.ensure_future(self._accept())]
        if self._background is not None:
            working.append(asyncio.ensure_future(self._background()))
        self._is_serving.set()
        await self._stopping.wait()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self._manager.close()

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
                task = loop.create_task(self._manager.accept(reader, writer))
                clients.add(task)
                task.add_done_callback(clients.discard)
            await asyncio.sleep(ACCEPT_S)
