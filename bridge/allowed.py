"""Who may come in: IP addresses and networks, as users list them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from bridge.document import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ALLOWED = 64
"""Entries of a list; a stage is one network or a few machines."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_network(value: Any) -> Network:
    """Read `10.0.0.5` or `10.0.0.0/24`. FieldError for what is neither."""
    if isinstance(value, Network):
        return value
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        remedy = "write one as 10.0.0.5, or a network as 10.0.0.0/24"
        raise FieldError(f"{value!r} is no IP address and no network", remedy) from None


Allowed = Annotated[Network, BeforeValidator(read_network)]
"""One entry of a list."""


def is_within(host: str, networks: Iterable[Network]) -> bool:
    """Whether an IP address is this machine's or within one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or any(mapped in network for network in networks)
