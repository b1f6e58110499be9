"""What a link is told: protocol, targets, rig map and OSC prefix; from a URL or from the config."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.errors import Problem, UserError
from bridge.links.osc import address_fault

MAX_TARGETS = 16
"""Targets of one link; more is a mistake in a list rather than a stage."""

HOST_NAME = re.compile(r"(?!.{254})[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63})*\.?")
"""A name of at most 253 characters in labels of at most 63 (RFC 1035; `_` is seen in practice)."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a link of that protocol does when nothing else is said."""

    default_port: int
    default_rigmap: str
    has_prefix: bool
    options: tuple[str, ...] = ("rigmap",)
    listens: bool = False
    """Whether its one target is the place at which we listen, rather than where we send."""


PRESETS = ("vrm0", "vrm1")
"""How VMC spells the presets of VRM: as version 0 does, which receivers ask for, or as 1."""

OPTIONS = {"rigmap": "name or path", "presets": f"of {', '.join(PRESETS)}"}
"""What may stand behind the `?` of a URL, and what each wants."""

PROTOCOLS: dict[str, Protocol] = {
    "livelink-face": Protocol(
        default_port=11111, default_rigmap="livelinkface61", has_prefix=False
    ),
    "osc": Protocol(default_port=8000, default_rigmap="metahuman", has_prefix=True),
    "vmc": Protocol(
        default_port=39539,
        default_rigmap="vrm",
        has_prefix=False,
        options=("rigmap", "presets"),
    ),
    "metahuman": Protocol(
        default_port=14785,
        default_rigmap="metahuman_device",
        has_prefix=False,
        listens=True,
    ),
}
"""Every protocol a link can speak, by the scheme of its URL."""


class Target(BaseModel):
    """One UDP receiver. `host` is a name, an IPv4 or an IPv6 address without brackets."""

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


class LinkSpec(BaseModel):
    """Where mapped frames go, and how.

    In a config a link is either a URL (see `parse_link_url`) or a mapping of these keys, in which
    a target is `host`, `host:port` or `{host, port}`. Without a port the protocol's own is meant,
    without a `rigmap` (name or path) the protocol's own. `prefix`, such as `/face`, stands before
    the curve in an OSC address; other protocols have none. `presets` says how VMC spells those of
    VRM: `vrm0` as `Joy`, `vrm1` as `happy`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["livelink-face", "osc", "vmc", "metahuman"]
    targets: tuple[Target, ...] = Field(min_length=1, max_length=MAX_TARGETS)
    rigmap: str = Field(default="", min_length=1)
    prefix: str = ""
    presets: Literal["vrm0", "vrm1"] = "vrm0"

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if isinstance(data, str):
            try:
                return parse_link_url(data).model_dump()
            except UserError as error:
                faults = (str(Problem("", fault.what, fault.remedy)) for fault in error.problems)
                raise ValueError(f"{data}: {'; '.join(faults)}") from None
        if not isinstance(data, dict) or data.get("protocol") not in tuple(PROTOCOLS):
            return data
        protocol = PROTOCOLS[data["protocol"]]
        filled = {"rigmap": protocol.default_rigmap, **data}
        if isinstance(data.get("targets"), list | tuple):
            filled["targets"] = [_filled_target(t, protocol.default_port) for t in data["targets"]]
        return filled

    @model_validator(mode="after")
    def _is_consistent(self) -> LinkSpec:
        if fault := _prefix_fault(self.protocol, self.prefix):
            raise ValueError(fault)
        if fault := _repetition_fault(self.targets):
            raise ValueError(fault)
        if PROTOCOLS[self.protocol].listens and len(self.targets) > 1:
            raise ValueError(f"{self.protocol} names the one address at which it listens")
        if self.presets != "vrm0" and "presets" not in PROTOCOLS[self.protocol].options:
            raise ValueError(f"{self.protocol} spells no presets, leave 'presets' out")
        return self

    def __str__(self) -> str:
        return f"{self.protocol}://{','.join(map(str, self.targets))}{self.prefix}"


def parse_link_url(url: str) -> LinkSpec:
    """Read `protocol://host:port,host:port/prefix?rigmap=name`.

    `livelink-face://10.0.0.5` and `osc://127.0.0.1:8000/face?rigmap=metahuman` are complete.
    UserError names everything that is wrong with it at once.
    """
    scheme, _, rest = url.partition("://")
    protocol = PROTOCOLS.get(scheme.lower())
    if protocol is None or "://" not in url:
        known = ", ".join(f"{name}://" for name in PROTOCOLS)
        raise UserError(Problem(url, f"unknown protocol {scheme!r}", f"start with one of {known}"))
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    prefix = f"/{unquote(path)}".rstrip("/")
    faults: list[str] = []
    targets = _targets(authority, protocol.default_port, faults)
    options = _options(query, protocol.options, faults)
    faults += filter(None, [_prefix_fault(scheme.lower(), prefix), _repetition_fault(targets)])
    if faults:
        raise UserError.of(Problem(url, fault) for fault in faults)
    return LinkSpec.model_validate(
        {"protocol": scheme.lower(), "targets": targets, "prefix": prefix, **options}
    )


def _targets(authority: str, default_port: int, faults: list[str]) -> list[Target]:
    texts = authority.split(",")
    if len(texts) > MAX_TARGETS:
        faults.append(f"{len(texts)} targets, at most {MAX_TARGETS} are possible")
        return []
    targets = []
    for text in texts:
        try:
            targets.append(_parse_target(text, default_port))
        except ValueError as error:
            faults.append(str(error))
    return targets


def _options(query: str, known: tuple[str, ...], faults: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            there_is = " and ".join(f"{each}=" for each in known)
            faults.append(f"unknown option {name!r}; there is {there_is}")
        elif not value or name in options or (name == "presets" and value not in PRESETS):
            faults.append(f"option {name!r} wants one {OPTIONS[name]}")
        options[name] = value
    return options


def _parse_target(text: str, default_port: int) -> Target:
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


def _filled_target(target: Any, default_port: int) -> Any:
    if isinstance(target, str):
        return _parse_target(target, default_port)
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


def _prefix_fault(protocol: str, prefix: str) -> str | None:
    if not prefix:
        return None
    if not PROTOCOLS[protocol].has_prefix:
        return f"{protocol} has no prefix, leave {prefix!r} out"
    return address_fault(prefix)


def _repetition_fault(targets: tuple[Target, ...] | list[Target]) -> str | None:
    repeated = {str(target) for target in targets if targets.count(target) > 1}
    return f"target named twice: {', '.join(sorted(repeated))}" if repeated else None
