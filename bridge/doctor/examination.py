"""All checks for a config, in the order in which a user reads them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bridge.doctor.check import Check
from bridge.doctor.clock import examine_steering, examine_ticks, examine_timecode
from bridge.doctor.device_frames import examine_device_frame
from bridge.doctor.face import Network
from bridge.doctor.frames import examine_frame
from bridge.doctor.maps import Maps
from bridge.doctor.ports import examine_ports
from bridge.doctor.sound import examine_sound
from bridge.doctor.targets import examine_target
from bridge.links.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bridge.config.schema import Config
    from bridge.doctor.finding import Finding
    from bridge.links.spec import LinkSpec

SOUND, MAPS, NETWORK, ECHO, TIME, FACE = "sound", "rig maps", "network", "echo", "time", "face"
"""The headings; `echo` is a frame of every link that is sent to ourselves."""

LOADING_S = 60.0
"""Patience with what is read from a slow disk, and torch most of all."""

NAMING_S = 15.0
"""Patience with a name server that does not answer."""


def checks(config: Config) -> list[list[Check]]:
    """Return what to examine: first what waits for others, at once; then what measures, alone."""
    network, maps = Network(config), Maps(config.subjects)
    return [
        [
            Check(SOUND, _names(config), partial(examine_sound, config.subjects)),
            Check(MAPS, "rig maps", maps.examine, LOADING_S),
            *_network(config),
            Check(TIME, "timecode", _one(partial(examine_timecode, config.timecode, config.fps))),
            Check(TIME, "system clock", _one(partial(examine_steering, config))),
        ],
        [Check(ECHO, "frames", partial(_examine_frames, config, maps), LOADING_S)],
        [Check(FACE, "weights", network.examine_weights, LOADING_S)],
        [Check(FACE, "speed", network.examine_speed, LOADING_S)],
        [Check(FACE, "ticks", partial(examine_ticks, config.fps))],
    ]


def _network(config: Config) -> Iterator[Check]:
    for link in _links(config):
        if PROTOCOLS[link.protocol].listens:
            continue
        for target in link.targets:
            yield Check(NETWORK, str(link), _one(partial(examine_target, link, target)), NAMING_S)
    yield Check(NETWORK, "ports", partial(examine_ports, config))


def _examine_frames(config: Config, maps: Maps) -> Iterator[Finding]:
    """Send a frame of every link whose rig map could be loaded."""
    for subject in config.subjects:
        for link in subject.links:
            if rigmap := maps.loaded.get(link.rigmap):
                is_device = PROTOCOLS[link.protocol].listens
                examine = examine_device_frame if is_device else examine_frame
                yield from examine(link, subject.name, rigmap, config.fps)


def _names(config: Config) -> str:
    return ", ".join(subject.name for subject in config.subjects)


def _links(config: Config) -> Iterable[LinkSpec]:
    """Return the links of all subjects, those with the same targets once."""
    found = {str(link): link for subject in config.subjects for link in subject.links}
    return found.values()


def _one(examine: Callable[[], Finding]) -> Callable[[], Iterable[Finding]]:
    """Return a check of several findings for one that has a single."""
    return lambda: (examine(),)
