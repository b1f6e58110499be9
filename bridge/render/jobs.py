"""From what was found to jobs: one input each, with its place among the outputs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.export.names import safe_name
from bridge.names import name_key
from bridge.takes.emotions import sidecar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bridge.export.formats import Format
    from bridge.render.inputs import Found

MAX_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Job:
    """One input: `place` is where its outputs go in the folder, without their endings.

    `stamp` tells one state of input and sidecar from another: sizes and times of change.
    """

    source: Path
    place: PurePosixPath
    is_take: bool
    sidecar: Path | None
    size: int
    stamp: str

    @property
    def slate(self) -> str:
        """The name of the take, as the output is called."""
        return self.place.name

    def output(self, form: Format) -> PurePosixPath:
        """Return where its output in a format goes."""
        return self.place.with_name(form.name(self.slate))


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (from 1) of `count` equal parts of all jobs."""

    number: int = 1
    count: int = 1

    def holds(self, place: PurePosixPath) -> bool:
        """Whether a job belongs to it: the same one every time, whatever else there is."""
        key = hashlib.sha256(str(place).encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(key[:8], "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """Read `i/n`, as 2/8. UserError for anything else."""
    number, _, count = text.partition("/")
    if number.isascii() and count.isascii() and number.isdigit() and count.isdigit():
        shard = Shard(int(number), int(count))
        if 1 <= shard.number <= shard.count <= MAX_SHARDS:
            return shard
    what = f"{text!r} is no part of the work"
    raise UserError(Problem("--shard", what, f"write i/n with 1 <= i <= n <= {MAX_SHARDS}"))


def make_jobs(
    found: Iterable[Found], formats: Sequence[Format], shard: Shard
) -> tuple[list[Job], list[Problem]]:
    """Return the jobs of a shard, and the problems of inputs which can be none.

    Inputs, of whatever shard, that would give one output are none of them a job.
    """
    places = [(file, _place(file)) for file in found]
    owners: dict[str, list[Path]] = defaultdict(list)
    for file, place in places:
        for form in formats:
            owners[_key(place, form)].append(file.path)
    jobs: list[Job] = []
    problems: list[Problem] = []
    for file, place in places:
        if not shard.holds(place):
            continue
        try:
            _need_own_outputs(file, place, formats, owners)
            jobs.append(_job(file, place))
        except UserError as error:
            problems += error.problems
    return jobs, problems


def _place(file: Found) -> PurePosixPath:
    return PurePosixPath(*map(safe_name, (*file.below.parts[:-1], file.below.stem)))


def _key(place: PurePosixPath, form: Format) -> str:
    """Return what is the same for outputs that are one file on some system."""
    return name_key(str(place.with_name(form.name(place.name))))


def _need_own_outputs(
    file: Found, place: PurePosixPath, formats: Sequence[Format], owners: Mapping[str, list[Path]]
) -> None:
    for form in formats:
        others = owners[_key(place, form)]
        other = next((path for path in others if not _is_same(path, file.path)), None)
        if other is not None:
            name = form.name(place.name)
            what = f"would become {name}, and so would {other}: neither is rendered"
            raise UserError(Problem(str(file.path), what, "rename one, or render them apart"))


def _is_same(one: Path, other: Path) -> bool:
    return one == other or one.resolve() == other.resolve()


def _job(file: Found, place: PurePosixPath) -> Job:
    try:
        beside = None if file.is_take else sidecar(file.path)
        states = [path.stat() for path in (file.path, beside) if path is not None]
    except OSError as error:
        raise UserError(Problem(str(file.path), f"cannot be read: {error.strerror}")) from None
    stamp = " ".join(f"{state.st_size}:{state.st_mtime_ns}" for state in states)
    return Job(file.path, place, file.is_take, beside, states[0].st_size, stamp)
