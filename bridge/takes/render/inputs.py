"""The inputs of a render: recordings and takes that paths, folders, patterns and URLs name."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Final

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.face.emotion_trajectory import SIDECAR_SUFFIXES
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import is_folder, is_there
from cstalk_bridge.takes.file import SOUND_SUFFIX, TAKE_SUFFIX
from cstalk_bridge.takes.reader import take_subjects
from cstalk_bridge.takes.recording.folder import RECORDING_SUFFIX
from cstalk_bridge.takes.recording.reading import is_take_folder
from cstalk_bridge.takes.render.remote import (
    MAX_OBJECT_BYTES,
    RemoteFile,
    is_url,
    list_remote,
)
from cstalk_bridge.takes.render.sound_file import is_sound_beside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


MANIFEST_PATTERN = "render*.jsonl"


@dataclass(frozen=True, slots=True)
class FoundInput:
    """A recording or a take, and where it lies below the folder or pattern that named it.

    Of a recorded take, `subject` is the one that is meant; `is_one_of_many` where it has more. What
    lies in a store has `remote`, it and its sidecars; `path` is then only a name.
    """

    path: Path
    below: PurePath
    subject: str | None = None
    is_one_of_many: bool = False
    remote: tuple[RemoteFile, ...] = ()

    @property
    def where(self) -> str:
        """What messages call it."""
        return self.remote[0].url if self.remote else str(self.path)

    @property
    def is_take(self) -> bool:
        """Whether it is a take, which is only converted."""
        return self.subject is not None or self.path.suffix.lower() == TAKE_SUFFIX

    @property
    def name(self) -> str:
        """What its outputs are called."""
        if self.subject is None:
            return self.below.stem
        name = self.below.name.removesuffix(RECORDING_SUFFIX)
        return f"{name}_{self.subject}" if self.is_one_of_many else name


MAX_NAMED: Final = 5
"""Files left out which are named; all are counted."""


_COMPANIONS: Final = (*SIDECAR_SUFFIXES, TAKE_SUFFIX)
"""What may stand beside a recording and belongs to it, in place of its own ending."""


@dataclass(slots=True)
class Inputs:
    """What was found, each file once, what could not be looked into, and what was left out.

    `notices` are lines for the user. `left_out` are the files of folders and patterns which are
    neither recording nor take, and belong to none.
    """

    found: list[FoundInput] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def choose(self, subject: str | None) -> None:
        """Keep one subject of recorded takes alone; a take without it is a problem."""
        takes: dict[Path, list[str]] = defaultdict(list)
        for file in self.found:
            if file.subject is not None:
                takes[file.path].append(file.subject)
        for path, subjects in takes.items():
            names = ", ".join(subjects)
            if subject is not None and subject not in subjects:
                what = f"the take has no subject {subject!r}"
                self.problems.append(Problem(str(path), what, f"choose one of {names}"))
            elif subject is None and len(subjects) > 1:
                self.notices.append(f"{path}: subjects {names}; --subject chooses one")
        if subject is not None:
            self.found = [file for file in self.found if file.subject in (None, subject)]

    def add(self, files: Iterable[FoundInput]) -> None:
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
        return f"ignored, being neither recordings nor takes: {names}{more}"


def find_inputs(arguments: Sequence[str], out: Path) -> Inputs:
    """Return the files that the arguments name, sorted within each folder.

    In folders, all recordings and takes are meant, of recorded takes all subjects, but for hidden
    ones, for those below `out`, and for a take beside its recording. Links to folders are not
    followed, so that the search ends.
    """
    inputs = Inputs()
    for argument in arguments:
        path = Path(argument)
        if is_url(argument):
            inputs.add(_in_store(argument, inputs))
        elif is_folder(path) and is_take_folder(path):
            inputs.add(_recorded(path, PurePath(path.resolve().name), inputs))
        elif is_folder(path):
            inputs.add(_in_folder(path, path, out, inputs))
        elif is_there(path):
            inputs.add([FoundInput(path, PurePath(path.name))])
        elif glob.has_magic(argument):
            inputs.add(_matching(argument, out, inputs))
        else:
            inputs.problems.append(Problem(argument, "no such file or folder", "check the path"))
    return inputs


def _in_folder(folder: Path, base: Path, out: Path, inputs: Inputs) -> list[FoundInput]:
    problems = inputs.problems

    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be listed: {error.strerror}"))

    count, found, kept_out = len(problems), [], out.resolve()
    for place, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(place)
        shown = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != kept_out
        )
        recorded = {name for name in shown if is_take_folder(here / name)}
        folders[:] = [name for name in shown if name not in recorded]
        for name in sorted(recorded):
            found += _recorded(here / name, (here / name).relative_to(base), inputs)
        files = [name for name in names if not _is_output(here / name)]
        chosen = _chosen(files)
        inputs.left_out += (here / name for name in _strangers(files, chosen))
        found += [FoundInput(here / name, (here / name).relative_to(base)) for name in chosen]
    if not found and len(problems) == count and folder == base:
        endings = ", ".join((*AUDIO_SUFFIXES[:5], TAKE_SUFFIX))
        problems.append(Problem(str(folder), f"contains no recording ({endings} ...)", "check it"))
    return found


def _recorded(folder: Path, below: PurePath, inputs: Inputs) -> list[FoundInput]:
    """Return the subjects of a recorded take as inputs."""
    try:
        subjects = take_subjects(folder)
    except UserError as error:
        inputs.problems += error.problems
        return []
    return [FoundInput(folder, below, subject, len(subjects) > 1) for subject in subjects]


def _matching(pattern: str, out: Path, inputs: Inputs) -> list[FoundInput]:
    parts = PurePath(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    matches = sorted(map(Path, glob.iglob(pattern, recursive=True)))  # noqa: PTH207 - keeps `..`
    found = []
    for path in matches:
        if path.is_dir() and is_take_folder(path):
            found += _recorded(path, path.relative_to(base), inputs)
        elif path.is_dir():
            found += _in_folder(path, base, out, inputs)
    files = [
        path
        for path in matches
        if path.is_file()
        and not path.is_relative_to(out)
        and not is_take_folder(path.parent)
        and not _is_output(path)
    ]
    chosen = set(_chosen([str(path) for path in files]))
    inputs.left_out += map(Path, _strangers([str(path) for path in files], chosen))
    found += [FoundInput(path, path.relative_to(base)) for path in files if str(path) in chosen]
    if not found:
        inputs.problems.append(
            Problem(pattern, "no recording matches this pattern", "check the path")
        )
    return found


def _in_store(url: str, inputs: Inputs) -> list[FoundInput]:
    """Return the recordings and takes that a URL names, without looking into any of them."""
    try:
        files = {str(file.below): file for file in list_remote(url)}
    except UserError as error:
        inputs.problems += error.problems
        return []
    found = []
    for name in _chosen(list(files)):
        file, stem = files[name], str(PurePosixPath(name).with_suffix(""))
        beside = (files.get(f"{stem}{suffix}") for suffix in SIDECAR_SUFFIXES)
        sidecars = () if name.lower().endswith(TAKE_SUFFIX) else tuple(filter(None, beside))
        if file.size > MAX_OBJECT_BYTES:
            what = f"has {file.size} bytes, the limit is {MAX_OBJECT_BYTES}"
            inputs.problems.append(Problem(file.url, what, "cut it into parts"))
            continue
        found.append(FoundInput(Path(file.url), file.below, remote=(file, *sidecars)))
    if not found:
        inputs.problems.append(Problem(url, "no recording is there", "check the URL"))
    return found


def _is_output(path: Path) -> bool:
    """Whether it is the sound beside an export, which is no recording."""
    return path.suffix.lower() == SOUND_SUFFIX and is_sound_beside(path)


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
