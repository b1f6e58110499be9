"""Connections of uvicorn with limits: how many, how long one may be silent or read nothing, how
much it may send.

uvicorn's own server takes all that waits before it looks at any: a crowd takes every descriptor of
the process, and then no take can begin.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from uvicorn import Server as Uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    import h11
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle


REQUEST_S = 6.0
"""Time within which a connection must send a request; twice it for later requests."""

PING_S = 4.0
"""Time between two pings to a WebSocket, and time to answer one."""

MAX_RECEIVED_BYTES = 1 << 16
"""Bytes that a WebSocket may send in `PING_S`, handshake and control frames included."""

MAX_WAITING_BYTES = 1 << 14
"""What waits in the process for a WebSocket to take it: 50 frames of one subject."""

SEND_BUFFER_BYTES = 1 << 16
"""Asked of the system as send buffer of a WebSocket: what is in it can no longer be dropped."""

CLOSE_S = 2.0
"""Time a closed WebSocket has to take what was still on the way."""


class HttpConnection(H11Protocol):
    """One HTTP connection. An idle one is dropped after a while."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        super().connection_made(transport)
        self._silence = self.loop.call_later(REQUEST_S, self._end_silent, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection, which the timer would keep with its requests."""
        super().connection_lost(exc)
        self._silence.cancel()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, and release the HTTP part of it."""
        super().handle_websocket_upgrade(event)
        self._silence.cancel()

    def _end_silent(self, seen: RequestResponseCycle | None) -> None:
        """Drop the connection if it waits for a request since `seen`, the one before it."""
        if self not in self.connections:
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_waiting = cycle is None or cycle.response_complete
        if is_waiting and cycle is seen:
            self.transport.abort()
        else:
            unseen = cycle if is_waiting else None
            self._silence = self.loop.call_later(REQUEST_S, self._end_silent, unseen)


class LiveConnection(WebSocketsSansIOProtocol):
    """One WebSocket. A client that floods, does not answer pings or does not read is dropped."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from HTTP."""
        super().connection_made(transport)
        self._is_lost = False
        self._closing: asyncio.TimerHandle | None = None
        self._counted_s, self._received_bytes = self.loop.time(), 0
        self.transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)
        connected = self.transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Receive what the client sends, within `RECEIVED_BYTES`."""
        now_s = self.loop.time()
        if now_s > self._counted_s + PING_S:
            self._counted_s, self._received_bytes = now_s, 0
        self._received_bytes += len(data)
        if self._received_bytes > MAX_RECEIVED_BYTES:
            self.transport.abort()
            return
        super().data_received(data)

    def keepalive_timeout(self) -> None:
        """Drop a client that does not answer: closing would wait for it to read."""
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Drop the connection if it does not end by itself."""
        super().on_task_complete(task)
        if not self._is_lost:
            self._closing = self.loop.call_later(CLOSE_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection, which the timer would keep."""
        super().connection_lost(exc)
        self._is_lost = True
        if self._closing is not None:
            self._closing.cancel()


MAX_CONNECTIONS = 128
"""Connections of any kind at once: 32 live clients and six of each browser for files."""

ACCEPT_BATCH = 8
"""Connections looked at before others get their turn."""

ACCEPT_PAUSE_S = 0.005
"""Between two bites: whoever connects again and again costs the tick thread nothing. What comes
faster than 1600 a second waits with the system, which refuses what it cannot hold."""


class BoundedServer(Uvicorn):
    """A uvicorn server of one listening socket, with at most `MAX_CONNECTIONS`."""

    refused = 0
    """Connections that were closed as they came."""
    _accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to let connections in. ValueError without one socket."""
        (bound,) = sockets or []
        await self.lifespan.startup()
        self.servers = []
        self._accepting = asyncio.ensure_future(self._accept(bound))
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and close all connections."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        await super().shutdown(sockets)

    async def _accept(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        bound.settimeout(0.0)
        while True:
            for _ in range(ACCEPT_BATCH):
                # What goes wrong is the client's fault, or a lack of descriptors that will pass.
                with suppress(OSError):
                    accepted, _ = await loop.sock_accept(bound)
                    await self._let_in(accepted)
            await asyncio.sleep(ACCEPT_PAUSE_S)

    async def _let_in(self, accepted: socket.socket) -> None:
        if len(self.server_state.connections) >= MAX_CONNECTIONS:
            self.refused += 1
            accepted.close()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, accepted)
        except OSError:
            accepted.close()
            raise

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
