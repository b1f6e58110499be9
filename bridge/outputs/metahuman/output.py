"""The links of subjects to MetaHuman devices, and the devices of one run by their address."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import MAX_FRAME, UdpLink, subject_fault
from cstalk_bridge.outputs.metahuman.device import DEFAULT_PORT, AccessRules, Device
from cstalk_bridge.outputs.metahuman.discovery import ANY_INTERFACE, Beacon
from cstalk_bridge.outputs.metahuman.frame import CONTROLS, HEAD_POSE, REST, FrameEncoder
from cstalk_bridge.outputs.metahuman.server import Server
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.system.addresses import bind_or_explain
from cstalk_bridge.system.process import PROGRAM_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.metahuman.device import Feed
    from cstalk_bridge.outputs.protocol import Recorder
    from cstalk_bridge.system.addresses import SocketAddress
    from cstalk_bridge.timecode.smpte import FrameRate


CURVE_PLACES = {name: place for place, name in enumerate((*CONTROLS, *HEAD_POSE))}
"""Index of each curve in [controls, head pose]."""


def outputs_fault(outputs: Sequence[str]) -> str | None:
    """Say what keeps a device from carrying these outputs of a rig map; None when it can."""
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
    """Say which subject a device offers, and which ones Unreal will not find there."""
    first, *others = [feed.name for feed in device.feeds]
    text = f"MetaHuman device: {first} is at TCP port {port}"
    if others:
        text += (
            f"; Unreal takes the first subject of a device alone, so not {', '.join(others)}: "
            "give each subject a port of its own, or leave the ports out"
        )
    return text
