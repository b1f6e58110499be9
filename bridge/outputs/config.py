"""Configuration of a link: protocol, targets, rig map and options, from a URL or a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import address_fault
from cstalk_bridge.outputs.udp import MAX_TARGETS, Target, filled_target, has_port, parse_target
from cstalk_bridge.rig.curves import STOCK_MAP
from cstalk_bridge.system.addresses import MAX_ALLOWED, AllowedNetwork, is_loopback, parse_network

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a link of that protocol does when nothing else is said."""

    default_port: int
    default_rigmap: str
    has_prefix: bool
    options: tuple[str, ...] = ("rigmap",)
    listens: bool = False
    """Whether its one target is the place at which we listen, rather than where we send."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it wants, in words behind `wants one`, and its values if these are few."""

    wants: str
    choices: tuple[str, ...] = ()


PRESETS = ("vrm0", "vrm1")
"""How VMC spells the presets of VRM: as version 0 does, which receivers ask for, or as 1."""

CASINGS = ("camel", "pascal")
"""How VMC spells ARKit curves: `jawOpen`, as most receivers do, or `JawOpen`."""

BONES = ("head", "none")
"""Which bones VMC sends."""

SWITCH = ("yes", "no")

OPTIONS: dict[str, Option] = {
    "rigmap": Option("name or path"),
    "presets": Option(f"of {', '.join(PRESETS)}", PRESETS),
    "casing": Option(f"of {', '.join(CASINGS)}", CASINGS),
    "bone": Option(f"of {', '.join(BONES)}", BONES),
    "allow": Option("list of IP addresses and networks, as 10.0.0.5,192.168.1.0/24"),
    "discoverable": Option(f"of {', '.join(SWITCH)}", SWITCH),
}
"""What may stand behind the `?` of a URL."""

PROTOCOLS: dict[str, Protocol] = {
    "livelink-face": Protocol(default_port=11111, default_rigmap=STOCK_MAP, has_prefix=False),
    "osc": Protocol(default_port=8000, default_rigmap="metahuman", has_prefix=True),
    "vmc": Protocol(
        default_port=39539,
        default_rigmap="vrm",
        has_prefix=False,
        options=("rigmap", "presets", "casing", "bone"),
    ),
    "metahuman": Protocol(
        default_port=14785,
        default_rigmap="metahuman_device",
        has_prefix=False,
        options=("rigmap", "allow", "discoverable"),
        listens=True,
    ),
}
"""Every protocol a link can speak, by the scheme of its URL."""


def _listed(value: Any) -> Any:
    """Read `a,b` as a list."""
    return value.split(",") if isinstance(value, str) else value


