"""Clients of a running daemon: well-behaved and non-reading ones of the MetaHuman device, and
visitors that come and go.
"""

from __future__ import annotations

import itertools
import json
import math
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from cstalk_bridge.outputs.metahuman.messages import HEADER_BYTES, SIZES, pack
from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.takes.recording.folder import DOCUMENT_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Self


CLIENT_TIMEOUT_S = 5.0
PAUSE_S = 0.02
"""Between two requests: as many as a device answers."""

DISCARD_PORT = 9
"""Where frames are wanted that nobody reads (RFC 863)."""


def request(session: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    """Return a request as it goes over the connection."""
    message = {
        "sessionId": session,
        "addressPath": path,
        "transactionId": 1,
        "timestamp": 0,
        "type": "request",
    }
    return pack(json.dumps(message if body is None else {**message, "body": body}).encode())


def open_session(port: int) -> tuple[socket.socket, str]:
    """Return a connection to the device at a local port, and its session. OSError without one."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=CLIENT_TIMEOUT_S)
    try:
        connection.sendall(request("handshake", "/session/start"))
        header = receive_exactly(connection, HEADER_BYTES)
        answer = json.loads(receive_exactly(connection, payload_size(header)))
    except OSError:
        connection.close()
        raise
    return connection, answer["body"]["sessionId"]


def payload_size(header: bytes) -> int:
    """Return the payload's bytes that a header announces."""
    return int(SIZES.unpack_from(header, HEADER_BYTES - SIZES.size)[1])


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes of a connection. OSError where they do not come."""
    taken = b""
    while len(taken) < size:
        piece = connection.recv(size - len(taken))
        if not piece:
            raise ConnectionResetError("the device has hung up")
        taken += piece
    return taken


class NonReadingClient:
    """A client that wants all frames, asks again and again, and never reads an answer; a context.

    When it is cut off it comes again.
    """

    def __init__(self, port: int) -> None:
        self.cut = 0
        """How often it was cut off."""
        self._port = port
        self._worker = Worker("deaf client", self._run)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _run(self) -> None:
        while not self._worker.is_stopping:
            with suppress(OSError):
                self._ask()
                self.cut += 1
            time.sleep(PAUSE_S)

    def _ask(self) -> None:
        """Ask until it is cut off or stopped; OSError where it could not begin."""
        connection, session = open_session(self._port)
        with connection:
            start = {"streamPort": DISCARD_PORT, "subjects": []}
            connection.sendall(request(session, "/stream/start", start))
            question = request(session, "/stream/subjects")
            with suppress(OSError):
                while not self._worker.wait(PAUSE_S):
                    connection.sendall(question)


class WellBehavedClient:
    """A client that means well: it asks every second, and waits for each answer; a context."""

    def __init__(self, port: int) -> None:
        self.answers_s: list[float] = []
        """How long each answer took; infinite for one that did not come."""
        self._port = port
        self._worker = Worker("faithful client", self._run)

    def __enter__(self) -> Self:
        self._connection, self._session = open_session(self._port)
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()
        self._connection.close()

    def _run(self) -> None:
        while not self._worker.wait(1.0):
            begun_s = time.monotonic()
            try:
                self._connection.sendall(request(self._session, "/session/keep-alive"))
                header = receive_exactly(self._connection, HEADER_BYTES)
                receive_exactly(self._connection, payload_size(header))
            except OSError:
                self.answers_s.append(math.inf)
                return
            self.answers_s.append(time.monotonic() - begun_s)


TAKE_EVERY = 10
"""Rounds for each take."""

TAKE_S = 1.0
FRAMES = 5
"""Frames that a browser watches before it leaves."""

OK = "/cstalk/ok"
PAGES = ("/", "/api/session", "/api/live", "/api/subjects")
ASKED = ("/information", "/stream/subjects", "/subscribe", "/stream/start")


@dataclass(slots=True)
class Visits:
    """What was done and what went wrong; `untrue` are takes that are not as was answered."""

    rounds: int = 0
    takes: int = 0
    untrue: int = 0
    faults: list[str] = field(default_factory=list)


class Visitors:
    """A thread that sends every kind of client again and again; a context.

    `control`, `device` and `page` are local ports, `folder` that of the takes. `pause_s` passes
    between two rounds.
    """

    def __init__(
        self, control: int, device: int, page: int, folder: Path, pause_s: float = 0.2
    ) -> None:
        self.visits = Visits()
        self._control = control
        self._device = device
        self._page = page
        self._folder = folder
        self._pause_s = pause_s
        self._worker = Worker("visitors", self._run)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _run(self) -> None:
        for number in itertools.count():
            for visit in (self._controller, self._unreal, self._browser, self._watcher):
                try:
                    visit()
                except (OSError, HTTPException, ValueError) as error:
                    self.visits.faults.append(f"{visit.__name__[1:]}: {error}")
            if number % TAKE_EVERY == 0:
                self._take()
            self.visits.rounds += 1
            if self._worker.wait(self._pause_s):
                return

    def _controller(self) -> None:
        """Be a controller that was just switched on: what it says is right, wrong and unknown."""
        with self._talking() as own:
            host, port = own.getsockname()
            command(own, "/cstalk/Bench/emotion", "happy", 0.5)
            command(own, "/cstalk/state")
            own.send(encode_message("/OSCAddSendTarget", host, port))
            own.send(encode_message("/AddLiveLinkAddress", host, port))
            own.send(encode_message("/cstalk/nothing"))

    def _unreal(self) -> None:
        """Connect to the device, want all frames, and go."""
        connection, session = open_session(self._device)
        with connection:
            for path in ASKED:
                body = {"streamPort": DISCARD_PORT, "subjects": []} if "start" in path else None
                connection.sendall(request(session, path, body))
                receive_exactly(connection, payload_size(receive_exactly(connection, HEADER_BYTES)))

    def _browser(self) -> None:
        for path in PAGES:
            connection = HTTPConnection("127.0.0.1", self._page, timeout=CLIENT_TIMEOUT_S)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise ValueError(f"{path} is answered with {answer.status}")
            finally:
                connection.close()

    def _watcher(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            with connect(
                f"ws://127.0.0.1:{self._page}/live", open_timeout=CLIENT_TIMEOUT_S
            ) as watching:
                for _ in range(FRAMES):
                    watching.recv(CLIENT_TIMEOUT_S)
        except WebSocketException as error:
            raise ValueError(str(error)) from None

    def _take(self) -> None:
        """Record a take, and look whether what is answered is so."""
        before = set(self._finished())
        try:
            with self._talking() as own:
                started = command(own, "/cstalk/record", "start")
                self._worker.wait(TAKE_S)
                stopped = command(own, "/cstalk/record", "stop")
        except OSError as error:
            self.visits.faults.append(f"take: no answer: {error}")
            return
        self.visits.takes += 1
        made = [path for path in self._finished() if path not in before]
        are_told = started.address == stopped.address == OK
        self.visits.untrue += are_told != (len(made) == 1 and is_whole(made[0]))

    def _finished(self) -> Iterator[Path]:
        yield from self._folder.glob(f"*[0-9]/{DOCUMENT_NAME}")

    def _talking(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.settimeout(CLIENT_TIMEOUT_S)
        own.connect(("127.0.0.1", self._control))
        return own


def command(own: socket.socket, address: str, *arguments: str | float) -> Message:
    """Send a command; return the last reply to it. Raises OSError where none comes."""
    own.send(encode_message(address, *arguments))
    until_s = time.monotonic() + CLIENT_TIMEOUT_S
    while time.monotonic() < until_s:
        (message,) = decode_packet(own.recv(4096))
        if message.address in (OK, "/cstalk/error") and message.arguments[0] == address:
            return message
    raise TimeoutError(f"{address} is not answered")


def is_whole(document: Path) -> bool:
    """Whether a take has frames, and all that its document says it has."""
    with suppress(OSError, ValueError, KeyError):
        document_data = json.loads(document.read_text("utf-8"))
        subjects: Sequence[dict[str, object]] = document_data["subjects"]
        for subject in subjects:
            lines = (document.parent / str(subject["curves"])).read_bytes().count(b"\n")
            if lines != 1 + int(str(subject["frames"])) or lines < 2:
                return False
            if not (document.parent / str(subject["sound"])).is_file():
                return False
        return "problem" not in document_data
    return False
