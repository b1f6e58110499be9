"""The jobs of a render: its configuration, and the recordings and takes that its arguments
name.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.face.emotion_trajectory import SIDECAR_SUFFIXES, sidecar
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.system.files import is_folder, is_there, name_key
from cstalk_bridge.takes.export.formats import FORMATS, Format, resolve_config
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.file import SOUND_SUFFIX, TAKE_SUFFIX, safe_name
from cstalk_bridge.takes.generate import GenerationConfig
from cstalk_bridge.takes.reader import take_subjects
from cstalk_bridge.takes.recording.folder import RECORDING_SUFFIX
from cstalk_bridge.takes.recording.reading import is_take_folder
from cstalk_bridge.takes.render.sound_file import is_sound_beside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.rig.rigmap import RigMap


DEFAULT_FORMATS = ("take", "csv")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (from 1) of `count` equal parts of all jobs."""

    number: int = 1
    count: int = 1

    def holds(self, place: PurePosixPath) -> bool:
        """Whether a job belongs to it: the same one every time, whatever else there is."""
        key = hashlib.sha256(str(place).encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(key[:8], "big") % self.count == self.number - 1


@dataclass(frozen=True, slots=True)
class RenderConfig(GenerationConfig):
    """Configuration of a render: everything but the inputs and the folder.

    `emotions` are those of a recording without a sidecar; `channel` is that of recordings.
    `overwrite` lets files be replaced that no render has made; `is_forced` renders again what is
    finished. `subject` alone is rendered of recorded takes, all by default. `regenerate` generates
    the faces of takes anew, from their sound.
    """

    formats: tuple[Format, ...] = tuple(FORMATS[name] for name in DEFAULT_FORMATS)
    export: ExportConfig = field(default_factory=ExportConfig)
    channel: Channel = None
    device: str = "auto"
    weights: Path | None = None
    shard: Shard = field(default_factory=Shard)
    overwrite: bool = False
    is_forced: bool = False
    subject: str | None = None
    regenerate: bool = False

    @classmethod
    def extending(cls, generation: GenerationConfig, **others: Any) -> RenderConfig:
        """Return it with these settings of the generation."""
        own = {entry.name: getattr(generation, entry.name) for entry in fields(GenerationConfig)}
        return cls(**own, **others)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """One format as it will be written, and hashes of all that shapes its files but the input.

    `fingerprint` is that of takes which are converted, `generated` that of faces which are made.
    """

    form: Format
    export: ExportConfig
    fingerprint: str
    generated: str


def create_output_formats(settings: RenderConfig, weights: str) -> tuple[OutputFormat, ...]:
    """Return an output format for each format; `weights` identifies the network, if one is needed.

    UserError for a rig map that is not for a format, and a head that is not there.
    """
    output_formats = []
    for form in settings.formats:
        export = resolve_config(form, settings.export)
        digest = hashlib.sha256()
        for part in _export_parts(form, export):
            digest.update(part)
        converted = digest.hexdigest()[:16]
        digest.update(_generation_part(settings, weights))
        output_formats.append(OutputFormat(form, export, converted, digest.hexdigest()[:16]))
    return tuple(output_formats)


def output_formats_of(job: Job, output_formats: Sequence[OutputFormat]) -> list[OutputFormat]:
    """Return the formats of one job, with its fingerprint.

    A `.take` file is not written as a take again.
    """
    return [
        dataclasses.replace(each, fingerprint=each.generated) if job.is_generated else each
        for each in output_formats
        if not (job.is_file_of_take and each.form.id == "take")
    ]


def _generation_part(settings: RenderConfig, weights: str) -> bytes:
    shaping = {"weights": weights, "channel": settings.channel, **settings.as_json()}
    return json.dumps(shaping, sort_keys=True).encode()


def _export_parts(form: Format, export: ExportConfig) -> Iterator[bytes]:
    yield form.id.encode()
    if export.rigmap is not None and form.rigmap is not None:
        yield f"at {export.rate.name}".encode()
        yield from _rigmap_parts(export.rigmap)
        if form.has_head and export.head is not None:
            yield hashlib.sha256(export.head.read_bytes()).digest()


def _rigmap_parts(rigmap: RigMap) -> Iterator[bytes]:
    """Yield what a map does, as bytes: its names and all of its arrays."""
    yield json.dumps(rigmap.outputs).encode()
    for holder in (rigmap, rigmap.responses, rigmap.smoothing):
        for entry in dataclasses.fields(holder):
            value = getattr(holder, entry.name)
            if isinstance(value, np.ndarray):
                yield f"{entry.name} {value.shape} ".encode() + value.tobytes()


def weights_hash(settings: RenderConfig) -> str:
    """Return a hash of the weights file. UserError where it cannot be read."""
    path = settings.weights or DEFAULT_PATH
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(Problem(str(path), what, "check --weights")) from None


MANIFEST_PATTERN = "render*.jsonl"


@dataclass(frozen=True, slots=True)
class FoundInput:
    """A recording or a take, and where it lies below the folder or pattern that named it.

    Of a recorded take, `subject` is the one that is meant; `is_one_of_many` where it has more.
    """

    path: Path
    below: PurePath
    subject: str | None = None
    is_one_of_many: bool = False

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
        if is_folder(path) and is_take_folder(path):
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


MAX_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Job:
    """One input: `place` is where its outputs go in the folder, without their endings.

    `stamp` identifies the state of input and sidecar: sizes and modification times. `subject` is
    that of a recorded take. The face of a take that `is_regenerated` is generated from its sound.
    """

    source: Path
    place: PurePosixPath
    is_take: bool
    sidecar: Path | None
    size: int
    stamp: str
    subject: str | None = None
    is_regenerated: bool = False

    @property
    def is_generated(self) -> bool:
        """Whether the network makes its face."""
        return not self.is_take or self.is_regenerated

    @property
    def is_file_of_take(self) -> bool:
        """Whether it is a take in one file, which is only converted."""
        return self.is_take and self.subject is None and not self.is_regenerated

    @property
    def slate(self) -> str:
        """The name of the take, as the output is called."""
        return self.place.name

    def output(self, form: Format) -> PurePosixPath:
        """Return where its output in a format goes."""
        return self.place.with_name(form.name(self.slate, subject=self.subject or ""))


def parse_shard(text: str) -> Shard:
    """Read `i/n`, as 2/8. UserError for anything else."""
    number, _, count = text.partition("/")
    if number.isascii() and count.isascii() and number.isdigit() and count.isdigit():
        shard = Shard(int(number), int(count))
        if 1 <= shard.number <= shard.count <= MAX_SHARDS:
            return shard
    what = f"{text!r} is not a shard"
    raise UserError(Problem("--shard", what, f"write i/n with 1 <= i <= n <= {MAX_SHARDS}"))


def make_jobs(
    found: Iterable[FoundInput],
    formats: Sequence[Format],
    shard: Shard,
    *,
    regenerate: bool = False,
) -> tuple[list[Job], list[Problem]]:
    """Return the jobs of a shard, and the problems of inputs which can be none.

    `regenerate` generates the faces of takes from their sound.
    Inputs, of whatever shard, that would give one output are none of them a job.
    """
    places = [(file, _place(file)) for file in found]
    owners: dict[str, list[FoundInput]] = defaultdict(list)
    for file, place in places:
        for form in formats:
            owners[_key(file, place, form)].append(file)
    jobs: list[Job] = []
    problems: list[Problem] = []
    for file, place in places:
        if not shard.holds(place):
            continue
        try:
            _need_own_outputs(file, place, formats, owners)
            jobs.append(_job(file, place, is_regenerated=file.is_take and regenerate))
        except UserError as error:
            problems += error.problems
    return jobs, problems


def _place(file: FoundInput) -> PurePosixPath:
    return PurePosixPath(*map(safe_name, (*file.below.parts[:-1], file.name)))


def _key(file: FoundInput, place: PurePosixPath, form: Format) -> str:
    """Return what is the same for outputs that are one file on some system."""
    return name_key(str(place.with_name(form.name(place.name, subject=file.subject or ""))))


def _need_own_outputs(
    file: FoundInput,
    place: PurePosixPath,
    formats: Sequence[Format],
    owners: Mapping[str, list[FoundInput]],
) -> None:
    for form in formats:
        others = owners[_key(file, place, form)]
        other = next((each for each in others if not _is_same(each, file)), None)
        if other is not None:
            name = form.name(place.name, subject=file.subject or "")
            what = f"would become {name}, as would {other.path}: neither is rendered"
            raise UserError(Problem(str(file.path), what, "rename one, or render them separately"))


def _is_same(one: FoundInput, other: FoundInput) -> bool:
    is_same_path = one.path == other.path or one.path.resolve() == other.path.resolve()
    return is_same_path and one.subject == other.subject


def _job(file: FoundInput, place: PurePosixPath, *, is_regenerated: bool) -> Job:
    try:
        beside = None if file.is_take else sidecar(file.path)
        paths = [path for path in (file.path, beside) if path is not None]
        if file.subject is not None:
            paths = sorted(path for path in file.path.iterdir() if path.is_file())
        states = [path.stat() for path in paths]
    except OSError as error:
        raise UserError(Problem(str(file.path), f"cannot be read: {error.strerror}")) from None
    stamp = " ".join(f"{state.st_size}:{state.st_mtime_ns}" for state in states)
    size = sum(state.st_size for state in states) if file.subject else states[0].st_size
    return Job(file.path, place, file.is_take, beside, size, stamp, file.subject, is_regenerated)
