"""The rig maps of all links: whether they load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.doctor.finding import Finding, faults_of, ok, warning
from bridge.errors import UserError
from bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.config.schema import SubjectConfig
    from bridge.rig.rigmap import RigMap


@dataclass(slots=True)
class Maps:
    """The rig maps of some subjects; one check loads them, others use what is `loaded`.

    Whether a map fits its links is seen when a frame is sent through it (`frames`).
    """

    subjects: Sequence[SubjectConfig]
    loaded: dict[str, RigMap] = field(default_factory=dict)

    def examine(self) -> Iterator[Finding]:
        """Load every rig map once."""
        users: dict[str, set[str]] = {}
        for subject in self.subjects:
            for link in subject.links:
                users.setdefault(link.rigmap, set()).add(link.protocol)
        for name, protocols in users.items():
            try:
                self.loaded[name] = rigmap = load_rigmap(name)
            except UserError as error:
                yield from faults_of(error, name)
                continue
            yield ok(name, f"{len(rigmap.outputs)} outputs for {', '.join(sorted(protocols))}")
            yield from (warning(each.where, each.what, each.remedy) for each in rigmap.warnings)
