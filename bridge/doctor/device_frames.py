"""A frame of a MetaHuman link: through a device of its own, asked for as Unreal asks."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from contextlib import closing as closed_at_the_end
from typing import TYPE_CHECKING, Any

from bridge.clock.host import host_now
from bridge.clock.tick import Tick
from bridge.doctor.finding import Finding, fault
from bridge.doctor.frames import (
    FRAME,
    LOOPBACK,
    MAX_DATAGRAM_BYTES,
    PATIENCE_S,
    compared,
    misfits,
    sample,
)
from bridge.errors import UserError
from bridge.links.metahuman.conversation import SESSION_START
from bridge.links.metahuman.frame import FULL_SCALE, HEAD_POSE, DeviceFrame, decode
from bridge.links.metahuman.framing import Unpacker, pack
from bridge.links.metahuman.messages import HANDSHAKE
from bridge.links.metahuman.opening import Devices

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.links.metahuman.link import MetaHumanLink
    from bridge.links.spec import LinkSpec
    from bridge.rig.rigmap import RigMap

READ_BYTES = 1 << 14
MAX_PAYLOAD_BYTES = 1 << 20
"""A description of one subject has 8 kB."""

PACE_S = 0.01
"""Between two frames, until one arrives: the device serves in a thread of its own."""

WIRE_STEP = 1.0 / FULL_SCALE


class Client:
    """The other side of the conversation, as far as it takes to get frames."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection((LOOPBACK, port), PATIENCE_S)
        self._packets = Unpacker(MAX_PAYLOAD_BYTES)
        self._session = HANDSHAKE
        self._asked = 0

    def close(self) -> None:
        """Hang up."""
        self._control.close()

    def subject(self, name: str) -> dict[str, Any]:
        """Open a session and return how the device describes a subject. ValueError: not at all."""
        self._session = self.ask(SESSION_START)["sessionId"]
        self.ask("/information")
        for subject in self.ask("/stream/subjects")["subjects"]:
            if subject["name"] == name:
                return dict(subject)
        raise ValueError(f"the device does not offer {name!r}")

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the body of the answer to a request. ValueError: it is refused."""
        self._asked += 1
        message = {
            "sessionId": self._session,
            "addressPath": path,
            "transactionId": self._asked,
            "timestamp": int(1000 * time.time()),
            "type": "request",
            "body": body or {},
        }
        self._control.sendall(pack(json.dumps(message).encode("utf-8")))
        while True:
            piece = self._control.recv(READ_BYTES)
            if not piece:
                raise ValueError(f"the device hung up at {path}")
            for packet in self._packets.feed(piece):
                answer = json.loads(packet.payload)
                if answer["type"] == "response":
                    if "error" in answer:
                        raise ValueError(f"{path} is refused: {answer['error']['description']}")
                    return answer.get("body")


def examine_device_frame(
    link: LinkSpec, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Open a device on a free port of this machine, ask it for the subject and read a frame."""
    values = sample(rigmap)
    where = f"{subject} {link.protocol}"
    start_s = host_now()
    with ExitStack() as closing:
        devices = Devices()
        closing.callback(devices.close)
        try:
            opened = devices.link(str(link), (LOOPBACK, 0), subject, rigmap.outputs, rate)
        except UserError as error:
            yield from misfits(error, f"{subject} {link}")
            return
        closing.callback(opened.close)
        devices.start(lambda _text: None)
        try:
            datagram, controls = _asked_for(opened, devices.ports[0], subject, values)
            arrived = _named(decode(datagram), controls)
        except (OSError, ValueError, KeyError) as error:
            what = f"the device does not give its own frames: {error}"
            yield fault(where, what, "a firewall or security program may block this machine")
            return
    took_ms = 1e3 * (host_now() - start_s)
    wanted = dict(zip(rigmap.outputs, values.tolist(), strict=True))
    yield compared(where, arrived, wanted, [datagram], took_ms, WIRE_STEP)


def _asked_for(
    opened: MetaHumanLink, port: int, subject: str, values: NDArray[np.float32]
) -> tuple[bytes, list[str]]:
    """Ask the device for a subject, let its link send, and return what came and its controls."""
    with ExitStack() as closing:
        ear = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ear.bind((LOOPBACK, 0))
        ear.settimeout(PACE_S)
        client = closing.enter_context(closed_at_the_end(Client(port)))
        described = client.subject(subject)
        stream = {"streamPort": ear.getsockname()[1], "subjects": [{"id": described["id"]}]}
        client.ask("/stream/start", stream)
        return _sent(opened, values, ear), described["animationMetadata"]["controls"]


def _sent(opened: MetaHumanLink, values: NDArray[np.float32], ear: socket.socket) -> bytes:
    """Send the frame until it arrives. TimeoutError: it does not."""
    give_up_s = host_now() + PATIENCE_S
    while True:
        opened.send(values, Tick(0, host_now(), FRAME))
        try:
            return ear.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            if host_now() > give_up_s:
                raise TimeoutError("no frame arrived over UDP") from None


def _named(frame: DeviceFrame, controls: list[str]) -> dict[str, float]:
    values = dict(zip(controls, frame.values.tolist(), strict=True))
    return values | dict(zip(HEAD_POSE, frame.pose.tolist(), strict=True))
