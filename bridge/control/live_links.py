"""The Live Link Face links of all subjects, as a phone's controller sees them: one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from bridge.errors import Problem, UserError
from bridge.links.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.control.desk import Desk
    from bridge.links.link import LiveLinkFaceLink


class LiveLinks:
    """Where the packets go, under which name, and whether they do."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add(self, host: str, port: int) -> None:
        """Send all subjects there too; may wait for the host to be found. UserError."""
        try:
            target = Target(host=host, port=port)
        except ValidationError:
            raise UserError(Problem("control", f"{host[:80]!r} is no host")) from None
        for subject in self._desk.subjects:
            if not subject.live_links:
                remedy = "give it a livelink-face:// link"
                raise UserError(Problem(subject.name, "has no Live Link Face link", remedy))
            subject.live_links[0].targets.add(target)

    def clear(self) -> None:
        """Send to nobody any more."""
        for link in self._all():
            link.targets.drop_all()

    def rename(self, name: str) -> None:
        """Give the first subject another name in Unreal. UserError where it is none."""
        try:
            for link in self._desk.subjects[0].live_links:
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
