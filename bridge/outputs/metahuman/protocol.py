"""The protocol object of metahuman://: links and the devices of one run, the client with which
`doctor` checks a device, what `listen` sees, and the guide.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import MAX_FRAME, LinkStatus, UdpLink, subject_fault
from cstalk_bridge.outputs.metahuman import messages as wire
from cstalk_bridge.outputs.metahuman.device import (
    ANY_INTERFACE,
    DEFAULT_PORT,
    AccessRules,
    Beacon,
    Device,
)
from cstalk_bridge.outputs.metahuman.messages import (
    CONTROLS,
    HANDSHAKE,
    HEAD_POSE,
    REST,
    FrameEncoder,
    Unpacker,
    pack,
)
from cstalk_bridge.outputs.metahuman.server import Server
from cstalk_bridge.outputs.metahuman.session import SESSION_START
from cstalk_bridge.outputs.protocol import (
    LOOPBACK,
    MAX_DATAGRAM_BYTES,
    RECEIVE_TIMEOUT_S,
    FrameTime,
    ListeningConfig,
    LoopbackFrame,
    OutputProtocol,
    RigMapName,
    SetupGuide,
    by_name,
    timed_frame,
)
from cstalk_bridge.outputs.udp import Delivery, UdpTargets
from cstalk_bridge.system.addresses import ANY_ADDRESS, bind_or_explain
from cstalk_bridge.system.process import PROGRAM_NAME
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.metahuman.device import Feed
    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer, Recorder, StreamFrame
    from cstalk_bridge.outputs.udp import Target
    from cstalk_bridge.system.addresses import SocketAddress
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


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


CURVE_PLACES = {name: place for place, name in enumerate((*CONTROLS, *HEAD_POSE))}
"""Index of each curve in [controls, head pose]."""


def outputs_fault(outputs: Sequence[str]) -> str | None:
    """Return what keeps a device from carrying these outputs of a rig map; None when it can."""
    if unknown := [name for name in outputs if name not in CURVE_PLACES]:
        shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        return f"{len(unknown)} outputs are neither curves of a MetaHuman nor of its head: {shown}"
    if not set(CONTROLS) & set(outputs):
        return "no output is a curve of a MetaHuman"
    return None


class MetaHumanLink(UdpLink):
    """Frames of one subject to all clients of its device that requested them.

    Its values are those of `outputs`: raw curves and, if the rig map has them, the head pose.
    Every curve is sent always; those which are no output rest. `rest` is what the rig map makes of
    a face at rest, [outputs]; None is the rest of each curve. `sent` counts datagrams: none before
    Unreal has asked for the subject. The sockets belong to the thread that sends. ValueError for
    outputs which cannot be carried (`outputs_fault`).
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        outputs: Sequence[str],
        rate: FrameRate,
        rest: Floats | None = None,
    ) -> None:
        if fault := outputs_fault(outputs):
            raise ValueError(fault)
        self._feed = feed
        self._served: tuple[SocketAddress, ...] = ()
        self._encoder = FrameEncoder(feed.id, rate)
        self._places = np.array([CURVE_PLACES[output] for output in outputs], dtype=np.intp)
        self._face = np.concatenate((REST, np.zeros(len(HEAD_POSE), dtype=np.float32)))
        rest = self._face[self._places] if rest is None else rest
        super().__init__(name, len(outputs), UdpTargets(()), rest)

    def status(self, now_s: float) -> LinkStatus:
        """Return what is known of its frames; a client that is connected has asked for them."""
        status = super().status(now_s)
        is_requested = status.delivery is Delivery.SENT
        return LinkStatus(Delivery.LISTENING) if is_requested else status

    def _status_without_receivers(self) -> LinkStatus:
        return LinkStatus(
            Delivery.NO_RECEIVER, f"no device client is connected; {self.receiver_remedy(0)}"
        )

    def _update_targets(self) -> None:
        wanted = () if self._is_closed else self._feed.addresses
        if wanted is not self._served:
            self.targets.replace(wanted)
            self._served = wanted

    def _encode(self, values: Floats, frame: int, subframe: float) -> list[bytes]:
        self._face[self._places] = values
        count = len(CONTROLS)
        number = frame % (MAX_FRAME + 1)
        return [self._encoder.encode(number, subframe, self._face[:count], self._face[count:])]


