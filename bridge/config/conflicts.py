"""Conflicts between keys that are valid alone: names, addresses, ports of MetaHuman devices.

Each MetaHuman device gets a port of its own: Unreal's Live Link Face source takes the first
subject of a device alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.models.errors import Problem
from cstalk_bridge.outputs.config import ListeningConfig, listening
from cstalk_bridge.outputs.registry import protocol_of
from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.document import KeyPath
    from cstalk_bridge.outputs.config import LinkConfig


SharedAddress = tuple[str, str, int]
"""Where frames arrive that do not name their subject: address space, host, port."""


def conflicts(config: Config, where: Callable[[KeyPath], str]) -> list[Problem]:
    """Return one problem per clash; `where` gives a place for a path such as ("subjects", 0)."""
    return [
        *_same_names(config, where),
        *_same_targets(config, where),
        *_same_addresses(config, where),
        *_control_loops(config, where),
    ]


def _same_names(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    names = [subject.name for subject in config.subjects]
    keys = list(map(name_key, names))
    for index, key in enumerate(keys):
        first = keys.index(key)
        if first != index:
            place = where(("subjects", index, "name"))
            what = f"subject {first + 1} is called {names[first]!r} too"
            remedy = "give every subject its own name; case does not count"
            yield Problem(place, what, remedy)


def _same_targets(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    for index, subject in enumerate(config.subjects):
        first: dict[str, int] = {}
        for number, link in enumerate(subject.links):
            place = where(("subjects", index, "links", number))
            for target in map(str, link.targets):
                if first.setdefault(target, number) != number:
                    what = f"link {first[target] + 1} of {subject.name!r} sends to {target} too"
                    yield Problem(place, what, "give each link its own port")


def _same_addresses(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Two subjects may share a target only where the frames of its protocol name their subject."""
    first: dict[SharedAddress, str] = {}
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            protocol = protocol_of(link)
            space = protocol.address_space(link)
            if space is None:
                continue
            for target in link.targets:
                owner = first.setdefault((space, target.host, target.port), subject.name)
                if owner != subject.name:
                    place = where(("subjects", index, "links", number))
                    what = f"{owner!r} sends the same {protocol.label} addresses to {target}"
                    yield Problem(place, what, protocol.sharing_remedy(target, subject.name))


def _control_loops(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Yield links to the address of remote control, which would receive the bridge's own curves."""
    control = config.control.osc
    if control is None:
        return
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            for target in () if isinstance(link, ListeningConfig) else link.targets:
                if (target.host, target.port) == (control.host, control.port):
                    what = f"the link sends to {target}, where remote control listens"
                    remedy = "change the port of one of them"
                    yield Problem(where(("subjects", index, "links", number)), what, remedy)


def with_device_ports(config: Config) -> Config:
    """Return the config with a port for each link that listens and names none.

    It is the default port, or the next one at which no other link listens, in the order of the
    subjects. Ports that are named stay, even where links share one.
    """
    taken = {link.targets[0].port for link in listening_links(config) if not link.takes_next_port}

    def placed(link: LinkConfig) -> LinkConfig:
        if not isinstance(link, ListeningConfig) or not link.takes_next_port:
            return link
        port = protocol_of(link).default_port
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


def listening_links(config: Config) -> Iterator[ListeningConfig]:
    """Yield the links of all subjects at which somebody connects to us."""
    for subject in config.subjects:
        yield from listening(subject.links)


def shared_devices(config: Config) -> dict[str, list[SubjectConfig]]:
    """Return the places at which more than one subject is offered, with these subjects."""
    offered: dict[str, list[SubjectConfig]] = {}
    for subject in config.subjects:
        for link in listening(subject.links):
            offered.setdefault(str(link), []).append(subject)
    return {place: subjects for place, subjects in offered.items() if len(subjects) > 1}
