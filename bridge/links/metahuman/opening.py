"""Devices by the address at which they listen; subjects with a link to one address share one."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.links.livelink_face import subject_fault
from bridge.links.metahuman.access import Access
from bridge.links.metahuman.device import PRODUCT, Device
from bridge.links.metahuman.discovery import ANY_INTERFACE, Beacon
from bridge.links.metahuman.link import MetaHumanLink, outputs_fault
from bridge.links.metahuman.server import Server
from bridge.listening import binding_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.links.metahuman.device import Recorder

DEFAULT_PORT = 14785
"""Where Unreal looks for a device when it is told a host alone."""

LOCAL = Access()
"""This machine alone is let in, and nobody finds the device by looking."""


@dataclass(slots=True)
class _Opened:
    device: Device
    bound: socket.socket
    access: Access
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
        access: Access = LOCAL,
        rest: NDArray[np.float32] | None = None,
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
        """Begin to serve; `notice` is told who is where, then of clients, from other threads."""
        for opened in self._opened.values():
            device = opened.device
            notice(_offer(device, opened.port))
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
                beside=beacon.shine if opened.access.is_discoverable else None,
            )
            opened.server.start()

    def close(self) -> None:
        """End all sessions and close the devices; close the links before."""
        for opened in self._opened.values():
            if opened.server is not None:
                opened.server.stop()
            opened.bound.close()
        self._opened.clear()

    def _open(self, where: str, host: str, port: int, access: Access) -> _Opened:
        bound = _bound_socket(where, host, port)
        name = f"{PRODUCT} {socket.gethostname()}"
        suffix = "" if port == DEFAULT_PORT else f" {bound.getsockname()[1]}"
        return _Opened(Device(name + suffix, self._recorder), bound, access)


def _offer(device: Device, port: int) -> str:
    """Say whom a device offers, and whom Unreal will not find there."""
    first, *others = [feed.name for feed in device.feeds]
    text = f"MetaHuman device: {first} is at TCP port {port}"
    if others:
        text += (
            f"; Unreal takes the first subject of a device alone, so not {', '.join(others)}: "
            "give each subject a port of its own, or leave the ports out"
        )
    return text


def _bound_socket(where: str, host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = min(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE),
            key=lambda found: found[0] != socket.AF_INET,
        )
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise UserError(binding_problem(where, "TCP", host, port, error)) from None