class LinkConfig(BaseModel):
    """Where mapped frames go, and how.

    In a config a link is either a URL (see `parse_link_url`) or a mapping of these keys, in which
    a target is `host`, `host:port` or `{host, port}`. Without a port the protocol's own is meant,
    without a `rigmap` (name or path) the protocol's own. `prefix`, such as `/face`, stands before
    the curve in an OSC address; other protocols have none. `presets` says how VMC spells those of
    VRM: `vrm0` as `Joy`, `vrm1` as `happy`; `casing` how it spells ARKit curves: `camel` as
    `jawOpen`, `pascal` as `JawOpen`; `bone` whether it sends that of the head. A protocol that
    listens lets in this machine and those of `allow`, which must name some where other machines
    can reach it; where it is `discoverable` it answers whoever looks for it on the local network.
    `takes_next_port` says that it was told no port at which to listen: where the usual one is
    another link's, the next that is free is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["livelink-face", "osc", "vmc", "metahuman"]
    targets: tuple[Target, ...] = Field(min_length=1, max_length=MAX_TARGETS)
    rigmap: str = Field(default="", min_length=1)
    prefix: str = ""
    presets: Literal["vrm0", "vrm1"] = "vrm0"
    casing: Literal["camel", "pascal"] = "camel"
    bone: Literal["head", "none"] = "head"
    allow: Annotated[tuple[AllowedNetwork, ...], BeforeValidator(_listed)] = Field(
        default=(), max_length=MAX_ALLOWED
    )
    discoverable: bool = False
    takes_next_port: bool = Field(default=False, repr=False)

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
            filled["targets"] = [filled_target(t, protocol.default_port) for t in data["targets"]]
            if protocol.listens and "takes_next_port" not in data:
                filled["takes_next_port"] = not any(map(has_port, data["targets"]))
        return filled

    @model_validator(mode="after")
    def _is_consistent(self) -> LinkConfig:
        if fault := _prefix_fault(self.protocol, self.prefix):
            raise ValueError(fault)
        if fault := _repetition_fault(self.targets):
            raise ValueError(fault)
        if self.takes_next_port and not PROTOCOLS[self.protocol].listens:
            raise ValueError(f"{self.protocol} has no 'takes_next_port', leave it out")
        if PROTOCOLS[self.protocol].listens and len(self.targets) > 1:
            raise ValueError(f"{self.protocol} names the one address at which it listens")
        for name in OPTIONS:
            is_told = getattr(self, name) != type(self).model_fields[name].default
            if is_told and name not in PROTOCOLS[self.protocol].options:
                raise ValueError(f"{self.protocol} has no {name!r}, leave it out")
        if reach := _reach_fault(self.protocol, self.targets, is_listed=bool(self.allow)):
            raise FieldError(*reach)
        return self

    def __str__(self) -> str:
        return f"{self.protocol}://{','.join(map(str, self.targets))}{self.prefix}"


def parse_link_url(url: str) -> LinkConfig:
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
    if reach := _reach_fault(scheme.lower(), targets, is_listed="allow" in options):
        raise UserError(Problem(url, *reach))
    told: dict[str, Any] = {
        "protocol": scheme.lower(),
        "targets": targets,
        "prefix": prefix,
        **options,
    }
    if protocol.listens:
        told["takes_next_port"] = not has_port(authority)
    return LinkConfig.model_validate(told)


def _targets(authority: str, default_port: int, faults: list[str]) -> list[Target]:
    texts = authority.split(",")
    if len(texts) > MAX_TARGETS:
        faults.append(f"{len(texts)} targets, at most {MAX_TARGETS} are possible")
        return []
    targets = []
    for text in texts:
        try:
            targets.append(parse_target(text, default_port))
        except ValueError as error:
            faults.append(str(error))
    return targets


def _options(query: str, known: tuple[str, ...], faults: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            there_is = " and ".join(f"{each}=" for each in known)
            faults.append(f"unknown option {name!r}; there is {there_is}")
        elif name in options or not _fits(name, value):
            faults.append(f"option {name!r} wants one {OPTIONS[name].wants}")
        options[name] = value
    return options


def _fits(name: str, value: str) -> bool:
    choices = OPTIONS[name].choices
    if name == "allow":
        return _are_networks(value.split(","))
    return value in choices if choices else bool(value)


def _are_networks(texts: list[str]) -> bool:
    try:
        return 0 < len([parse_network(text) for text in texts]) <= MAX_ALLOWED
    except FieldError:
        return False


def _prefix_fault(protocol: str, prefix: str) -> str | None:
    if not prefix:
        return None
    if not PROTOCOLS[protocol].has_prefix:
        return f"{protocol} has no prefix, leave {prefix!r} out"
    return address_fault(prefix)


def _reach_fault(
    protocol: str, targets: Sequence[Target], *, is_listed: bool
) -> tuple[str, str] | None:
    """Return what is wrong with a place that strangers can reach, and the remedy."""
    if not PROTOCOLS[protocol].listens or is_listed:
        return None
    reached = next((target for target in targets if not is_loopback(target.host)), None)
    if reached is None:
        return None
    what = f"{reached} can be reached from other machines, and `allow` names none"
    return what, "name those that may get faces and record, as allow=10.0.0.5 or 10.0.0.0/24"


def _repetition_fault(targets: tuple[Target, ...] | list[Target]) -> str | None:
    repeated = {str(target) for target in targets if targets.count(target) > 1}
    return f"target named twice: {', '.join(sorted(repeated))}" if repeated else None