LOCAL_ONLY = AccessRules()
"""Only this machine may connect, and the device is not discoverable."""


@dataclass(slots=True)
class _Opened:
    device: Device
    bound: socket.socket
    access: AccessRules
    server: Server | None = None

    @property
    def port(self) -> int:
        return int(self.bound.getsockname()[1])


class Devices:
    """The MetaHuman devices of one run of the bridge.

    Each listens from its first link on, and serves from `start` to `close`. `recorder` records
    what Unreal asks for.
    """

    def __init__(self, *, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._opened: dict[tuple[str, int], _Opened] = {}

    def link(
        self,
        where: str,
        place: tuple[str, int],
        subject: str,
        outputs: Sequence[str],
        rate: FrameRate,
        access: AccessRules = LOCAL_ONLY,
        rest: Floats | None = None,
    ) -> MetaHumanLink:
        """Return the link of a subject to the device that listens at `place`, host and port.

        `where` is the link's name, `rest` what the rig map makes of a face at rest. UserError: a
        subject or outputs which a device cannot carry, a subject the device has already, a place at
        which it cannot listen, another `access` than that of the device.
        """
        problems = []
        if fault := subject_fault(subject):
            problems.append(Problem(where, fault, "choose another subject name"))
        if fault := outputs_fault(outputs):
            remedy = "use a rig map which extends metahuman"
            problems.append(Problem(where, f"the rig map does not fit: {fault}", remedy))
        if problems:
            raise UserError.of(problems)
        if place not in self._opened:
            self._opened[place] = self._open(where, *place, access)
        if self._opened[place].access != access:
            what = "allow or discoverable is another than that of a link to the same address"
            raise UserError(Problem(where, what, "write the same behind each of them"))
        feed = self._opened[place].device.add(subject)
        return MetaHumanLink(where, feed, outputs, rate, rest)

    @property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports at which the devices listen, in the order in which they were opened."""
        return tuple(opened.port for opened in self._opened.values())

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices, with their counters."""
        return tuple(opened.device for opened in self._opened.values())

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to serve; `notice` gets where each device is, then clients, from other threads."""
        for opened in self._opened.values():
            device = opened.device
            notice(_offer_notice(device, opened.port))
            interface = opened.bound.getsockname()[0]
            beacon = Beacon(
                device.id,
                device.name,
                opened.port,
                notice,
                interface=interface if opened.bound.family == socket.AF_INET else ANY_INTERFACE,
            )
            opened.server = Server(
                device,
                opened.bound,
                notice=notice,
                is_allowed=opened.access.is_allowed,
                background=beacon.run if opened.access.is_discoverable else None,
            )
            opened.server.start()

    def close(self) -> None:
        """End all sessions and close the devices; close the links before."""
        for opened in self._opened.values():
            if opened.server is not None:
                opened.server.stop()
            opened.bound.close()
        self._opened.clear()

    def _open(self, where: str, host: str, port: int, access: AccessRules) -> _Opened:
        bound = bind_or_explain(where, "tcp", host, port)
        name = f"{PROGRAM_NAME} {socket.gethostname()}"
        suffix = "" if port == DEFAULT_PORT else f" {bound.getsockname()[1]}"
        return _Opened(Device(name + suffix, self._recorder), bound, access)


def _offer_notice(device: Device, port: int) -> str:
    """Report which subject a device offers, and which ones Unreal will not find there."""
    first, *others = [feed.name for feed in device.feeds]
    text = f"MetaHuman device: {first} is at TCP port {port}"
    if others:
        text += (
            f"; Unreal takes the first subject of a device alone, so not {', '.join(others)}: "
            "give each subject a port of its own, or leave the ports out"
        )
    return text


class MetaHumanConfig(ListeningConfig):
    """The address of a MetaHuman device.

    A `discoverable` device responds to searches on the local network.
    """

    protocol: Literal["metahuman"] = "metahuman"
    rigmap: RigMapName = "metahuman_device"
    discoverable: bool = False


class MetaHumanProtocol(OutputProtocol[MetaHumanConfig]):
    """A MetaHuman device to which Unreal connects.

    What serves it is imported where it is needed: every command that reads a config comes here.
    """

    label = "MetaHuman"
    config = MetaHumanConfig
    default_port = DEFAULT_PORT
    starts = (wire.VERSION.to_bytes(2, "little"),)
    tolerance = 1.0 / wire.FULL_SCALE

    def serve(self, recorder: Recorder | None) -> Devices:
        """Return the devices of one run."""

        return Devices(recorder=recorder)

    def open(
        self, config: MetaHumanConfig, source: LinkSource, server: OutputServer | None = None
    ) -> MetaHumanLink:
        """Open the link to the device at its address; UserError as `Devices.link`."""

        if not isinstance(server, Devices):
            raise TypeError(f"{config} listens, and there are no devices to listen with")
        (target,) = config.targets
        access = AccessRules(config.allow, config.discoverable)
        return server.link(
            str(config), (target.host, target.port), source.subject, source.outputs, source.rate,
            access, source.rest,
        )  # fmt: skip

    def loop_back(
        self, config: MetaHumanConfig, source: LinkSource, values: Floats, tick: Tick
    ) -> LoopbackFrame:
        """Open a device on a free port of this machine, ask it for the subject and read a frame."""

        start_s = host_now()
        devices = Devices()
        try:
            link = devices.link(
                str(config), (LOOPBACK, 0), source.subject, source.outputs, source.rate
            )
            try:
                devices.start(lambda _text: None)
                (port,) = devices.ports
                datagram, controls = requested_frame(
                    port, source.subject, lambda: link.send(values, tick)
                )
            finally:
                link.close()
        finally:
            devices.close()
        frame = wire.decode(datagram)
        arrived = by_name(tuple(controls), frame.values) | by_name(wire.HEAD_POSE, frame.pose)
        return LoopbackFrame((datagram,), arrived, host_now() - start_s)

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return the frame of a subject; controls that are not a MetaHuman's 251 are numbered."""
        frame = wire.decode(datagram)
        names = wire.CONTROLS
        if len(frame.values) != len(names):
            # The names of these controls were sent over TCP, to Unreal.
            names = tuple(f"control {index}" for index in range(len(frame.values)))
        time = FrameTime(frame.frame, frame.subframe, frame.rate_numerator, frame.rate_denominator)
        curves = by_name(names, frame.values) | by_name(wire.HEAD_POSE, frame.pose)
        return [timed_frame(self.name, frame.subject_id, time, curves)]

    def guide(
        self,
        config: MetaHumanConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        """Return what to click in Unreal."""
        host = target.host
        if host in ANY_ADDRESS:
            host = " or ".join(addresses) or "this machine's address"
        name = subjects[0]  # Unreal takes the first subject of a device alone.
        steps = (
            "Edit > Plugins: enable Live Link and MetaHuman Live Link, and restart the editor.",
            "Here: cstalk-bridge run. Leave it running: Unreal connects to it, not the other way.",
            "Window > Virtual Production > Live Link > Add Source > Live Link Face (MetaHuman): "
            f"address {host}, port {target.port}.",
            f"Choose the subject there: {name}. The bridge then reports `gets {name}`.",
            f"Details of that subject: smoothing and interpolation to none, for {name} is smooth; "
            "once its face rests, Capture Neutrals: before that Unreal leaves out the head's "
            "translation.",
            f"Select the MetaHuman in the level. Details: choose {name} as its Live Link "
            "subject. A MetaHuman made before 5.6 has no such field: use livelink-face:// for it.",
        )
        return SetupGuide(f"Unreal 5.6 and later: MetaHuman device at {target}", steps)

    def receiver_remedy(self, port: int) -> str:
        """Return how Unreal asks for the frames; `port` is its own, and changes every time."""
        return (
            "in Unreal, Live Link > Add Source > Live Link Face (MetaHuman), and choose the subject"
        )


METAHUMAN = MetaHumanProtocol()
