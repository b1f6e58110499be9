"""The rig maps of all links: whether they load, and make what their links carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.doctor.finding import Finding, faults_of, ok, warning
from bridge.errors import UserError
from bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.config.schema import SubjectConfig


def examine_maps(subjects: Sequence[SubjectConfig]) -> Iterator[Finding]:
    """Load every rig map once; whether it fits a link is seen when a frame is sent through it
    (`frames`)."""
    users: dict[str, set[str]] = {}
    for subject in subjects:
        for link in subject.links:
            users.setdefault(link.rigmap, set()).add(link.protocol)
    for name, protocols in users.items():
        try:
            rigmap = load_rigmap(name)
        except UserError as error:
            yield from faults_of(error, name)
            continue
        yield ok(name, f"{len(rigmap.outputs)} outputs for {', '.join(sorted(protocols))}")
        yield from (warning(each.where, each.what, each.remedy) for each in rigmap.warnings)
