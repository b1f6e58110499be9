"""The writing side: the outputs of one take, each whole or not at all, and never outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bridge.errors import Problem, UserError
from bridge.render.manifest import told
from bridge.whole_file import PARTIAL_SUFFIX, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bridge.render.jobs import Job
    from bridge.render.settings import Outlet
    from bridge.takes.take import Take

LEFTOVER: Final = re.compile(
    rf"\.(?P<name>.*)\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}", re.DOTALL
)
"""A file which a killed program was writing, and the beginning of the name it would have got."""


def write_output(take: Take, job: Job, outlet: Outlet, out: Path) -> dict[str, str]:
    """Write a take to a format; return its place and what the manifest says of it.

    UserError where a folder or a file cannot be written, and where a link leads out of `out`.
    """
    place = job.output(outlet.form)
    target = out / place
    make_folder(target.parent, out)
    with whole_file(target, overwrite=True) as file:
        for chunk in outlet.form.write(take, outlet.export):
            file.write(chunk)
    return {str(place): told(target.stat().st_size, outlet.fingerprint)}


def make_folder(folder: Path, out: Path) -> None:
    """Make a folder below `out`. UserError where that is not possible, or a link leads out."""
    if not folder.resolve().is_relative_to(out.resolve()):
        raise UserError(Problem(str(folder), f"a link leads out of {out}", "remove the link"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(Problem(str(folder), f"cannot be made: {error.strerror}")) from None


def remove_leftovers(jobs: Iterable[Job], outlets: Sequence[Outlet], out: Path) -> int:
    """Remove what a killed run left half-written of these jobs; return how many files.

    Other jobs' files stay: another shard may be writing them now.
    """
    ours: dict[Path, set[str]] = {}
    for job in jobs:
        for outlet in outlets:
            target = out / job.output(outlet.form)
            ours.setdefault(target.parent, set()).add(target.name)
    removed = 0
    for folder, names in ours.items():
        for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
            match = LEFTOVER.fullmatch(path.name)
            if match and match["name"] in names:
                path.unlink(missing_ok=True)
                removed += 1
    return removed
