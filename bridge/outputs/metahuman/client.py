"""A client of a device, as far as it takes to get a frame: `doctor` checks a device with it."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from cstalk_bridge.outputs.metahuman.messages import HANDSHAKE, Unpacker, pack
from cstalk_bridge.outputs.metahuman.session import SESSION_START
from cstalk_bridge.outputs.protocol import LOOPBACK, MAX_DATAGRAM_BYTES, RECEIVE_TIMEOUT_S
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable


READ_BYTES = 1 << 14
MAX_PAYLOAD_BYTES = 1 << 20
"""A description of one subject has 8 kB."""

SEND_INTERVAL_S = 0.01
"""Between two frames, until one arrives: the device serves in a thread of its own."""


class DeviceClient:
    """The control connection to a device on this machine."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection((LOOPBACK, port), RECEIVE_TIMEOUT_S)
        self._packets = Unpacker(MAX_PAYLOAD_BYTES)
        self._session = HANDSHAKE
        self._requests = 0

    def close(self) -> None:
        """Close the connection."""
        self._control.close()

    def subject(self, name: str) -> dict[str, Any]:
        """Open a session and return how the device describes a subject. ValueError: not at all."""
        self._session = self.request(SESSION_START)["sessionId"]
        self.request("/information")
        for subject in self.request("/stream/subjects")["subjects"]:
            if subject["name"] == name:
                return dict(subject)
        raise ValueError(f"the device does not offer {name!r}")

    def request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the body of the response to a request. ValueError: it is refused."""
        self._requests += 1
        message = {
            "sessionId": self._session,
            "addressPath": path,
            "transactionId": self._requests,
            "timestamp": int(1000 * time.time()),
            "type": "request",
            "body": body or {},
        }
        self._control.sendall(pack(json.dumps(message).encode("utf-8")))
        while True:
            piece = self._control.recv(READ_BYTES)
            if not piece:
                raise ValueError(f"the device closed the connection at {path}")
            for packet in self._packets.feed(piece):
                response = json.loads(packet.payload)
                if response["type"] == "response":
                    if "error" in response:
                        raise ValueError(f"{path} is refused: {response['error']['description']}")
                    return response.get("body")


def requested_frame(port: int, subject: str, send: Callable[[], None]) -> tuple[bytes, list[str]]:
    """Ask the device at a port of this machine for a subject; return a datagram, its controls.

    `send` sends a frame of the subject; it is called until one arrives. OSError where none does,
    ValueError where the device refuses or does not describe the subject.
    """
    with ExitStack() as stack:
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind((LOOPBACK, 0))
        receiver.settimeout(SEND_INTERVAL_S)
        client = stack.enter_context(closing(DeviceClient(port)))
        description = client.subject(subject)
        try:
            start = {
                "streamPort": receiver.getsockname()[1],
                "subjects": [{"id": description["id"]}],
            }
            controls = list(description["animationMetadata"]["controls"])
        except KeyError as error:
            raise ValueError(f"the device describes {subject!r} without {error}") from None
        client.request("/stream/start", start)
        return _received(receiver, send), controls


def _received(receiver: socket.socket, send: Callable[[], None]) -> bytes:
    give_up_s = host_now() + RECEIVE_TIMEOUT_S
    while True:
        send()
        try:
            return receiver.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            if host_now() > give_up_s:
                raise TimeoutError("no frame arrived over UDP") from None
