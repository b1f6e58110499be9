"""Who is connected to a device: let in, answered, told of news, and let go."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.links.metahuman.connection import Connection, TooMuchError
from bridge.links.metahuman.conversation import (
    SESSION_STOPPED,
    TAKE_START,
    TAKE_STOP,
    Conversation,
)
from bridge.links.metahuman.framing import FramingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from bridge.links.metahuman.connection import Patience
    from bridge.links.metahuman.device import Address, Device, Feed
    from bridge.links.metahuman.messages import Incoming

MAX_CLIENTS = 32
"""Clients at once; a stage has a few machines with one or two connections each."""

MAX_CLIENTS_OF_A_HOST = 8

PENALTY_S = 0.1
"""How long a connection that is none of this protocol stays open: its sender waits, we do not."""

FAREWELL_S = 0.5
"""Time given to clients to take the last word."""

NOTICES = 10
NOTICE_WINDOW_S = 10.0
"""At most `NOTICES` are told within that time: a hostile client shall not fill a log."""


class Reception:
    """The clients of a device. All belongs to its loop; `files` runs what waits for files."""

    def __init__(
        self,
        device: Device,
        files: Executor,
        *,
        notice: Callable[[str], None],
        is_allowed: Callable[[str], bool],
        wall_ms: Callable[[], int],
        patience: Patience,
    ) -> None:
        self._device = device
        self._files = files
        self._notice = notice
        self._is_allowed = is_allowed
        self._wall_ms = wall_ms
        self._patience = patience
        self._noticed: deque[float] = deque(maxlen=NOTICES)
        self._connections: dict[Connection, asyncio.Task[None] | None] = {}

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client from its first byte to its last."""
        peer = writer.get_extra_info("peername")
        if fault := self._refusal(peer):
            self._device.counters.turned_away += 1
            self._tell(fault)
            writer.transport.abort()
            return

        def address_at(port: int) -> Address:
            return (peer[0], port, *peer[2:])

        connection = Connection(
            reader,
            writer,
            Conversation(self._device, address_at),
            counters=self._device.counters,
            wall_ms=self._wall_ms,
            patience=self._patience,
        )
        self._device.counters.clients += 1
        self._connections[connection] = asyncio.current_task()
        try:
            await self._converse(connection)
        finally:
            del self._connections[connection]
            self._let_go(connection)

    async def close(self) -> None:
        """Tell all clients that their sessions have ended, and let them go."""
        for connection in self._connections:
            connection.tell(SESSION_STOPPED)
            connection.close()
        tasks = [task for task in self._connections.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=FAREWELL_S)
        for connection in self._connections:
            connection.abort()

    def announce(self, path: str, body: Mapping[str, Any]) -> None:
        """Tell every client that subscribed."""
        for connection in self._connections:
            if connection.conversation.is_subscribed:
                connection.tell(path, body)

    def tell_of_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell the user of a fault which nobody caught."""
        self._tell(f"{context.get('message', '')} {context.get('exception') or ''}".strip())

    async def _converse(self, connection: Connection) -> None:
        try:
            await connection.serve(partial(self._answer, connection))
        except (FramingError, TooMuchError) as fault:
            self._device.counters.broken += 1
            self._tell(f"{connection.host} is no client of this protocol: {fault}")
            await asyncio.sleep(PENALTY_S)
            connection.abort()
        except TimeoutError:
            self._device.counters.broken += 1
            connection.abort()
        except OSError:
            connection.abort()

    async def _answer(self, connection: Connection, request: Incoming) -> dict[str, Any] | None:
        """Answer one request; tell the user whose frames it changed."""
        conversation = connection.conversation
        if request.address_path in (TAKE_START, TAKE_STOP):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._files, conversation.answer, request)
        before = conversation.streams
        body = conversation.answer(request)
        after = conversation.streams
        if after != before:
            self._tell(f"{connection.host} gets {_names(after) or 'no subject any more'}")
        return body

    def _refusal(self, peer: Address | None) -> str | None:
        """Say why a client is turned away, None where it is not."""
        if not peer:
            return "a client left at once"
        host = str(peer[0])
        if not self._is_allowed(host):
            return f"{host} is not allowed; see allow= of the link"
        of_host = sum(connection.host == host for connection in self._connections)
        if len(self._connections) >= MAX_CLIENTS or of_host >= MAX_CLIENTS_OF_A_HOST:
            return f"{host} is turned away: {len(self._connections)} clients are here"
        return None

    def _let_go(self, connection: Connection) -> None:
        streams = connection.conversation.streams
        connection.conversation.leave()
        connection.close()
        # Once the loop has told the stream that its connection is lost.
        asyncio.get_running_loop().call_soon(connection.forget)
        if streams:
            self._tell(f"{connection.host} has left; it got {_names(streams)}")

    def _tell(self, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if len(self._noticed) == NOTICES and now_s - self._noticed[0] < NOTICE_WINDOW_S:
            return
        self._noticed.append(now_s)
        self._notice(f"MetaHuman device: {text}")


def _names(feeds: tuple[Feed, ...]) -> str:
    return ", ".join(feed.name for feed in feeds)
