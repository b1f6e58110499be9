"""Checks the frames of every link: sent by the link's own code to this machine, and decoded
again.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from contextlib import closing as closed_at_the_end
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.diagnostics.checks import Finding, fault, ok
from cstalk_bridge.errors import UserError
from cstalk_bridge.outputs import livelink_face, osc_messages
from cstalk_bridge.outputs.metahuman.frame import FULL_SCALE, HEAD_POSE, DeviceFrame, decode
from cstalk_bridge.outputs.metahuman.messages import HANDSHAKE, Unpacker, pack
from cstalk_bridge.outputs.metahuman.output import Devices
from cstalk_bridge.outputs.metahuman.session import SESSION_START
from cstalk_bridge.outputs.registry import open_link
from cstalk_bridge.outputs.udp import Target
from cstalk_bridge.outputs.vmc import APPLY, SHAPE, shape_name
from cstalk_bridge.timecode.tick import Tick, host_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.metahuman.output import MetaHumanLink
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.timecode.smpte import FrameRate


RECEIVE_TIMEOUT_S = 2.0
"""How long a datagram may take within this machine."""

MAX_DATAGRAM_BYTES = 65536
LOOPBACK = "127.0.0.1"

FRAME = 5_375_735
"""The number of the frame that is sent: of a late evening at 60 fps."""

TOLERANCE = 1e-6
"""Values are float32 on the way, and nothing else."""


def examine_frame(
    link: LinkConfig, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Send one frame of a UDP link to ourselves, with values for all outputs of its rig map."""
    where = f"{subject} {link.protocol}"
    values = sample_values(rigmap)
    with ExitStack() as closing:
        ear = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ear.bind((LOOPBACK, 0))
        ourselves = Target(host=LOOPBACK, port=ear.getsockname()[1])
        aimed = link.model_copy(update={"targets": (ourselves,)})
        try:
            opened = open_link(aimed, subject, rigmap.outputs, rate)
        except UserError as error:
            yield from count_misfits(error, f"{subject} {link}")
            return
        closing.callback(opened.close)
        start_s = host_now()
        opened.send(values, Tick(0, start_s, FRAME))
        datagrams = _receive(ear, opened.sent)
        took_ms = 1e3 * (host_now() - start_s)
    if not datagrams:
        what = "a frame sent within this machine did not arrive"
        yield fault(where, what, "a firewall or security program blocks UDP on this machine")
        return
    try:
        arrived = read_frame(link, subject, rigmap.outputs, datagrams)
    except ValueError as error:
        yield fault(where, f"a frame came back as something else: {error}")
        return
    yield compare_values(
        where, arrived, expected_values(link, rigmap.outputs, values), datagrams, took_ms
    )


def count_misfits(error: UserError, where: str) -> list[Finding]:
    """Return what keeps a link from being opened, with the link's own name."""
    return [fault(where, each.what, each.remedy) for each in error.problems]


def sample_values(rigmap: RigMap) -> NDArray[np.float32]:
    """Return values for all outputs, each another one, 0 to 1 as far as its range allows."""
    shares = np.linspace(0.1, 0.9, len(rigmap.outputs), dtype=np.float32)
    low = np.clip(rigmap.minimum[: len(shares)], 0.0, 1.0)
    high = np.clip(rigmap.maximum[: len(shares)], 0.0, 1.0)
    return np.asarray(low + shares * (high - low), dtype=np.float32)


def expected_values(
    link: LinkConfig, outputs: Sequence[str], values: NDArray[np.float32]
) -> dict[str, float]:
    """Return what the receiver of a link must see of these outputs."""
    named = dict(zip(outputs, values.tolist(), strict=True))
    if link.protocol == "osc":
        return {f"{link.prefix}/{name}": value for name, value in named.items()}
    if link.protocol == "vmc":
        shapes = {
            shape_name(name, link.presets, link.casing): value for name, value in named.items()
        }
        return {name: value for name, value in shapes.items() if name is not None}
    return named


def read_frame(
    link: LinkConfig, subject: str, outputs: Sequence[str], datagrams: Sequence[bytes]
) -> dict[str, float]:
    """Return the values by name that stand in the datagrams of a frame. ValueError: none do."""
    if link.protocol == "livelink-face":
        (datagram,) = datagrams
        packet = livelink_face.decode(datagram)
        if (packet.subject, packet.frame) != (subject, FRAME) or packet.values is None:
            raise ValueError(f"frame {packet.frame} of {packet.subject!r}, not {FRAME}")
        return dict(zip(outputs, packet.values.tolist(), strict=True))
    messages = [
        message for datagram in datagrams for message in osc_messages.decode_packet(datagram)
    ]
    if link.protocol == "vmc":
        if messages[-1].address != APPLY:
            raise ValueError(f"the last message is {messages[-1].address}, not {APPLY}")
        return dict(_numbers(m.arguments) for m in messages if m.address == SHAPE)
    return dict(_numbers((message.address, *message.arguments)) for message in messages)


