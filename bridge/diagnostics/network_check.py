"""Checks of the network: ports, firewall, targets, and frames of every link that are received and
decoded again.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from cstalk_bridge.config.load import shared_devices
from cstalk_bridge.diagnostics.report import Finding, fault, ok, warning
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.protocol import LinkSource, ListeningConfig, listening
from cstalk_bridge.outputs.registry import protocol_of
from cstalk_bridge.outputs.udp import find_host, unknown_host
from cstalk_bridge.system.addresses import (
    ANY_ADDRESS,
    Transport,
    bind,
    binding_problem,
    is_loopback,
)
from cstalk_bridge.timecode.tick import Tick, host_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.outputs.protocol import LinkConfig, LoopbackFrame
    from cstalk_bridge.outputs.udp import Target
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.timecode.smpte import FrameRate


FRAME = 5_375_735
"""The number of the frame that is sent: of a late evening at 60 fps."""


def examine_frame(
    link: LinkConfig, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Send one frame of a link to this machine, with values for all outputs of its rig map."""
    where = f"{subject} {link.protocol}"
    protocol = protocol_of(link)
    source = LinkSource(subject, tuple(rigmap.outputs), rate)
    values = sample_values(rigmap)
    try:
        arrived = protocol.loop_back(link, source, values, Tick(0, host_now(), FRAME))
    except UserError as error:
        # With the link's own name, not that of the place at which it was opened here.
        yield from (fault(f"{subject} {link}", each.what, each.remedy) for each in error.problems)
    except OSError as error:
        what = f"a frame sent within this machine did not arrive: {error}"
        yield fault(where, what, "a firewall or security program may block this machine")
    except ValueError as error:
        yield fault(where, f"the frame was decoded as something else: {error}")
    else:
        wanted = protocol.expected(link, source, values)
        yield compare_values(where, arrived, wanted, protocol.tolerance)


def sample_values(rigmap: RigMap) -> NDArray[np.float32]:
    """Return values for all outputs, each another one, 0 to 1 as far as its range allows."""
    fractions = np.linspace(0.1, 0.9, len(rigmap.outputs), dtype=np.float32)
    low = np.clip(rigmap.minimum[: len(fractions)], 0.0, 1.0)
    high = np.clip(rigmap.maximum[: len(fractions)], 0.0, 1.0)
    return np.asarray(low + fractions * (high - low), dtype=np.float32)


def compare_values(
    where: str, arrived: LoopbackFrame, wanted: dict[str, float], tolerance: float
) -> Finding:
    """Report whether what arrived is what was sent, each value within `tolerance`."""
    missing = [name for name in wanted if name not in arrived.values]
    wrong = [
        name
        for name, value in wanted.items()
        if name in arrived.values and abs(arrived.values[name] - value) > tolerance
    ]
    if missing or wrong:
        name = (missing + wrong)[0]
        what = f"{len(missing)} values are missing and {len(wrong)} are others, first {name}"
        return fault(where, what, "please report it with your rig map")
    count = len(arrived.datagrams)
    datagrams = "1 datagram" if count == 1 else f"{count} datagrams"
    size = sum(map(len, arrived.datagrams))
    what = (
        f"{len(wanted)} values sent in {datagrams} of {size} bytes, arrived and decoded unchanged"
    )
    return ok(where, f"{what} after {1e3 * arrived.took_s:.1f} ms")


LISTENING_STATES = ("LISTEN", "NONE")
"""States of sockets that take what comes, in TCP and in UDP."""

PROGRAM = "cstalk-bridge"


@dataclass(frozen=True, slots=True)
class PortOwner:
    """A program with a socket on a port. `process_id` is None where the system keeps it to itself.

    `is_bridge` means that it is a bridge like this one.
    """

    address: str
    name: str
    process_id: int | None
    is_bridge: bool = False

    def receives(self, host: str) -> bool:
        """Whether what is sent to that address of this machine comes to this socket."""
        return self.address in (host, *ANY_ADDRESS)

    def __str__(self) -> str:
        return self.name if self.process_id is None else f"{self.name} (pid {self.process_id})"


def port_owners(transport: Transport, port: int) -> tuple[PortOwner, ...] | None:
    """Return who has that port, this process left out; None where the system keeps it to itself."""
    try:
        connections = psutil.net_connections(transport)
    except (psutil.Error, OSError):
        # macOS reports it to administrators only.
        return None
    found = {}
    for each in connections:
        if not each.laddr or each.laddr.port != port or each.status not in LISTENING_STATES:
            continue
        if each.raddr or each.pid == os.getpid():
            continue
        found[each.laddr.ip, each.pid] = _owner(each.laddr.ip, each.pid)
    return tuple(found.values())


