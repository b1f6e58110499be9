"""The table of protocols that a link can speak."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.rig.tables import STOCK_MAP


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
