"""Where the bridge itself would listen: whether the ports are free, else who has them."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config.device_ports import shared_devices
from bridge.doctor.finding import Finding, fault, ok, warning
from bridge.doctor.firewall import opening
from bridge.doctor.owners import ANY, clients, listed, own_addresses, owners
from bridge.links.protocols import PROTOCOLS
from bridge.listening import binding_problem, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.config.schema import Config
    from bridge.doctor.owners import Transport


@dataclass(frozen=True, slots=True)
class Port:
    """One port at which a run listens; `where` names what listens there."""

    where: str
    transport: Transport
    host: str
    number: int

    def __str__(self) -> str:
        return f"{self.transport.upper()} port {self.number} of {self.host}"


def ports(config: Config) -> list[Port]:
    """Return every port at which a run of that config listens, each once."""
    found = [
        Port(str(link), "tcp", target.host, target.port)
        for subject in config.subjects
        for link in subject.links
        if PROTOCOLS[link.protocol].listens
        for target in link.targets
    ]
    if config.preview is not None:
        found.append(Port("preview", "tcp", config.preview.host, config.preview.port))
    if config.control.osc is not None:
        osc = config.control.osc
        found.append(Port("control", "udp", osc.host, osc.port))
    return list(dict.fromkeys(found))


def examine_ports(config: Config) -> Iterator[Finding]:
    """Try to listen at every port as a run does, one after another; say who is in the way."""
    wanted = ports(config)
    for port in wanted:
        yield _examined(port)
    yield from _shared(config)
    yield from _wanted_twice(wanted)
    yield from _sent_to_ourselves(config, wanted)


def _examined(port: Port) -> Finding:
    if port.number == 0:
        return ok(port.where, f"any free {port.transport.upper()} port of {port.host}")
    error = _binding_error(port)
    if error is None:
        if is_loopback(port.host):
            return ok(port.where, f"{port} is free; only this machine comes in there")
        found = ", ".join(own_addresses()) if port.host in ANY else port.host
        what = f"{port} is free; other machines come in at {found or 'no address'}"
        return ok(port.where, what, opening(port.transport, port.number))
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return _taken(port)
    problem = binding_problem(port.where, port.transport.upper(), port.host, port.number, error)
    return fault(port.where, problem.what, problem.remedy)


def _shared(config: Config) -> Iterator[Finding]:
    for place, subjects in shared_devices(config).items():
        *names, last = [subject.name for subject in subjects]
        what = f"{', '.join(names)} and {last} share one device, and Unreal takes {names[0]} alone"
        remedy = "give each subject a port of its own, or leave the ports out"
        yield warning(place, what, remedy)


def _wanted_twice(wanted: Sequence[Port]) -> Iterator[Finding]:
    for number, port in enumerate(wanted):
        for other in wanted[:number]:
            is_one = (port.transport, port.number) == (other.transport, other.number)
            if (
                is_one
                and port.number
                and (port.host == other.host or {port.host, other.host} & ANY)
            ):
                what = f"{port} is wanted by {other.where} too"
                yield fault(port.where, what, "give each a port of its own")


def _sent_to_ourselves(config: Config, wanted: Sequence[Port]) -> Iterator[Finding]:
    listening = {port.number: port for port in wanted if port.transport == "udp"}
    for subject in config.subjects:
        for link in subject.links:
            for target in link.targets:
                port = listening.get(target.port)
                if port is None or PROTOCOLS[link.protocol].listens:
                    continue
                if is_loopback(target.host) or target.host == port.host:
                    what = f"it sends to {port}, where this bridge itself listens ({port.where})"
                    yield fault(str(link), what, "give one of the two another port")


def _taken(port: Port) -> Finding:
    found = owners(port.transport, port.number) or ()
    if not found:
        remedy = "end the program that has it, or choose another port"
        return fault(port.where, f"{port} is taken", remedy)
    who = listed(found)
    if all(owner.is_bridge for owner in found):
        what = f"{port} is taken by a bridge that runs already: {who}"
        if port.transport == "tcp":
            what += f"; connected to it: {', '.join(clients(port.number)) or 'nobody'}"
        return warning(port.where, what, "if it is not the one you mean, end it")
    return fault(port.where, f"{port} is taken by {who}", "end that, or choose another port")


def _binding_error(port: Port) -> OSError | UnicodeError | None:
    """Return what keeps us from listening there; the port is free again afterwards."""
    kind = socket.SOCK_STREAM if port.transport == "tcp" else socket.SOCK_DGRAM
    try:
        family, _, _, _, address = min(
            socket.getaddrinfo(port.host, port.number, type=kind, flags=socket.AI_PASSIVE),
            key=lambda found: found[0] != socket.AF_INET,
        )
        if kind == socket.SOCK_STREAM:
            socket.create_server(address[:2], family=family).close()
        else:
            with socket.socket(family, kind) as trying:
                trying.bind(address)
    except (OSError, UnicodeError) as error:
        return error
    return None