def compare_values(
    where: str,
    arrived: dict[str, float],
    wanted: dict[str, float],
    datagrams: Sequence[bytes],
    took_ms: float,
    tolerance: float = TOLERANCE,
) -> Finding:
    """Say whether what arrived is what was sent."""
    missing = [name for name in wanted if name not in arrived]
    wrong = [
        name
        for name, value in wanted.items()
        if name in arrived and abs(arrived[name] - value) > tolerance
    ]
    if missing or wrong:
        name = (missing + wrong)[0]
        what = f"{len(missing)} values are missing and {len(wrong)} are others, first {name}"
        return fault(where, what, "please report it with your rig map")
    count = "1 datagram" if len(datagrams) == 1 else f"{len(datagrams)} datagrams"
    size = sum(map(len, datagrams))
    what = f"{len(wanted)} values left in {count} of {size} bytes, arrived and read the same"
    return ok(where, f"{what} after {took_ms:.1f} ms")


def _numbers(arguments: tuple[osc_messages.Argument, ...]) -> tuple[str, float]:
    match arguments:
        case (str(name), float(value)):
            return name, value
    raise ValueError(f"arguments {arguments!r} are not a name and a float")


def _receive(ear: socket.socket, count: int) -> list[bytes]:
    """Return so many datagrams, none where one of them does not come."""
    ear.settimeout(RECEIVE_TIMEOUT_S)
    try:
        return [ear.recv(MAX_DATAGRAM_BYTES) for _ in range(count)]
    except TimeoutError:
        return []


READ_BYTES = 1 << 14
MAX_PAYLOAD_BYTES = 1 << 20
"""A description of one subject has 8 kB."""

SEND_INTERVAL_S = 0.01
"""Between two frames, until one arrives: the device serves in a thread of its own."""

WIRE_STEP = 1.0 / FULL_SCALE


class DeviceClient:
    """The other side of the conversation, as far as it takes to get frames."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection((LOOPBACK, port), RECEIVE_TIMEOUT_S)
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
    link: LinkConfig, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Open a device on a free port of this machine, ask it for the subject and read a frame."""
    values = sample_values(rigmap)
    where = f"{subject} {link.protocol}"
    start_s = host_now()
    with ExitStack() as closing:
        devices = Devices()
        closing.callback(devices.close)
        try:
            opened = devices.link(str(link), (LOOPBACK, 0), subject, rigmap.outputs, rate)
        except UserError as error:
            yield from count_misfits(error, f"{subject} {link}")
            return
        closing.callback(opened.close)
        devices.start(lambda _text: None)
        try:
            datagram, controls = _requested_frame(opened, devices.ports[0], subject, values)
            arrived = _named(decode(datagram), controls)
        except (OSError, ValueError, KeyError) as error:
            what = f"the device does not give its own frames: {error}"
            yield fault(where, what, "a firewall or security program may block this machine")
            return
    took_ms = 1e3 * (host_now() - start_s)
    wanted = dict(zip(rigmap.outputs, values.tolist(), strict=True))
    yield compare_values(where, arrived, wanted, [datagram], took_ms, WIRE_STEP)


def _requested_frame(
    opened: MetaHumanLink, port: int, subject: str, values: NDArray[np.float32]
) -> tuple[bytes, list[str]]:
    """Ask the device for a subject, let its link send, and return what came and its controls."""
    with ExitStack() as closing:
        ear = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ear.bind((LOOPBACK, 0))
        ear.settimeout(SEND_INTERVAL_S)
        client = closing.enter_context(closed_at_the_end(DeviceClient(port)))
        described = client.subject(subject)
        stream = {"streamPort": ear.getsockname()[1], "subjects": [{"id": described["id"]}]}
        client.ask("/stream/start", stream)
        return _sent(opened, values, ear), described["animationMetadata"]["controls"]


def _sent(opened: MetaHumanLink, values: NDArray[np.float32], ear: socket.socket) -> bytes:
    """Send the frame until it arrives. TimeoutError: it does not."""
    give_up_s = host_now() + RECEIVE_TIMEOUT_S
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
