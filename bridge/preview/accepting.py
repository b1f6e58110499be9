"""Lets connections in, one after another, up to a bound; those beyond it are closed at once.

uvicorn's own server takes all that waits before it looks at any: a crowd takes every descriptor of
the process, and then no take can begin.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from uvicorn import Server as Uvicorn

if TYPE_CHECKING:
    import socket

MAX_CONNECTIONS = 128
"""Connections of any kind at once: 32 live clients and six of each browser for files."""

BITE = 8
"""Connections looked at before others get their turn."""

PAUSE_S = 0.005
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
            for _ in range(BITE):
                # What goes wrong is the client's fault, or a lack of descriptors that will pass.
                with suppress(OSError):
                    accepted, _ = await loop.sock_accept(bound)
                    await self._let_in(accepted)
            await asyncio.sleep(PAUSE_S)

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
