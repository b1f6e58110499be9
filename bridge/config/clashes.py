"""What each key allows by itself and two keys together do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem
from bridge.links.protocols import PROTOCOLS
from bridge.names import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.config.schema import Config
    from bridge.document import KeyPath

Place = tuple[str, str, int]
"""Where packets arrive that nothing in them tells apart: protocol and prefix, host, port."""


def clashes(config: Config, where: Callable[[KeyPath], str]) -> list[Problem]:
    """Return one problem per clash; `where` gives a place for a path such as ("subjects", 0)."""
    return [
        *_same_names(config, where),
        *_same_targets(config, where),
        *_same_addresses(config, where),
        *_own_ears(config, where),
    ]


def _same_names(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    names = [subject.name for subject in config.subjects]
    keys = list(map(name_key, names))
    for index, key in enumerate(keys):
        first = keys.index(key)
        if first != index:
            place = where(("subjects", index, "name"))
            what = f"subject {first + 1} is called {names[first]!r} too"
            remedy = "give every subject a name of its own; capital letters make no other"
            yield Problem(place, what, remedy)


def _same_targets(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    for index, subject in enumerate(config.subjects):
        first: dict[str, int] = {}
        for number, link in enumerate(subject.links):
            place = where(("subjects", index, "links", number))
            for target in map(str, link.targets):
                if first.setdefault(target, number) != number:
                    what = f"link {first[target] + 1} of {subject.name!r} sends to {target} too"
                    yield Problem(place, what, "give each link a port of its own")


def _same_addresses(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Two subjects may share a Live Link port, whose packets name theirs; OSC and VMC do not."""
    first: dict[Place, str] = {}
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            if link.protocol not in ("osc", "vmc"):
                continue
            for target in link.targets:
                owner = first.setdefault(
                    (f"{link.protocol}{link.prefix}", target.host, target.port), subject.name
                )
                if owner != subject.name:
                    place = where(("subjects", index, "links", number))
                    what = f"{owner!r} sends the same {link.protocol.upper()} addresses to {target}"
                    remedy = "give each subject a port of its own"
                    if link.protocol == "osc":
                        remedy = f"add a prefix, as osc://{target}/{subject.name}"
                    yield Problem(place, what, remedy)


def _own_ears(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Remote control must not hear the bridge's own curves."""
    ears = config.control.osc
    if ears is None:
        return
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            for target in link.targets if not PROTOCOLS[link.protocol].listens else ():
                if (target.host, target.port) == (ears.host, ears.port):
                    what = f"link to {target}, where remote control listens"
                    remedy = "give one of the two another port"
                    yield Problem(where(("subjects", index, "links", number)), what, remedy)
