"""One client of a device: bytes in, responses out, and every limit on its cost."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.metahuman.messages import (
    DEFAULT_VERSION,
    HANDSHAKE,
    MAX_TRANSACTION,
    DeviceRequestError,
    ErrorName,
    MalformedError,
    StreamStartRequest,
    StreamStopRequest,
    TakeNamesRequest,
    TakeStartRequest,
    Unpacker,
    error_response,
    pack,
    read_message,
    response,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cstalk_bridge.outputs.metahuman.device import (
        Device,
        DeviceCounters,
        Feed,
    )
    from cstalk_bridge.outputs.metahuman.messages import Incoming, Packet
    from cstalk_bridge.outputs.protocol import Recorder
    from cstalk_bridge.system.addresses import SocketAddress

    Result = dict[str, Any] | None

    Handler = Callable[[Incoming], Awaitable[dict[str, Any] | None]]


SESSION_START = "/session/start"
SESSION_STOPPED = "/event/session-stopped"
RECORDING_STATE = "/state/recording"
TAKE_ADDED = "/take/added"

TAKE_START = "/take/record/start"
TAKE_STOP = "/take/record/stop"


def new_session_id() -> str:
    """Return an id that cannot be guessed."""
    return str(uuid.uuid4()).upper()


class Session:
    """The requests of one client, in their order.

    `address_at` returns the socket address of a UDP port on the client's host. Everything runs on
    the device's thread but `TAKE_START` and `TAKE_STOP`, which wait for files and may run on
    another, one at a time.
    """

    def __init__(
        self,
        device: Device,
        address_at: Callable[[int], SocketAddress],
        new_id: Callable[[], str] = new_session_id,
    ) -> None:
        self.session_id: str | None = None
        self.is_subscribed = False
        """Whether it gets the updates about takes."""
        self._device = device
        self._address_at = address_at
        self._new_id = new_id

    def handle(self, request: Incoming) -> Result:
        """Handle a request and return the body of its response. DeviceRequestError: its error."""
        handler = self._HANDLERS.get(request.address_path)
        if request.address_path != SESSION_START and (
            self.session_id is None or request.session_id != self.session_id
        ):
            what = f"there is no session {request.session_id!r}; request {SESSION_START} first"
            raise DeviceRequestError(ErrorName.NO_SESSION, what)
        if handler is None:
            what = f"this device has no {request.address_path!r}"
            raise DeviceRequestError(ErrorName.NOT_SUPPORTED, what)
        return handler(self, request)

    def release(self) -> None:
        """End the streams and the session of the client."""
        for feed in self._device.feeds:
            feed.remove(self)
        self.session_id = None
        self.is_subscribed = False

    @property
    def streams(self) -> tuple[Feed, ...]:
        """The subjects whose frames it gets."""
        return tuple(feed for feed in self._device.feeds if feed.serves(self))

    def _start_session(self, request: Incoming) -> Result:
        if request.session_id not in ("", HANDSHAKE, self.session_id):
            raise DeviceRequestError(ErrorName.NO_SESSION, f"a session begins with {HANDSHAKE!r}")
        # A new session of a client has none of the streams of its last one.
        self.release()
        self.session_id = self._new_id()
        return {"sessionId": self.session_id}

    def _stop_session(self, _request: Incoming) -> Result:
        self.release()
        return None

    def _keep_alive(self, _request: Incoming) -> Result:
        return None

    def _information(self, _request: Incoming) -> Result:
        return self._device.description()

    def _state(self, _request: Incoming) -> Result:
        recorder = self._device.recorder
        return {"isRecording": recorder is not None and recorder.take is not None}

    def _subscribe(self, _request: Incoming) -> Result:
        self.is_subscribed = True
        return None

    def _unsubscribe(self, _request: Incoming) -> Result:
        self.is_subscribed = False
        return None

    def _subjects(self, _request: Incoming) -> Result:
        return {"subjects": [feed.description() for feed in self._device.feeds]}

    def _start_stream(self, request: Incoming) -> Result:
        order = StreamStartRequest.of(request.body)
        feeds = self._feeds([subject.id for subject in order.subjects])
        for feed in feeds:
            feed.add(self, self._address_at(order.stream_port))
        return None

    def _stop_stream(self, request: Incoming) -> Result:
        order = StreamStopRequest.of(request.body or {})
        for feed in self._feeds(order.subject_ids):
            feed.remove(self)
        return None

    def _feeds(self, ids: list[str] | tuple[str, ...]) -> tuple[Feed, ...]:
        """Return the subjects of these ids, all for none. DeviceRequestError names unknown ones."""
        if not ids:
            return self._device.feeds
        found = {identity: self._device.feed(identity) for identity in ids}
        if missing := [identity for identity, feed in found.items() if feed is None]:
            raise DeviceRequestError(ErrorName.FAILED, f"no such subject: {', '.join(missing)}")
        return tuple(feed for feed in found.values() if feed is not None)

    def _start_take(self, request: Incoming) -> Result:
        order = TakeStartRequest.of(request.body)
        try:
            self._recorder().start(order.slate_name, order.take_number)
        except UserError as error:
            raise DeviceRequestError(ErrorName.FAILED, str(error)) from None
        return None

    def _stop_take(self, _request: Incoming) -> Result:
        try:
            take = self._recorder().stop()
        except UserError as error:
            raise DeviceRequestError(ErrorName.FAILED, str(error)) from None
        if take is None:
            raise DeviceRequestError(ErrorName.FAILED, "no take is being recorded")
        return {"name": take.identifier}

    def _recorder(self) -> Recorder:
        if self._device.recorder is None:
            raise DeviceRequestError(ErrorName.NOT_SUPPORTED, "this device records no takes")
        return self._device.recorder

    def _takes(self, _request: Incoming) -> Result:
        """Takes stay on this machine; none can be fetched over the connection."""
        return {"names": []}

    def _take_metadata(self, request: Incoming) -> Result:
        """Describe none of the takes that are named: whatever is described, Unreal fetches."""
        TakeNamesRequest.of(request.body or {})
        return {"takes": []}

    _HANDLERS: ClassVar[dict[str, Callable[[Session, Incoming], Result]]] = {
        SESSION_START: _start_session,
        "/session/stop": _stop_session,
        "/session/keep-alive": _keep_alive,
        "/information": _information,
        "/state": _state,
        "/subscribe": _subscribe,
        "/unsubscribe": _unsubscribe,
        "/stream/subjects": _subjects,
        "/stream/start": _start_stream,
        "/stream/stop": _stop_stream,
        "/take/list": _takes,
        "/take/metadata": _take_metadata,
        TAKE_START: _start_take,
        TAKE_STOP: _stop_take,
    }


READ_BYTES = 1 << 14
MAX_WAITING_BYTES = 1 << 18
"""Bytes that may wait to be sent to a client; a description of 16 subjects has 130 kB."""

MAX_REQUESTS_PER_S = 20
"""Messages of one client that are read in a second; the rest waits in its own machine. Unreal sends
one in 5 s, and a handful when it connects."""

MAX_MALFORMED = 16
"""Messages that are no requests of this protocol before a client is disconnected."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a client may take, in seconds."""

    session_s: float = 5.0
    """For its first whole message, the request of a session."""
    idle_s: float = 20.0
    """For the next message. Unreal sends a keep-alive every 5 s; this is four times that."""
    send_s: float = 3.0
    """To receive a response; Unreal itself waits no longer for one."""