def connected_clients(port: int) -> tuple[str, ...]:
    """Return the hosts that are connected to a TCP port of this machine, as far as known."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ()
    hosts = (
        each.raddr.ip
        for each in connections
        if each.laddr
        and each.laddr.port == port
        and each.raddr
        and each.status == psutil.CONN_ESTABLISHED
    )
    return tuple(dict.fromkeys(hosts))


def owner_names(found: Iterable[PortOwner]) -> str:
    """Return the programs, each once."""
    return ", ".join(dict.fromkeys(map(str, found)))


def own_addresses() -> tuple[str, ...]:
    """Return the IPv4 addresses at which other machines reach this one."""
    addresses = [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family.name == "AF_INET"
    ]
    return tuple(each for each in addresses if not ipaddress.ip_address(each).is_loopback)


def _owner(address: str, process_id: int | None) -> PortOwner:
    if process_id is None:
        return PortOwner(address, "a program of another user", None)
    try:
        process = psutil.Process(process_id)
        name = process.name()
    except psutil.Error:
        return PortOwner(address, "a program", process_id)
    try:
        arguments = process.cmdline()
    except psutil.Error:
        arguments = []
    return PortOwner(address, name, process_id, _is_bridge(arguments))


def _is_bridge(arguments: list[str]) -> bool:
    """Recognise a bridge by its command line: the command itself, or `python -m cstalk_bridge`."""
    return any(Path(word).stem == PROGRAM for word in arguments[:2]) or (
        "-m",
        "cstalk_bridge",
    ) in pairwise(arguments)


FIREWALL_GUIDE = "docs/unreal.md has the commands for other systems"


def firewall_remedy(transport: Transport, port: int, platform: str = sys.platform) -> str:
    """Return how to let a port into this machine."""
    if platform == "win32":
        return (
            "as administrator: netsh advfirewall firewall add rule name=CSTalk dir=in "
            f"action=allow protocol={transport.upper()} localport={port}"
        )
    if platform == "darwin":
        return "System Settings > Network > Firewall > Options: allow incoming connections"
    return f"sudo ufw allow {port}/{transport}, or firewall-cmd --add-port={port}/{transport}"


def remote_firewall_remedy(transport: Transport, port: int) -> str:
    """Return how to let a port into another machine, which as a rule is the engine's: Windows."""
    windows = firewall_remedy(transport, port, "win32")
    return f"let {transport.upper()} port {port} in at that machine, {windows} ({FIREWALL_GUIDE})"


@dataclass(frozen=True, slots=True)
class Port:
    """One port at which a run listens; `where` names what listens there."""

    where: str
    transport: Transport
    host: str
    number: int

    def __str__(self) -> str:
        return f"{self.transport.upper()} port {self.number} of {self.host}"


def listening_ports(config: Config) -> list[Port]:
    """Return every port at which a run of that config listens, each once."""
    found = [
        Port(str(link), "tcp", target.host, target.port)
        for subject in config.subjects
        for link in listening(subject.links)
        for target in link.targets
    ]
    if config.preview is not None:
        found.append(Port("preview", "tcp", config.preview.host, config.preview.port))
    if config.health is not None:
        found.append(Port("health", "tcp", config.health.host, config.health.port))
    if config.control.osc is not None:
        osc = config.control.osc
        found.append(Port("control", "udp", osc.host, osc.port))
    return list(dict.fromkeys(found))


def examine_ports(config: Config) -> Iterator[Finding]:
    """Bind every port that a run binds, one after another; name the programs that have one."""
    ports = listening_ports(config)
    for port in ports:
        yield _check_port(port)
    yield from _check_shared_devices(config)
    yield from _check_duplicates(ports)
    yield from _check_own_targets(config, ports)


def _check_port(port: Port) -> Finding:
    if port.number == 0:
        return ok(port.where, f"any free {port.transport.upper()} port of {port.host}")
    error = _binding_error(port)
    if error is None:
        if is_loopback(port.host):
            return ok(port.where, f"{port} is free; only this machine can reach it")
        found = ", ".join(own_addresses()) if port.host in ANY_ADDRESS else port.host
        what = f"{port} is free; other machines reach it at {found or 'no address'}"
        return ok(port.where, what, firewall_remedy(port.transport, port.number))
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return _port_taken(port)
    problem = binding_problem(port.where, port.transport, port.host, port.number, error)
    return fault(port.where, problem.what, problem.remedy)


def _check_shared_devices(config: Config) -> Iterator[Finding]:
    for place, subjects in shared_devices(config).items():
        *names, last = [subject.name for subject in subjects]
        what = f"{', '.join(names)} and {last} share one device, and Unreal takes {names[0]} alone"
        remedy = "give each subject a port of its own, or leave the ports out"
        yield warning(place, what, remedy)


def _check_duplicates(ports: Sequence[Port]) -> Iterator[Finding]:
    for number, port in enumerate(ports):
        for other in ports[:number]:
            is_one = (port.transport, port.number) == (other.transport, other.number)
            if (
                is_one
                and port.number
                and (port.host == other.host or {port.host, other.host} & ANY_ADDRESS)
            ):
                what = f"{port} is also used by {other.where}"
                yield fault(port.where, what, "give each a port of its own")


def _check_own_targets(config: Config, ports: Sequence[Port]) -> Iterator[Finding]:
    listening = {port.number: port for port in ports if port.transport == "udp"}
    for subject in config.subjects:
        for link in subject.links:
            for target in link.targets:
                port = listening.get(target.port)
                if port is None or isinstance(link, ListeningConfig):
                    continue
                if is_loopback(target.host) or target.host == port.host:
                    what = f"it sends to {port}, where this bridge itself listens ({port.where})"
                    yield fault(str(link), what, "give one of the two another port")


