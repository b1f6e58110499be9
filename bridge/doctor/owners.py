"""Which programs have a port of this machine."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

Transport = Literal["tcp", "udp"]

ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - they are compared, not bound
LISTENING = ("LISTEN", "NONE")
"""States of sockets that take what comes, in TCP and in UDP."""

PROGRAM = "cstalk-bridge"


@dataclass(frozen=True, slots=True)
class Owner:
    """A program with a socket on a port. `process_id` is None where the system keeps it to itself.

    `is_bridge` says that it is a bridge like this one.
    """

    address: str
    name: str
    process_id: int | None
    is_bridge: bool = False

    def hears(self, host: str) -> bool:
        """Whether what is sent to that address of this machine comes to this socket."""
        return self.address in (host, *ANY)

    def __str__(self) -> str:
        return self.name if self.process_id is None else f"{self.name} (pid {self.process_id})"


def owners(transport: Transport, port: int) -> tuple[Owner, ...] | None:
    """Return who has that port, this process left out; None where the system does not tell."""
    try:
        connections = psutil.net_connections(transport)
    except (psutil.Error, OSError):
        # macOS tells it administrators only.
        return None
    found = {}
    for each in connections:
        if not each.laddr or each.laddr.port != port or each.status not in LISTENING:
            continue
        if each.raddr or each.pid == os.getpid():
            continue
        found[each.laddr.ip, each.pid] = _owner(each.laddr.ip, each.pid)
    return tuple(found.values())


def clients(port: int) -> tuple[str, ...]:
    """Return the hosts that are connected to a TCP port of this machine, as far as it tells."""
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


def listed(found: Iterable[Owner]) -> str:
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


def _owner(address: str, process_id: int | None) -> Owner:
    if process_id is None:
        return Owner(address, "a program of another user", None)
    try:
        process = psutil.Process(process_id)
        name = process.name()
    except psutil.Error:
        return Owner(address, "a program", process_id)
    try:
        words = process.cmdline()
    except psutil.Error:
        words = []
    return Owner(address, name, process_id, _is_bridge(words))


def _is_bridge(words: list[str]) -> bool:
    """Tell a bridge by its command line: the command itself, or `python -m bridge`."""
    return any(Path(word).stem == PROGRAM for word in words[:2]) or ("-m", "bridge") in pairwise(
        words
    )
