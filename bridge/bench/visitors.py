"""Clients that come and go, as those of a long show do: controllers, Unreal, browsers, takes."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from bridge.bench.clients import DISCARD_PORT, begun, request, size_of, taken
from bridge.links.metahuman.framing import HEADER_BYTES
from bridge.links.osc import Message, decode_packet, encode_message
from bridge.recording.folder import DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Self

PATIENCE_S = 5.0
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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

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
            if self._stopping.wait(self._pause_s):
                return

    def _controller(self) -> None:
        """Be a controller that was just switched on: what it says is right, wrong and unknown."""
        with self._talking() as own:
            host, port = own.getsockname()
            said(own, "/cstalk/Bench/emotion", "happy", 0.5)
            said(own, "/cstalk/state")
            own.send(encode_message("/OSCAddSendTarget", host, port))
            own.send(encode_message("/AddLiveLinkAddress", host, port))
            own.send(encode_message("/cstalk/nothing"))

    def _unreal(self) -> None:
        """Connect to the device, want all frames, and go."""
        connection, session = begun(self._device)
        with connection:
            for path in ASKED:
                body = {"streamPort": DISCARD_PORT, "subjects": []} if "start" in path else None
                connection.sendall(request(session, path, body))
                taken(connection, size_of(taken(connection, HEADER_BYTES)))

    def _browser(self) -> None:
        for path in PAGES:
            connection = HTTPConnection("127.0.0.1", self._page, timeout=PATIENCE_S)
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
            with connect(f"ws://127.0.0.1:{self._page}/live", open_timeout=PATIENCE_S) as watching:
                for _ in range(FRAMES):
                    watching.recv(PATIENCE_S)
        except WebSocketException as error:
            raise ValueError(str(error)) from None

    def _take(self) -> None:
        """Record a take, and look whether what is answered is so."""
        before = set(self._finished())
        try:
            with self._talking() as own:
                started = said(own, "/cstalk/record", "start")
                self._stopping.wait(TAKE_S)
                stopped = said(own, "/cstalk/record", "stop")
        except OSError as error:
            self.visits.faults.append(f"take: no answer: {error}")
            return
        self.visits.takes += 1
        made = [path for path in self._finished() if path not in before]
        are_told = started.address == stopped.address == OK
        self.visits.untrue += are_told != (len(made) == 1 and is_whole(made[0]))

    def _finished(self) -> Iterator[Path]:
        yield from self._folder.glob(f"*[0-9]/{DOCUMENT}")

    def _talking(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.settimeout(PATIENCE_S)
        own.connect(("127.0.0.1", self._control))
        return own


def said(own: socket.socket, address: str, *arguments: str | float) -> Message:
    """Say a command and return the last word to it. OSError where none comes."""
    own.send(encode_message(address, *arguments))
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        (message,) = decode_packet(own.recv(4096))
        if message.address in (OK, "/cstalk/error") and message.arguments[0] == address:
            return message
    raise TimeoutError(f"{address} is not answered")


def is_whole(document: Path) -> bool:
    """Whether a take has frames, and all that its document says it has."""
    with suppress(OSError, ValueError, KeyError):
        told = json.loads(document.read_text("utf-8"))
        subjects: Sequence[dict[str, object]] = told["subjects"]
        for subject in subjects:
            lines = (document.parent / str(subject["curves"])).read_bytes().count(b"\n")
            if lines != 1 + int(str(subject["frames"])) or lines < 2:
                return False
            if not (document.parent / str(subject["sound"])).is_file():
                return False
        return "problem" not in told
    return False