class LimitExceededError(Exception):
    """A client exceeds a limit."""


class Connection:
    """A client from its first byte to its last. All belongs to the device's loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: Session,
        *,
        counters: DeviceCounters,
        wall_ms: Callable[[], int],
        timeouts: Timeouts,
    ) -> None:
        self.session = session
        self.host = str(writer.get_extra_info("peername")[0])
        self._reader = reader
        self._writer = writer
        self._counters = counters
        self._wall_ms = wall_ms
        self._timeouts = timeouts
        self._version = DEFAULT_VERSION
        self._updates = 0
        self._malformed = 0
        self._window_s = 0.0
        self._in_window = 0
        writer.transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)

    async def serve(self, handle: Handler) -> None:
        """Handle requests one after another until the client disconnects.

        FramingError, LimitExceededError, TimeoutError and OSError end the
        connection.
        """
        unpacker = Unpacker()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._timeouts.session_s
        while True:
            # Not for each piece: one byte now and then is no message.
            async with asyncio.timeout_at(deadline_s):
                piece = await self._reader.read(READ_BYTES)
            if not piece:
                return
            for packet in unpacker.feed(piece):
                await self._handle(packet, handle)
                deadline_s = loop.time() + self._timeouts.idle_s

    def send_update(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Send an update; a client that does not receive what it is sent is disconnected."""
        session_id = self.session.session_id
        if session_id is None or self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._writer.transport.abort()
            return
        self._updates = self._updates % MAX_TRANSACTION + 1
        message = update(session_id, path, self._updates, self._wall_ms(), body)
        self._writer.write(pack(message, self._version))

    def close(self) -> None:
        """Close the connection; what waits is sent as far as the client receives it."""
        self._writer.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    def forget(self) -> None:
        """Release what the error of a lost connection refers to: its frames, and so the buffers."""
        if error := self._reader.exception():
            error.__traceback__ = None

    async def _handle(self, packet: Packet, handle: Handler) -> None:
        self._version = packet.version
        reply = await self._reply(packet.payload, handle)
        # The error of a write that fails keeps all that is here, until the collector comes by.
        del packet
        if reply is not None:
            self._writer.write(pack(reply, self._version))
            async with asyncio.timeout(self._timeouts.send_s):
                await self._writer.drain()
        await self._limit_rate()

    async def _reply(self, payload: bytes, handle: Handler) -> bytes | None:
        """Return the response to a payload; None where it is no request."""
        try:
            message = read_message(payload)
        except MalformedError as error:
            self._counters.failed += 1
            self._malformed += 1
            if self._malformed > MAX_MALFORMED:
                raise LimitExceededError(
                    f"{self._malformed} messages that are no requests"
                ) from None
            return error_response(error.read, self._wall_ms(), error)
        if message.type != "request":
            return None
        self._counters.requests += 1
        try:
            return response(message, self._wall_ms(), await handle(message))
        except DeviceRequestError as refusal:
            self._counters.failed += 1
            return error_response(message, self._wall_ms(), refusal)

    async def _limit_rate(self) -> None:
        """Wait for the next second, if the requests of this one are used up."""
        loop = asyncio.get_running_loop()
        self._in_window += 1
        if loop.time() - self._window_s >= 1.0:
            self._window_s, self._in_window = loop.time(), 1
        elif self._in_window >= MAX_REQUESTS_PER_S:
            await asyncio.sleep(self._window_s + 1.0 - loop.time())
