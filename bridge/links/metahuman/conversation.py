"""What a device answers to one client; knows neither sockets nor clocks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from bridge.errors import UserError
from bridge.links.metahuman.bodies import StreamStart, StreamStop, TakeNames, TakeOrder
from bridge.links.metahuman.messages import HANDSHAKE, ErrorName, RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.links.metahuman.device import Address, Device, Feed, Recorder
    from bridge.links.metahuman.messages import Incoming

    Result = dict[str, Any] | None

SESSION_START = "/session/start"
SESSION_STOPPED = "/event/session-stopped"
RECORDING_STATE = "/state/recording"
TAKE_ADDED = "/take/added"

TAKE_START = "/take/record/start"
TAKE_STOP = "/take/record/stop"


def new_session_id() -> str:
    """Return an id that nobody guesses."""
    return str(uuid.uuid4()).upper()


class Conversation:
    """The requests of one client, in their order.

    `address_at` returns the socket address of a UDP port on the client's host. Everything runs on
    the device's thread but `TAKE_START` and `TAKE_STOP`, which wait for files and may run on
    another, one at a time.
    """

    def __init__(
        self,
        device: Device,
        address_at: Callable[[int], Address],
        new_id: Callable[[], str] = new_session_id,
    ) -> None:
        self.session_id: str | None = None
        self.is_subscribed = False
        """Whether it wants to hear of takes."""
        self._device = device
        self._address_at = address_at
        self._new_id = new_id

    def answer(self, request: Incoming) -> Result:
        """Do what is asked and return the body of the response. RefusalError: the error of it."""
        answer = self._ANSWERS.get(request.address_path)
        if request.address_path != SESSION_START and (
            self.session_id is None or request.session_id != self.session_id
        ):
            what = f"there is no session {request.session_id!r}; ask {SESSION_START} for one"
            raise RefusalError(ErrorName.NO_SESSION, what)
        if answer is None:
            what = f"this device has no {request.address_path!r}"
            raise RefusalError(ErrorName.NOT_SUPPORTED, what)
        return answer(self, request)

    def leave(self) -> None:
        """Want nothing any more; the client is gone."""
        for feed in self._device.feeds:
            feed.leave(self)
        self.session_id = None
        self.is_subscribed = False

    @property
    def streams(self) -> tuple[Feed, ...]:
        """The subjects whose frames it gets."""
        return tuple(feed for feed in self._device.feeds if feed.serves(self))

    def _start_session(self, request: Incoming) -> Result:
        if request.session_id not in ("", HANDSHAKE, self.session_id):
            raise RefusalError(ErrorName.NO_SESSION, f"a session begins with {HANDSHAKE!r}")
        # A client that begins anew knows nothing of what it had before.
        self.leave()
        self.session_id = self._new_id()
        return {"sessionId": self.session_id}

    def _stop_session(self, _request: Incoming) -> Result:
        self.leave()
        return None

    def _keep_alive(self, _request: Incoming) -> Result:
        return None

    def _information(self, _request: Incoming) -> Result:
        return self._device.described()

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
        return {"subjects": [feed.described() for feed in self._device.feeds]}

    def _start_stream(self, request: Incoming) -> Result:
        order = StreamStart.of(request.body)
        feeds = self._feeds([subject.id for subject in order.subjects])
        for feed in feeds:
            feed.ask(self, self._address_at(order.stream_port))
        return None

    def _stop_stream(self, request: Incoming) -> Result:
        order = StreamStop.of(request.body or {})
        for feed in self._feeds(order.subject_ids):
            feed.leave(self)
        return None

    def _feeds(self, ids: list[str] | tuple[str, ...]) -> tuple[Feed, ...]:
        """Return the subjects of these ids, all for none. RefusalError names the unknown ones."""
        if not ids:
            return self._device.feeds
        found = {identity: self._device.feed(identity) for identity in ids}
        if missing := [identity for identity, feed in found.items() if feed is None]:
            raise RefusalError(ErrorName.FAILED, f"no such subject: {', '.join(missing)}")
        return tuple(feed for feed in found.values() if feed is not None)

    def _start_take(self, request: Incoming) -> Result:
        order = TakeOrder.of(request.body)
        try:
            self._recorder().start(order.slate_name, order.take_number)
        except UserError as error:
            raise RefusalError(ErrorName.FAILED, str(error)) from None
        return None

    def _stop_take(self, _request: Incoming) -> Result:
        try:
            take = self._recorder().stop()
        except UserError as error:
            raise RefusalError(ErrorName.FAILED, str(error)) from None
        if take is None:
            raise RefusalError(ErrorName.FAILED, "no take is being recorded")
        return {"name": take.identifier}

    def _recorder(self) -> Recorder:
        if self._device.recorder is None:
            raise RefusalError(ErrorName.NOT_SUPPORTED, "this device records no takes")
        return self._device.recorder

    def _takes(self, _request: Incoming) -> Result:
        """Takes stay on this machine; none can be fetched over the connection."""
        return {"names": []}

    def _take_metadata(self, request: Incoming) -> Result:
        """Describe none of the takes that are named: whatever is described, Unreal fetches."""
        TakeNames.of(request.body or {})
        return {"takes": []}

    _ANSWERS: ClassVar[dict[str, Callable[[Conversation, Incoming], Result]]] = {
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
