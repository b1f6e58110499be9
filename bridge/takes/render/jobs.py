"""The jobs of a render, and its configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.face.emotion_trajectory import sidecar
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.loading import weights_path
from cstalk_bridge.system.files import name_key
from cstalk_bridge.takes.export.formats import FORMATS, Format, resolve_config
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.file import safe_name
from cstalk_bridge.takes.generate import GenerationConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.render.inputs import FoundInput


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
    path = weights_path(settings.weights)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(Problem(str(path), what, "check --weights")) from None


MAX_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Job:
    """One input: `place` is where its outputs go in the folder, without their endings.

    `stamp` identifies the state of input and sidecar: sizes and modification times. `subject` is
    that of a recorded take. The face of a take that `is_regenerated` is generated from its sound.
    What lies in a store has `urls`, its own and that of its sidecar; `source` is where it is
    fetched to. `shown` is what messages call it, `source` by default.
    """

    source: Path
    place: PurePosixPath
    is_take: bool
    sidecar: Path | None
    size: int
    stamp: str
    subject: str | None = None
    is_regenerated: bool = False
    urls: tuple[str, ...] = ()
    shown: str = ""

    @property
    def where(self) -> str:
        """What messages and the manifest call it."""
        return self.shown or str(self.source)

    def explain(self, problem: Problem) -> Problem:
        """Return a problem of the file that was read as one of the file that the user named."""
        suffix = self.source.suffix
        here, there = str(self.source).removesuffix(suffix), self.where.removesuffix(suffix)
        return dataclasses.replace(problem, where=problem.where.replace(here, there))

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
            what = f"would become {name}, as would {other.where}: neither is rendered"
            raise UserError(Problem(file.where, what, "rename one, or render them separately"))


def _is_same(one: FoundInput, other: FoundInput) -> bool:
    is_same_path = one.path == other.path or one.path.resolve() == other.path.resolve()
    return is_same_path and one.subject == other.subject


def _job(file: FoundInput, place: PurePosixPath, *, is_regenerated: bool) -> Job:
    if file.remote:
        return _remote_job(file, place, is_regenerated=is_regenerated)
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


def _remote_job(file: FoundInput, place: PurePosixPath, *, is_regenerated: bool) -> Job:
    recording, *sidecars = file.remote
    if len(sidecars) > 1:
        what = f"{' and '.join(each.below.name for each in sidecars)} both give its emotion"
        raise UserError(Problem(recording.url, what, "remove one of them"))
    stamp = " ".join(f"{each.size}:{each.state}" for each in file.remote)
    return Job(
        *(file.path, place, file.is_take, None, recording.size, stamp),
        is_regenerated=is_regenerated,
        urls=tuple(each.url for each in file.remote),
        shown=recording.url,
    )
