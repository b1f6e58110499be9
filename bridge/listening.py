"""Where to listen: how a place is written, who can reach it, and why it cannot be had."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.document import FieldError
from bridge.errors import Problem
from bridge.links.target import HOST_NAME

DEFAULT_HOST = "127.0.0.1"
"""This machine alone."""

REMEDY = "write HOST, HOST:PORT or :PORT, such as 127.0.0.1:{port}"


class Place(BaseModel):
    """An address to listen at; in a config this mapping, or `HOST:PORT`, `HOST` or `:PORT`.

    Port 0 takes a free one. Each kind of place has a `port` by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = DEFAULT_HOST
    port: Annotated[int, Field(ge=0, le=65535)]

    @classmethod
    def remedy(cls) -> str:
        """Return how such a place is written."""
        return REMEDY.format(port=cls.model_fields["port"].default)

    @classmethod
    def parts(cls, text: str) -> dict[str, Any]:
        """Return host and port of the text as far as they are written; FieldError."""
        text = text.strip()
        if _address(text) is not None:
            return {"host": text}
        match = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", text)
        if match is None:
            raise FieldError(f"{text!r} is no place to listen at", cls.remedy())
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
        if _address(host) is None and not is_name:
            raise FieldError(f"{host!r} is no host name and no IP address", cls.remedy())
        return host

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can come."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{url_host(self.host)}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or IP address to listen at can be reached from this machine alone."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def url_host(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def binding_problem(where: str, kind: str, host: str, port: int, error: Exception) -> Problem:
    """Say why `where` cannot listen at a port of that kind, "TCP" or "UDP"."""
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


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
