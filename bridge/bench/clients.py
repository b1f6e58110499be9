"""Clients of a MetaHuman device: one that means well, and one that nobody wants to have."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.links.metahuman.framing import HEADER_BYTES, SIZES, pack

if TYPE_CHECKING:
    from typing import Self

PATIENCE_S = 5.0
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


def begun(port: int) -> tuple[socket.socket, str]:
    """Return a connection to the device at a local port, and its session. OSError without one."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    try:
        connection.sendall(request("handshake", "/session/start"))
        header = taken(connection, HEADER_BYTES)
        answer = json.loads(taken(connection, size_of(header)))
    except OSError:
        connection.close()
        raise
    return connection, answer["body"]["sessionId"]


def size_of(header: bytes) -> int:
    """Return the payload's bytes that a header announces."""
    return int(SIZES.unpack_from(header, HEADER_BYTES - SIZES.size)[1])


def taken(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes of a connection. OSError where they do not come."""
    taken = b""
    while len(taken) < size:
        piece = connection.recv(size - len(taken))
        if not piece:
            raise ConnectionResetError("the device has hung up")
        taken += piece
    return taken


class DeafClient:
    """A client that wants all frames, asks again and again, and never reads an answer; a context.

    When it is cut off it comes again.
    """

    def __init__(self, port: int) -> None:
        self.cut = 0
        """How often it was cut off."""
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deaf client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(OSError):
                self._ask()
                self.cut += 1
            time.sleep(PAUSE_S)

    def _ask(self) -> None:
        """Ask until it is cut off or stopped; OSError where it could not begin."""
        connection, session = begun(self._port)
        with connection:
            start = {"streamPort": DISCARD_PORT, "subjects": []}
            connection.sendall(request(session, "/stream/start", start))
            question = request(session, "/stream/subjects")
            with suppress(OSError):
                while not self._stopping.wait(PAUSE_S):
                    connection.sendall(question)


class FaithfulClient:
    """A client that means well: it asks every second, and waits for each answer; a context."""

    def __init__(self, port: int) -> None:
        self.answers_s: list[float] = []
        """How long each answer took; infinite for one that did not come."""
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faithful client", daemon=True)

    def __enter__(self) -> Self:
        self._connection, self._session = begun(self._port)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping.wait(1.0):
            begun_s = time.monotonic()
            try:
                self._connection.sendall(request(self._session, "/session/keep-alive"))
                header = taken(self._connection, HEADER_BYTES)
                taken(self._connection, size_of(header))
            except OSError:
                self.answers_s.append(math.inf)
                return
            self.answers_s.append(time.monotonic() - begun_s)
