"""One receiver of a link: a host and a port, and how users write them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_TARGETS = 16
"""Targets of one link; more is a mistake in a list rather than a stage."""

HOST_NAME = re.compile(r"(?!.{254})[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63})*\.?")
"""A name of at most 253 characters in labels of at most 63 (RFC 1035; `_` is seen in practice)."""


class Target(BaseModel):
    """One receiver. `host` is a name, an IPv4 or an IPv6 address without brackets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int = Field(ge=1, le=65535)

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        if fault := _host_fault(host):
            raise ValueError(fault)
        return host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_target(text: str, default_port: int) -> Target:
    """Read `host`, `host:port`, `[::1]` or `[::1]:port`; ValueError in words for the user."""
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", text)
    if match is None:
        raise ValueError(f"target {text!r} is not host:port (an IPv6 address stands in brackets)")
    host, port_text = match[1], match[2]
    if host.startswith("[") and ":" not in host:
        raise ValueError(f"target {text!r}: only an IPv6 address stands in brackets")
    host = host.strip("[]")
    if fault := _host_fault(host):
        raise ValueError(f"target {text!r}: {fault}")
    port = default_port
    if port_text is not None:
        if not re.fullmatch(r"[0-9]{1,5}", port_text) or not 1 <= int(port_text) <= 65535:
            raise ValueError(f"target {text!r}: port {port_text!r} is not a number from 1 to 65535")
        port = int(port_text)
    return Target(host=host, port=port)


def has_port(target: Any) -> bool:
    """Whether a target of a URL or a config names its port."""
    if isinstance(target, str):
        return re.search(r":[0-9]+\Z", target.rpartition("]")[2]) is not None
    return not isinstance(target, dict) or "port" in target


def filled_target(target: Any, default_port: int) -> Any:
    """Return a target of a config with what it leaves out; what is none is returned as it is."""
    if isinstance(target, str):
        return parse_target(target, default_port)
    return {"port": default_port, **target} if isinstance(target, dict) else target


def _host_fault(host: str) -> str | None:
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return f"{host!r} is no IP address"
        return None
    if not host:
        return "the host is missing"
    return None if HOST_NAME.fullmatch(host) else f"{host!r} is no host name"
