"""From files to pictures: takes in, PNG or HTML out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.audio.decoder import FORMATS
from bridge.audio.file import AUDIO_SUFFIXES
from bridge.document import nearest
from bridge.errors import Problem, UserError
from bridge.export.names import safe_name
from bridge.names import name_key
from bridge.paths import is_folder, is_there
from bridge.plot.figure import MOST_TAKES, draw
from bridge.plot.page import page, png
from bridge.plot.study import examine
from bridge.plot.theme import THEMES
from bridge.takes.file import SUFFIX, load_take
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bridge.plot.findings import Findings
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take

PICTURES = (".png", ".html")
"""What a picture may be."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture: the takes on it, and the file."""

    inputs: tuple[Path, ...]
    output: Path


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a take: from `start_s` on, to `end_s` where given, the curves `wanted`."""

    rigmap: RigMap
    theme: str = "dark"
    start_s: float = 0.0
    end_s: float | None = None
    wanted: tuple[str, ...] = ()

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong before any take is read."""
        end_s = math.inf if self.end_s is None else self.end_s
        if not (0 <= self.start_s < end_s and math.isfinite(self.start_s)):
            what = f"from {self.start_s:g} s to {end_s:g} s is no stretch of a take"
            yield Problem("--start, --end", what, "begin at 0 or later, and end after that")
        for name in self.wanted:
            if name not in self.rigmap.outputs:
                what = f"rig map {self.rigmap.name} has no curve `{name}`"
                yield Problem("--curves", what, nearest(name, self.rigmap.outputs))

    def rows(self, take: Take, where: str) -> slice:
        """Return the rows of a take that are shown; UserError where there are none."""
        first = round(self.start_s * take.rate.hz)
        end_s = take.duration_s if self.end_s is None else min(self.end_s, take.duration_s)
        last = min(round(end_s * take.rate.hz), take.rows)
        if first >= last:
            what = f"nothing lies from {self.start_s:g} s on: it is {take.duration_s:g} s long"
            raise UserError(Problem(where, what, "choose an earlier --start or a later --end"))
        return slice(first, last)


def plan(inputs: Sequence[Path], output: Path | None, folder: Path) -> list[Job]:
    """Return the pictures to make: one of up to two takes, else one for each.

    `output` is a file, a folder that is there, or None for `folder`. UserError with everything
    that is wrong about the names.
    """
    problems = [problem for path in inputs for problem in _input_problems(path)]
    is_file = output is not None and not is_folder(output)
    if output is not None and is_file:
        problems += _output_problems(output, len(inputs))
    if problems:
        raise UserError.of(problems)
    if output is not None and is_file:
        return [Job(tuple(inputs), output)]
    groups = [tuple(inputs)] if len(inputs) <= MOST_TAKES else [(path,) for path in inputs]
    return list(_named(groups, output or folder))


def make_picture(job: Job, view: View, load: Callable[[Path], Take]) -> list[Findings]:
    """Write one picture, over an older one, and return what was found in each take."""
    takes = [load(path) for path in job.inputs]
    studies = [
        examine(take, view.rigmap, view.rows(take, str(path)))
        for take, path in zip(takes, job.inputs, strict=True)
    ]
    theme = THEMES[view.theme]
    is_page = job.output.suffix.lower() == ".html"
    # A page tells all findings in a table of its own.
    figure = draw(studies, theme, view.rigmap.name, view.wanted, is_listing=not is_page)
    picture = page(figure, studies, theme).encode() if is_page else png(figure)
    with whole_file(job.output, overwrite=True) as file:
        file.write(picture)
    return [study.findings for study in studies]


def is_recording(path: Path) -> bool:
    """Say whether a file is sound that has to become a take first."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def load_input(path: Path, generate: Callable[[Path], Take]) -> Take:
    """Return the take of a file; `generate` makes one of a recording."""
    return generate(path) if is_recording(path) else load_take(path)


def _input_problems(path: Path) -> Iterator[Problem]:
    if not is_there(path):
        yield Problem(str(path), "no such file", "check the path")
    elif path.suffix.lower() != SUFFIX and not is_recording(path):
        yield Problem(str(path), "neither a take nor a recording", f"name a {SUFFIX} or {FORMATS}")


def _output_problems(output: Path, takes: int) -> Iterator[Problem]:
    if output.suffix.lower() not in PICTURES:
        what = "a picture ends in .png or .html"
        yield Problem(str(output), what, "change the ending, or name a folder that is there")
    if takes > MOST_TAKES:
        what = f"one picture holds at most {MOST_TAKES} takes, {takes} are named"
        remedy = "name a folder that is there, or leave -o out: each take gets its own picture"
        yield Problem(str(output), what, remedy)
    if not is_folder(output.parent):
        yield Problem(str(output), f"there is no folder {output.parent}", "make it first")


def _named(groups: Sequence[tuple[Path, ...]], folder: Path) -> Iterator[Job]:
    """Name each picture after its takes; of equal names the later ones get a number."""
    taken: set[str] = set()
    for group in groups:
        stem = safe_name("_and_".join(path.stem for path in group))
        name, count = stem, 1
        while name_key(name) in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name_key(name))
        yield Job(group, folder / f"{name}{PICTURES[0]}")
