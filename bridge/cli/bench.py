"""`cstalk-bridge bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def bench(names: Sequence[str], *, list_only: bool) -> int:
    """Measure the sections of these names, all of them without names, or list what there is.

    Raises UserError for a name that is none.
    """
    from bridge.bench.sections import SECTIONS
    from bridge.document import nearest
    from bridge.errors import Problem, UserError

    if list_only:
        width = max(map(len, SECTIONS))
        for name, section in SECTIONS.items():
            print(f"{name.ljust(width)}  {section.summary}")
        return 0
    problems = [
        Problem("bench", f"there is no section {name!r}", nearest(name, SECTIONS))
        for name in names
        if name not in SECTIONS
    ]
    if problems:
        raise UserError.of(problems)
    for name in names or SECTIONS:
        SECTIONS[name].measure()
    return 0
