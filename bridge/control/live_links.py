"""The Live Link Face links of all subjects, as a phone's controller sees them: one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from bridge.errors import Problem, UserError
from bridge.links.target import Target
from bridge.names import name_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.control.desk import Desk
    from bridge.links.link import LiveLinkFaceLink


class LiveLinks:
    """Where the packets go, under which name, and whether they do. Nothing of it waits."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.clearings = 0
        """How often all receivers were dropped."""

    def add(self, host: str, port: int) -> None:
        """Send all subjects there too; `host` is an IP address that may be sent to. UserError."""
        for subject in self._desk.subjects:
            if not subject.live_links:
                remedy = "give it a livelink-face:// link"
                raise UserError(Problem(subject.name, "has no Live Link Face link", remedy))
            subject.live_links[0].targets.add(receiver(host, port))

    def clear(self) -> None:
        """Send to nobody any more."""
        self.clearings += 1
        for link in self._all():
            link.targets.drop_all()

    def rename(self, name: str) -> None:
        """Give the first subject another name in Unreal. UserError where it is none, or another's.

        Unreal tells names apart without case, and drops one of two subjects of one name.
        """
        first, *others = self._desk.subjects
        for other in others:
            names = {other.name, *(link.subject for link in other.live_links)}
            if name_key(name) in map(name_key, names):
                what = f"{name[:80]!r} is the name of another subject"
                raise UserError(Problem("control", what, "give every subject a name of its own"))
        try:
            for link in first.live_links:
                link.rename(name)
        except ValueError as error:
            raise UserError(Problem("control", str(error))) from None

    def stream(self, *, is_on: bool) -> None:
        """Send, or leave the faces at rest and send no more."""
        for link in self._all():
            link.is_streaming = is_on

    def _all(self) -> Iterator[LiveLinkFaceLink]:
        for subject in self._desk.subjects:
            yield from subject.live_links


def receiver(host: str, port: int) -> Target:
    """Return a place that packets can be sent to, by name or address. UserError."""
    try:
        return Target(host=host, port=port)
    except ValidationError:
        raise UserError(Problem("control", f"{host[:80]!r} is no host")) from None
