"""Unreal's side of the session with a MetaHuman device, written from the protocol alone.

It shares no code with the device: an independent implementation, with blocking sockets.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 5.0


@dataclass
class Frame:
    version: int
    subject: str
    number: int
    subframe: float
    rate: tuple[int, int]
    controls: list[int]
    roll: float
    pitch: float
    yaw: float
    location: tuple[float, float, float]


def parse_frame(datagram: bytes) -> Frame:
    """Read a UDP frame field by field."""
    position = 0

    def take(layout: str) -> tuple[Any, ...]:
        nonlocal position
        fields = struct.unpack_from("<" + layout, datagram, position)
        position += struct.calcsize("<" + layout)
        return fields

    (version,) = take("H")
    (length,) = take("H")
    (subject,) = take(f"{length}s")
    number, subframe, numerator, denominator = take("ifii")
    (count,) = take("H")
    controls = list(take(f"{count}H"))
    roll, pitch, yaw, x, y, z = take("6f")
    assert position == len(datagram)
    return Frame(
        version,
        subject.decode(),
        number,
        subframe,
        (numerator, denominator),
        controls,
        roll,
        pitch,
        yaw,
        (x, y, z),
    )


class Unreal:
    """One editor: a TCP connection for control, a UDP socket for frames."""

    def __init__(self, port: int, version: int = 1, receive_bytes: int = 0) -> None:
        self.control = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.control.settimeout(TIMEOUT_S)
        if receive_bytes:
            self.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            self.control.connect(("127.0.0.1", port))
        except OSError:
            self.control.close()
            raise
        self.frames = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.frames.bind(("127.0.0.1", 0))
        self.frames.settimeout(TIMEOUT_S)
        self.version = version
        self.session = "handshake"
        self.updates: list[dict[str, Any]] = []
        self.versions_received: set[int] = set()
        self._transactions = itertools.count(1)

    @property
    def stream_port(self) -> int:
        return int(self.frames.getsockname()[1])

    def close(self) -> None:
        self.control.close()
        self.frames.close()

    def __enter__(self) -> Unreal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def encoded(self, path: str, body: Any = None, **changes: Any) -> bytes:
        """Return the bytes of a request."""
        message: dict[str, Any] = {
            "sessionId": self.session,
            "addressPath": path,
            "transactionId": next(self._transactions),
            "timestamp": int(time.time() * 1000),
            "type": "request",
        }
        if body is not None:
            message["body"] = body
        return self.enclosed(json.dumps(message | changes).encode())

    def enclosed(self, payload: bytes) -> bytes:
        return b"CPSCONTROL\x00" + struct.pack("<HI", self.version, len(payload)) + payload

    def receive_payload(self) -> bytes:
        """Wait for the next packet, and note its version.

        ConnectionError when the device has disconnected.
        """
        assert self._read(11) == b"CPSCONTROL\x00"
        version, size = struct.unpack("<HI", self._read(6))
        self.versions_received.add(version)
        return self._read(size)

    def receive(self) -> dict[str, Any]:
        """Wait for the next message. ConnectionError when the device has disconnected."""
        message = json.loads(self.receive_payload().decode("utf-8"))
        assert isinstance(message["timestamp"], int)
        assert isinstance(message, dict)
        return message

    def ask(self, path: str, body: Any = None, **changes: Any) -> dict[str, Any]:
        """Send a request and wait for its response; updates in between are stored."""
        request = self.encoded(path, body, **changes)
        asked = json.loads(request[17:])
        self.control.sendall(request)
        while (message := self.receive())["type"] != "response":
            self.updates.append(message)
        assert message["addressPath"] == asked["addressPath"]
        assert message["transactionId"] == asked["transactionId"]
        return message

    def result(self, path: str, body: Any = None) -> Any:
        """Send a request that must succeed; return the body, None where there is none."""
        answer = self.ask(path, body)
        assert "error" not in answer, answer["error"]
        return answer.get("body")

    def error(self, path: str, body: Any = None, **changes: Any) -> str:
        """Send a request that must be refused; return the name of the error."""
        answer = self.ask(path, body, **changes)
        assert "body" not in answer
        assert answer["error"]["description"]
        return str(answer["error"]["name"])

    def begin(self) -> None:
        """Shake hands."""
        self.session = self.result("/session/start")["sessionId"]

    def connect(self) -> list[dict[str, Any]]:
        """Do what Unreal does first: handshake, information, subjects."""
        self.begin()
        assert self.result("/information")["platformName"] in {"linux", "windows", "macOS"}
        subjects = self.result("/stream/subjects")["subjects"]
        assert isinstance(subjects, list)
        return subjects

    def stream(self, *subjects: dict[str, Any]) -> None:
        """Request frames of subjects."""
        named = [{"id": subject["id"], "name": subject["name"]} for subject in subjects]
        assert (
            self.result("/stream/start", {"streamPort": self.stream_port, "subjects": named})
            is None
        )

    def frame(self) -> Frame:
        """Wait for the next frame."""
        return parse_frame(self.frames.recv(65536))

    def frames_waiting(self) -> list[Frame]:
        """Return the frames that have arrived."""
        found = []
        self.frames.settimeout(0.0)
        try:
            while True:
                found.append(parse_frame(self.frames.recv(65536)))
        except BlockingIOError:
            self.frames.settimeout(TIMEOUT_S)
            return found

    def is_cut_off(self) -> bool:
        """Read on until the device disconnects; False if it does not within `TIMEOUT_S`."""
        try:
            while self.control.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            piece = self.control.recv(size - len(content))
            if not piece:
                raise ConnectionError("the device has hung up")
            content += piece
        return content
