"""What the words of the command line mean: files, folders and patterns to recordings and takes."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from bridge.audio.file import AUDIO_SUFFIXES
from bridge.errors import Problem
from bridge.paths import is_folder, is_there
from bridge.render.manifest import PATTERN as MANIFEST_PATTERN
from bridge.takes.emotions import SIDECAR_SUFFIXES
from bridge.takes.file import SUFFIX as TAKE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Found:
    """A recording or a take, and where it lies below the folder or pattern that named it."""

    path: Path
    below: PurePath

    @property
    def is_take(self) -> bool:
        """Whether it is a take, which is only converted."""
        return self.path.suffix.lower() == TAKE_SUFFIX


MAX_NAMED: Final = 5
"""Files left out which are named; all are counted."""


_COMPANIONS: Final = (*SIDECAR_SUFFIXES, TAKE_SUFFIX)
"""What may stand beside a recording and belongs to it, in place of its own ending."""


@dataclass(slots=True)
class Inputs:
    """What was found, each file once, what could not be looked into, and what was left out.

    `left_out` are the files of folders and patterns which are neither recording nor take, and
    belong to none.
    """

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)

    def add(self, files: Iterable[Found]) -> None:
        """Add what is not there yet."""
        known = {(file.path, file.below) for file in self.found}
        self.found += (file for file in files if (file.path, file.below) not in known)

    @property
    def notice(self) -> str:
        """What was left out, in one line; empty where nothing was."""
        if not self.left_out:
            return ""
        names = ", ".join(map(str, self.left_out[:MAX_NAMED]))
        more = f" and {rest} more" if (rest := len(self.left_out) - MAX_NAMED) > 0 else ""
        return f"left out, for they are neither recordings nor takes: {names}{more}"


def find_inputs(words: Sequence[str], out: Path) -> Inputs:
    """Return what the words name, sorted within each folder.

    In folders, all recordings and takes are meant, but for hidden ones, for those below `out`, and
    for a take beside its recording. Links to folders are not followed, so that the search ends.
    """
    inputs = Inputs()
    for word in words:
        path = Path(word)
        if is_folder(path):
            inputs.add(_in_folder(path, path, out, inputs))
        elif is_there(path):
            inputs.add([Found(path, PurePath(path.name))])
        elif glob.has_magic(word):
            inputs.add(_matching(word, out, inputs))
        else:
            inputs.problems.append(Problem(word, "no such file or folder", "check the path"))
    return inputs


def _in_folder(folder: Path, base: Path, out: Path, inputs: Inputs) -> list[Found]:
    problems = inputs.problems

    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be looked into: {error.strerror}"))

    count, found, kept_out = len(problems), [], out.resolve()
    for place, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != kept_out
        )
        chosen = _chosen(names)
        inputs.left_out += (here / name for name in _strangers(names, chosen))
        found += [Found(here / name, (here / name).relative_to(base)) for name in chosen]
    if not found and len(problems) == count and folder == base:
        endings = ", ".join((*AUDIO_SUFFIXES[:5], TAKE_SUFFIX))
        problems.append(Problem(str(folder), f"no recording in it ({endings} ...)", "check it"))
    return found


def _matching(pattern: str, out: Path, inputs: Inputs) -> list[Found]:
    parts = PurePath(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    matches = sorted(map(Path, glob.iglob(pattern, recursive=True)))  # noqa: PTH207 - keeps `..`
    found = []
    for path in matches:
        if path.is_dir():
            found += _in_folder(path, base, out, inputs)
    files = [path for path in matches if path.is_file() and not path.is_relative_to(out)]
    chosen = set(_chosen([str(path) for path in files]))
    inputs.left_out += map(Path, _strangers([str(path) for path in files], chosen))
    found += [Found(path, path.relative_to(base)) for path in files if str(path) in chosen]
    if not found:
        inputs.problems.append(
            Problem(pattern, "no recording matches this pattern", "check the path")
        )
    return found


def _chosen(names: list[str]) -> list[str]:
    """Return the recordings among file names, and the takes without a recording beside them."""
    shown = sorted(name for name in names if not PurePath(name).name.startswith("."))
    sounds = [name for name in shown if PurePath(name).suffix.lower() in AUDIO_SUFFIXES]
    stems = {str(PurePath(name).with_suffix("")) for name in sounds}
    takes = [name for name in shown if PurePath(name).suffix.lower() == TAKE_SUFFIX]
    return sounds + [name for name in takes if str(PurePath(name).with_suffix("")) not in stems]


def _strangers(names: list[str], chosen: Collection[str]) -> list[str]:
    """Return the files that are none of ours: no take beside its recording, no sidecar of one."""
    stems = {str(PurePath(name).with_suffix("")) for name in chosen}
    companions = {f"{stem}{suffix}" for stem in stems for suffix in _COMPANIONS}
    return sorted(
        name
        for name in names
        if name not in chosen
        and name not in companions
        and not PurePath(name).name.startswith(".")
        and not PurePath(name).match(MANIFEST_PATTERN)
    )
