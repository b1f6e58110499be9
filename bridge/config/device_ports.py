"""A port of its own for the MetaHuman device of each subject.

Unreal's Live Link Face source takes the first subject of a device alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.links.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.schema import Config, SubjectConfig
    from bridge.links.spec import LinkSpec


def with_device_ports(config: Config) -> Config:
    """Return the config with a port for each link that listens and was told none.

    It is the usual one, or the next after it at which no other link listens, in the order of the
    subjects. Ports that were told stay, whoever shares them.
    """
    taken = {link.targets[0].port for link in listening(config) if not link.takes_next_port}

    def placed(link: LinkSpec) -> LinkSpec:
        if not link.takes_next_port:
            return link
        port = PROTOCOLS[link.protocol].default_port
        while port in taken:
            port += 1
        taken.add(port)
        target = link.targets[0].model_copy(update={"port": port})
        return link.model_copy(update={"targets": (target,)})

    subjects = [
        subject.model_copy(update={"links": tuple(placed(link) for link in subject.links)})
        for subject in config.subjects
    ]
    return config.model_copy(update={"subjects": tuple(subjects)})


def listening(config: Config) -> Iterator[LinkSpec]:
    """Yield the links of all subjects at which somebody connects to us."""
    for subject in config.subjects:
        yield from (link for link in subject.links if PROTOCOLS[link.protocol].listens)


def shared_devices(config: Config) -> dict[str, list[SubjectConfig]]:
    """Return the places at which more than one subject is offered, with these subjects."""
    offered: dict[str, list[SubjectConfig]] = {}
    for subject in config.subjects:
        for link in subject.links:
            if PROTOCOLS[link.protocol].listens:
                offered.setdefault(str(link), []).append(subject)
    return {place: subjects for place, subjects in offered.items() if len(subjects) > 1}
