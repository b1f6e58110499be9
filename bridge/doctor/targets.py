"""Where links send: the address it is, the way there, and whether anybody listens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.doctor.finding import Finding, fault, ok, warning
from bridge.doctor.firewall import opening_there
from bridge.doctor.owners import listed, owners
from bridge.errors import UserError
from bridge.links.names import find, unknown
from bridge.links.protocols import PROTOCOLS

if TYPE_CHECKING:
    from bridge.doctor.owners import Owner
    from bridge.links.spec import LinkSpec
    from bridge.links.target import Target

REFUSAL_S = 3.5
"""How long a refusal may take: a machine that is not on the local network is given up by the system
after 3 s."""

REFUSAL_HERE_S = 0.2
"""The same within this machine, where it comes at once."""

PROBE = b""
"""A datagram without a byte: no receiver takes it for a frame, and every system answers for a port
on which nobody listens."""

NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known of a target.

    `address` is what its host was resolved to, `by_address` ours on the way there; `error` what the
    system said of it, `heard_by` the programs of this machine that have the port: None where that
    is not told, or it is another machine.
    """

    address: str
    port: int
    by_address: str
    is_here: bool
    error: OSError | None = None
    heard_by: tuple[Owner, ...] | None = None


def examine_target(link: LinkSpec, target: Target) -> Finding:
    """Find a target of a link and ask whether anybody is there. UserError: its host is unknown."""
    return judge(link, reach(target))


def reach(target: Target, patience_s: float = REFUSAL_S) -> Reach:
    """Resolve a target, knock at its port, and wait for a refusal. UserError: unknown host."""
    try:
        family, address = find(target)
    except (OSError, UnicodeError) as unheard:
        raise UserError(unknown(target, unheard)) from None
    with socket.socket(family, socket.SOCK_DGRAM) as knocking:
        knocking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            knocking.connect(address)
        except OSError as refused:
            return Reach(address[0], target.port, "", is_here=False, error=refused)
        by_address = knocking.getsockname()[0]
        is_here = by_address == address[0] or ipaddress.ip_address(by_address).is_loopback
        knocking.settimeout(REFUSAL_HERE_S if is_here else patience_s)
        error = _refusal(knocking)
    found = owners("udp", target.port) if is_here else None
    heard_by = None if found is None else tuple(o for o in found if o.hears(address[0]))
    return Reach(address[0], target.port, by_address, is_here, error, heard_by)


def _refusal(knocking: socket.socket) -> OSError | None:
    """Knock, and return what the system says of it in time."""
    try:
        knocking.send(PROBE)
        knocking.recv(1)
    except TimeoutError:
        return None
    except OSError as error:
        return error
    return None


def judge(link: LinkSpec, found: Reach) -> Finding:
    """Say whether frames of a link will find somebody at a target."""
    place = f"UDP port {found.port} of {found.address}"
    where = str(link)
    number = found.error.errno if found.error else None
    if number in NO_WAY:
        what = f"there is no way to {found.address} ({_reason(found.error)})"
        return fault(where, what, "check the address, the cable or Wi-Fi, and any VPN")
    if isinstance(found.error, ConnectionRefusedError | ConnectionResetError):
        return fault(where, f"nobody listens at {place}", _nobody(link, found))
    if found.error is not None:
        return fault(where, f"{place} cannot be sent to ({_reason(found.error)})")
    if not found.is_here:
        what = (
            f"{place}, from {found.by_address}: nothing refuses it. A firewall that drops packets "
            "silently, or a machine that is off, looks just the same"
        )
        remedy = f"`cstalk-bridge listen --port {found.port}` there shows what arrives; else "
        return ok(where, what, remedy + opening_there("udp", found.port))
    if not found.heard_by:
        # Refused by nobody and owned by nobody we may see.
        return ok(where, f"{place}, this machine: somebody listens")
    who = listed(found.heard_by)
    if len({owner.process_id for owner in found.heard_by}) > 1:
        what = f"{place}: {who} listen at once, and each frame comes to one of them"
        return warning(where, what, "end those that are not meant")
    if any(owner.is_bridge for owner in found.heard_by):
        what = f"{place}: a bridge or its `listen` has it ({who}), not the engine"
        return warning(where, what, "end it before the engine starts")
    return ok(where, f"{place}, this machine: {who} listens")


def _nobody(link: LinkSpec, found: Reach) -> str:
    if link.protocol == "livelink-face":
        usual = PROTOCOLS[link.protocol].default_port
        remedy = "start Unreal with the plugin Apple ARKit Face Support"
        if found.port != usual:
            remedy += f"; its usual port is {usual}"
        return remedy
    return f"start what receives {link.protocol.upper()}, and set its port to {found.port}"


def _reason(error: OSError | None) -> str:
    return (error.strerror or str(error)) if error else ""
