"""Network addresses: where to listen, who may connect, and why a port cannot be bound."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_ALLOWED = 64
"""Entries of a list; a stage is one network or a few machines."""

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(value: Any) -> IpNetwork:
    """Read `10.0.0.5` or `10.0.0.0/24`. FieldError for what is neither."""
    if isinstance(value, IpNetwork):
        return value
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        remedy = "write one as 10.0.0.5, or a network as 10.0.0.0/24"
        raise FieldError(f"{value!r} is neither an IP address nor a network", remedy) from None


AllowedNetwork = Annotated[IpNetwork, BeforeValidator(parse_network)]
"""One entry of a list."""


def is_within(host: str, networks: Iterable[IpNetwork]) -> bool:
    """Whether an IP address is this machine's or within one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or any(mapped in network for network in networks)


HOST_NAME = re.compile(r"(?!.{254})[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63})*\.?")
"""A name of at most 253 characters in labels of at most 63 (RFC 1035; `_` is seen in practice)."""


ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - they are compared, not bound
"""Addresses that mean all those of this machine."""

DEFAULT_HOST = "127.0.0.1"
"""This machine alone."""

ADDRESS_REMEDY = "write HOST, HOST:PORT or :PORT, such as 127.0.0.1:{port}"


class ListenAddress(BaseModel):
    """An address to listen at; in a config this mapping, or `HOST:PORT`, `HOST` or `:PORT`.

    Port 0 takes a free one. Each kind of place has a `port` by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = DEFAULT_HOST
    port: Annotated[int, Field(ge=0, le=65535)]

    @classmethod
    def remedy(cls) -> str:
        """Return how such a place is written."""
        return ADDRESS_REMEDY.format(port=cls.model_fields["port"].default)

    @classmethod
    def parts(cls, text: str) -> dict[str, Any]:
        """Return host and port of the text as far as they are written; FieldError."""
        text = text.strip()
        if _ip_address(text) is not None:
            return {"host": text}
        match = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", text)
        if match is None:
            raise FieldError(f"{text!r} is not an address to listen at", cls.remedy())
        given = {"host": match[1] or match[2], "port": match[3]}
        return {key: value for key, value in given.items() if value}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        return cls.parts(data) if isinstance(data, str) else data

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        is_name = HOST_NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host)
        if _ip_address(host) is None and not is_name:
            raise FieldError(f"{host!r} is neither a host name nor an IP address", cls.remedy())
        return host

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can come."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{url_host(self.host)}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or IP address to listen at can be reached from this machine alone."""
    address = _ip_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def url_host(host: str) -> str:
    """Return the host as in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


Transport = Literal["tcp", "udp"]

SocketAddress = tuple[Any, ...]
"""Host, port and, for IPv6, flow and scope."""

HostAddress = tuple[socket.AddressFamily, SocketAddress]
"""How to reach a port of a host: family and socket address."""

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def find_address(
    host: str, port: int, transport: Transport = "udp", *, is_ours: bool = False
) -> HostAddress:
    """Return where a port of a host is; may wait. OSError or UnicodeError: the host is unknown.

    Names that have both an IPv4 and an IPv6 address get IPv4: Unreal listens on that alone, and
    `localhost` often means `::1`. With `is_ours` it is an address at which to listen.
    """
    flags = socket.AI_PASSIVE if is_ours else 0
    found = socket.getaddrinfo(host, port, type=KINDS[transport], flags=flags)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def bind(transport: Transport, host: str, port: int) -> socket.socket:
    """Return a socket that has a port of this machine; one of TCP listens.

    OSError or UnicodeError where it cannot be had (`binding_problem`).
    """
    family, address = find_address(host, port, transport, is_ours=True)
    if transport == "tcp":
        return socket.create_server(address[:2], family=family)
    opened = socket.socket(family, KINDS[transport])
    try:
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened


def bind_or_explain(where: str, transport: Transport, host: str, port: int) -> socket.socket:
    """Return what `bind` does. UserError with the reason why `where` cannot listen."""
    try:
        return bind(transport, host, port)
    except (OSError, UnicodeError) as error:
        raise UserError(binding_problem(where, transport, host, port, error)) from None


def binding_problem(
    where: str, transport: Transport, host: str, port: int, error: Exception
) -> Problem:
    """Return why `where` cannot listen at a port."""
    kind = transport.upper()
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        remedy = "end the program that has it (another bridge?), or choose another port"
        return Problem(where, f"{kind} port {port} is in use", remedy)
    if number in (errno.EACCES, errno.EPERM):
        what = f"{kind} port {port} is not allowed"
        return Problem(where, what, "choose one from 1024 to 65535")
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror | UnicodeError):
        what = f"this machine has no address {host!r}"
        remedy = "name an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all"
        return Problem(where, what, remedy)
    return Problem(where, f"cannot listen: {getattr(error, 'strerror', None) or error}")


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
