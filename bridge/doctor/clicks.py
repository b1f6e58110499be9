"""What to click in Unreal, and elsewhere, for the subjects and links of a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.doctor.owners import ANY
from bridge.links.protocols import PROTOCOLS
from bridge.listening import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.config.schema import SubjectConfig
    from bridge.links.spec import LinkSpec
    from bridge.links.target import Target

UNTRIED = (
    "These follow the descriptions of Unreal's plugins; no real editor has been met yet "
    "(docs/tried.md), so names in menus may differ. docs/unreal.md has more."
)


@dataclass(frozen=True, slots=True)
class Guide:
    """Steps for one link and the subjects that have it."""

    title: str
    steps: tuple[str, ...]


def guides(subjects: Sequence[SubjectConfig], addresses: Sequence[str]) -> list[Guide]:
    """Return a guide for each place where faces go; `addresses` are this machine's, for others."""
    sharing: dict[tuple[str, Target], tuple[LinkSpec, list[str]]] = {}
    for subject in subjects:
        for link in subject.links:
            for target in link.targets:
                sharing.setdefault((link.protocol, target), (link, []))[1].append(subject.name)
    found = []
    for (protocol, target), (link, names) in sharing.items():
        if protocol == "livelink-face":
            found.append(_arkit(target, names))
        elif protocol == "metahuman":
            found.append(_metahuman(target, names, addresses))
        else:
            found.append(_messages(link, target))
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _arkit(target: Target, names: Sequence[str]) -> Guide:
    here = "on this machine" if is_loopback(target.host) else f"on {target.host}"
    usual = PROTOCOLS["livelink-face"].default_port
    steps = [
        "Edit > Plugins: enable Live Link and Apple ARKit Face Support, and restart the editor.",
        "Here: cstalk-bridge run. Leave it running.",
        f"Window > Virtual Production > Live Link: {_listed(names)} is listed, with a green dot.",
        "Select the MetaHuman in the level. Details: switch on Use ARKit Face, and choose "
        f"{_listed(names)} as ARKit Face Subj (Unreal 5.6 and later: LLink Face Subj).",
        "Press Play. Without it a face moves only if its Blueprint updates it in the editor.",
    ]
    if target.port != usual:
        steps.insert(2, f"Unreal listens at port {usual}; {target.port} must have been set there.")
    return Guide(
        f"Unreal 4.25 and later {here}: Live Link Face, ARKit, port {target.port}", (*steps,)
    )


def _metahuman(target: Target, names: Sequence[str], addresses: Sequence[str]) -> Guide:
    host = target.host
    if host in ANY:
        host = " or ".join(addresses) or "this machine's address"
    name = names[0]  # Unreal takes the first subject of a device alone.
    steps = (
        "Edit > Plugins: enable Live Link and MetaHuman Live Link, and restart the editor.",
        "Here: cstalk-bridge run. Leave it running: Unreal connects to it, not the other way.",
        "Window > Virtual Production > Live Link > Add Source > Live Link Face (MetaHuman): "
        f"address {host}, port {target.port}.",
        f"Choose the subject there: {name}. The bridge then says `gets {name}`.",
        f"Details of that subject: smoothing and interpolation to none, for {name} is smooth; once "
        "its face rests, Capture Neutrals: before that Unreal leaves out the head's translation.",
        f"Select the MetaHuman in the level. Details: choose {name} as its Live Link "
        "subject. A MetaHuman made before 5.6 has no such field: use livelink-face:// for it.",
    )
    return Guide(f"Unreal 5.6 and later: MetaHuman device at {target}", steps)


def _messages(link: LinkSpec, target: Target) -> Guide:
    if link.protocol == "vmc":
        steps = (
            f"VSeeFace, Warudo, VMCLiveLink: receive VMC (marionette) at port {target.port}.",
            f"Shapes are those of the rig map {link.rigmap}; presets as {link.presets.upper()}, "
            f"ARKit names in {link.casing} case, bone: {link.bone}.",
        )
    else:
        steps = (
            "Edit > Plugins: enable OSC. In a Blueprint: Create OSC Server at "
            f"0.0.0.0 port {target.port}, then bind On Osc Message Received.",
            f"Each curve is an address, as {link.prefix}/NAME, with one float "
            f"(`cstalk-bridge rigmap show {link.rigmap}` lists them).",
        )
    return Guide(f"{link.protocol.upper()} at {target}", steps)