def _port_taken(port: Port) -> Finding:
    found = port_owners(port.transport, port.number) or ()
    if not found:
        remedy = "end the program that has it, or choose another port"
        return fault(port.where, f"{port} is taken", remedy)
    who = owner_names(found)
    if all(owner.is_bridge for owner in found):
        what = f"{port} is taken by a bridge that runs already: {who}"
        if port.transport == "tcp":
            what += f"; connected to it: {', '.join(connected_clients(port.number)) or 'nobody'}"
        return warning(port.where, what, "if it is not the one you mean, end it")
    return fault(port.where, f"{port} is taken by {who}", "end that, or choose another port")


def _binding_error(port: Port) -> OSError | UnicodeError | None:
    """Return why the port cannot be bound; it is free again afterwards."""
    try:
        bind(port.transport, port.host, port.number).close()
    except (OSError, UnicodeError) as error:
        return error
    return None


REFUSAL_S = 3.5
"""How long a refusal may take: a machine that is not on the local network is given up by the system
after 3 s."""

REFUSAL_HERE_S = 0.2
"""The same within this machine, where it comes at once."""

PROBE = b""
"""A datagram without a byte: no receiver takes it for a frame, and every system answers for a port
on which no program listens."""

NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class TargetReach:
    """State of a target.

    `address` is what its host was resolved to, `by_address` ours on the way there; `error` what the
    system returned, `received_by` the programs of this machine that have the port: None where the
    system keeps it to itself, or it is another machine.
    """

    address: str
    port: int
    by_address: str
    is_here: bool
    error: OSError | None = None
    received_by: tuple[PortOwner, ...] | None = None


def examine_target(link: LinkConfig, target: Target) -> Finding:
    """Check whether a program listens at a target of a link. UserError: its host is unknown."""
    return judge_target(link, probe_target(target))


def probe_target(target: Target, timeout_s: float = REFUSAL_S) -> TargetReach:
    """Send a probe to a target and wait for a refusal. UserError: its host is unknown."""
    try:
        family, address = find_host(target)
    except (OSError, UnicodeError) as error:
        raise UserError(unknown_host(target, error)) from None
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            probe.connect(address)
        except OSError as unreachable:
            return TargetReach(address[0], target.port, "", is_here=False, error=unreachable)
        by_address = probe.getsockname()[0]
        is_here = by_address == address[0] or ipaddress.ip_address(by_address).is_loopback
        probe.settimeout(REFUSAL_HERE_S if is_here else timeout_s)
        refusal = _refusal(probe)
    owners = port_owners("udp", target.port) if is_here else None
    receivers = None if owners is None else tuple(o for o in owners if o.receives(address[0]))
    return TargetReach(address[0], target.port, by_address, is_here, refusal, receivers)


def _refusal(probe: socket.socket) -> OSError | None:
    """Send the probe, and return the error that comes back in time."""
    try:
        probe.send(PROBE)
        probe.recv(1)
    except TimeoutError:
        return None
    except OSError as error:
        return error
    return None


def judge_target(link: LinkConfig, found: TargetReach) -> Finding:
    """Report whether a program will receive the frames of a link at a target."""
    place = f"UDP port {found.port} of {found.address}"
    where = str(link)
    number = found.error.errno if found.error else None
    if number in NO_ROUTE:
        what = f"there is no route to {found.address} ({_reason(found.error)})"
        return fault(where, what, "check the address, the cable or Wi-Fi, and any VPN")
    # Where the system lists all sockets, its list counts, also if it swallowed the refusal.
    is_refused = isinstance(found.error, ConnectionRefusedError | ConnectionResetError)
    if is_refused or (found.error is None and found.received_by == ()):
        return fault(
            where, f"no program listens at {place}", protocol_of(link).receiver_remedy(found.port)
        )
    if found.error is not None:
        return fault(where, f"{place} cannot be sent to ({_reason(found.error)})")
    if not found.is_here:
        what = (
            f"{place}, from {found.by_address}: no refusal arrived. A firewall that drops packets "
            "silently, or a machine that is off, looks just the same"
        )
        remedy = f"`cstalk-bridge listen --port {found.port}` there shows what arrives; else "
        return ok(where, what, remedy + remote_firewall_remedy("udp", found.port))
    if found.received_by is None:
        # Nothing refused the probe, and the owner of the port is hidden from this user.
        return ok(where, f"{place}, this machine: a program listens")
    who = owner_names(found.received_by)
    if len({owner.process_id for owner in found.received_by}) > 1:
        what = f"{place}: {who} listen at once, and each frame comes to one of them"
        return warning(where, what, "end those that should not receive")
    if any(owner.is_bridge for owner in found.received_by):
        what = f"{place}: it is used by a bridge or `listen` ({who}), not the engine"
        return warning(where, what, "end it before the engine starts")
    return ok(where, f"{place}, this machine: {who} listens")


def _reason(error: OSError | None) -> str:
    return (error.strerror or str(error)) if error else ""
