"""One client of a device: bytes in, answers out, and every limit on what it may cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.links.metahuman.framing import DEFAULT_VERSION, Unpacker, pack
from bridge.links.metahuman.messages import (
    MAX_TRANSACTION,
    MalformedError,
    RefusalError,
    error_response,
    read_message,
    response,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from bridge.links.metahuman.conversation import Conversation
    from bridge.links.metahuman.device import Counters
    from bridge.links.metahuman.framing import Packet
    from bridge.links.metahuman.messages import Incoming

    Answer = Callable[[Incoming], Awaitable[dict[str, Any] | None]]

READ_BYTES = 1 << 14
MAX_WAITING_BYTES = 1 << 18
"""Bytes that may wait for a client to take them; a description of 16 subjects has 130 kB."""

MAX_REQUESTS_PER_S = 20
"""Messages of one client that are read in a second; the rest waits in its own machine. Unreal sends
one in 5 s, and a handful when it connects."""

MAX_MALFORMED = 16
"""Messages that are no requests of this protocol, before a client is given up."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client is waited for, in seconds."""

    session_s: float = 5.0
    """For its first whole message, which asks for a session."""
    silence_s: float = 20.0
    """For the next message. Unreal says that it is there every 5 s; this is four times that."""
    taking_s: float = 3.0
    """For an answer to be taken; Unreal itself waits no longer for one."""


class TooMuchError(Exception):
    """A client costs more than it may."""


class Connection:
    """A client from its first byte to its last. All belongs to the device's loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        conversation: Conversation,
        *,
        counters: Counters,
        wall_ms: Callable[[], int],
        patience: Patience,
    ) -> None:
        self.conversation = conversation
        self.host = str(writer.get_extra_info("peername")[0])
        self._reader = reader
        self._writer = writer
        self._counters = counters
        self._wall_ms = wall_ms
        self._patience = patience
        self._version = DEFAULT_VERSION
        self._updates = 0
        self._malformed = 0
        self._window_s = 0.0
        self._in_window = 0
        writer.transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)

    async def serve(self, answer: Answer) -> None:
        """Answer requests one after another until the client goes.

        FramingError, TooMuchError, TimeoutError and OSError say why a connection must be closed.
        """
        unpacker = Unpacker()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience.session_s
        while True:
            # Not for each piece: one byte now and then is no message.
            async with asyncio.timeout_at(deadline_s):
                piece = await self._reader.read(READ_BYTES)
            if not piece:
                return
            for packet in unpacker.feed(piece):
                await self._take(packet, answer)
                deadline_s = loop.time() + self._patience.silence_s

    def tell(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Send an update; a client that does not take what it is sent is cut off."""
        session_id = self.conversation.session_id
        if session_id is None or self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._writer.transport.abort()
            return
        self._updates = self._updates % MAX_TRANSACTION + 1
        message = update(session_id, path, self._updates, self._wall_ms(), body)
        self._writer.write(pack(message, self._version))

    def close(self) -> None:
        """Close the connection; what waits to be sent is sent as far as the client takes it."""
        self._writer.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    def forget(self) -> None:
        """Let go of what a lost connection's error keeps: all it came through, buffers and all."""
        if error := self._reader.exception():
            error.__traceback__ = None

    async def _take(self, packet: Packet, answer: Answer) -> None:
        self._version = packet.version
        reply = await self._reply(packet.payload, answer)
        # The error of a write that fails keeps all that is here, until the collector comes by.
        del packet
        if reply is not None:
            self._writer.write(pack(reply, self._version))
            async with asyncio.timeout(self._patience.taking_s):
                await self._writer.drain()
        await self._pace()

    async def _reply(self, payload: bytes, answer: Answer) -> bytes | None:
        """Return what answers a payload; nothing answers what asks for nothing."""
        try:
            message = read_message(payload)
        except MalformedError as error:
            self._counters.refused += 1
            self._malformed += 1
            if self._malformed > MAX_MALFORMED:
                raise TooMuchError(f"{self._malformed} messages that are no requests") from None
            return error_response(error.read, self._wall_ms(), error)
        if message.type != "request":
            return None
        self._counters.requests += 1
        try:
            return response(message, self._wall_ms(), await answer(message))
        except RefusalError as refusal:
            self._counters.refused += 1
            return error_response(message, self._wall_ms(), refusal)

    async def _pace(self) -> None:
        """Wait for the next second, if this one has had its share."""
        loop = asyncio.get_running_loop()
        self._in_window += 1
        if loop.time() - self._window_s >= 1.0:
            self._window_s, self._in_window = loop.time(), 1
        elif self._in_window >= MAX_REQUESTS_PER_S:
            await asyncio.sleep(self._window_s + 1.0 - loop.time())
