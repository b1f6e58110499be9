"""Recordings of a session, uploaded to a folder of its own under ids, and the parsing of request
parameters and bodies within limits.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.config.schema import MAX_LINKS
from cstalk_bridge.control.commands import MAX_TEXT
from cstalk_bridge.document import validation_problems
from cstalk_bridge.face.emotion import EmotionWeights, VoicedEmotionWeights
from cstalk_bridge.face.procedural.animation import LEVEL_NAMES, Levels
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.face import SubjectNumbers, TakeNumbers
from cstalk_bridge.settings.table import live_settings, setting, take_settings
from cstalk_bridge.system.files import atomic_write, printable
from cstalk_bridge.takes.sound import write_flac

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from starlette.requests import Request

    from cstalk_bridge.takes.sound import Sound


BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 400, 401, 403, 404
CONFLICT, TOO_LARGE, MISDIRECTED, TOO_MANY = 409, 413, 421, 429


class HttpError(UserError):
    """A UserError whose answer has a status of its own; any other UserError has `BAD_REQUEST`."""

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(*problems)
        self.status = status


def http_error(status: int, where: str, what: str, remedy: str = "") -> HttpError:
    """Return a refusal of one problem."""
    return HttpError(status, Problem(where, what, remedy))


def problems_document(error: UserError) -> dict[str, list[dict[str, str]]]:
    """Return the problems as they stand in an answer."""
    return {"problems": problems_list(error.problems)}


def problems_list(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return the problems as plain mappings."""
    return [
        {"where": printable(p.where), "what": printable(p.what), "remedy": printable(p.remedy)}
        for p in problems
    ]


M = TypeVar("M", bound=BaseModel)

MAX_DOCUMENT_BYTES = 1 << 16
"""Size of a JSON document in a request."""

UPLOAD_TIMEOUT_S = 30.0
"""Time after which a silent upload is given up."""


class TakeRequest(TakeNumbers):
    """Request for a take, with a number for each of the page's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    recording: str = Field(max_length=64)
    emotion: VoicedEmotionWeights = Field(default_factory=dict)
    levels: Levels | None = None

    @property
    def numbers(self) -> dict[str, Any]:
        """The page's settings by name."""
        return self.model_dump(include={entry.name for entry in take_settings()})


class SubjectRequest(SubjectNumbers):
    """Change of a subject, with a value for each setting that is live, by its field name.

    What is left out stays as it is. `rigmaps` are other rig maps by the present ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    emotion: EmotionWeights | None = None
    levels: dict[str, float] = Field(default_factory=dict, max_length=len(LEVEL_NAMES))
    input: str | None = Field(default=None, min_length=1, max_length=1024)
    is_muted: bool | None = None
    is_paused: bool | None = None
    rigmaps: dict[str, str] = Field(default_factory=dict, max_length=MAX_LINKS)
    over_s: float | None = setting("over_s").field(default=None)

    @property
    def numbers(self) -> dict[str, Any]:
        """The live settings that are given, by field name."""
        names = {entry.field_name for entry in live_settings()}
        return self.model_dump(include=names, exclude_none=True)


class TakeCommand(BaseModel):
    """Start or end of a take of the running bridge, by default of the next slate and number."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    action: Literal["start", "stop"]
    slate: str | None = Field(default=None, max_length=MAX_TEXT)
    take: int | None = None


class KeyPress(BaseModel):
    """A key that was pressed on the page, and the subject on which it acts."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    key: str = Field(max_length=16)
    subject: str = Field(max_length=MAX_TEXT)


async def read_body(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. HttpError where it stops to arrive."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT_S):
                chunk = await anext(chunks, None)
        except TimeoutError:
            what = f"nothing more has arrived for {UPLOAD_TIMEOUT_S:g} s"
            raise http_error(BAD_REQUEST, "request", what, "send it again") from None
        if chunk is None:
            return
        yield chunk


async def read_document(request: Request, model: type[M]) -> M:
    """Return the document that a request holds. HttpError with every problem."""
    text = bytearray()
    async for chunk in read_body(request):
        text += chunk
        if len(text) > MAX_DOCUMENT_BYTES:
            what = f"a document of more than {MAX_DOCUMENT_BYTES >> 10} KiB"
            raise http_error(TOO_LARGE, "request", what)
    try:
        return model.model_validate_json(bytes(text))
    except ValidationError as error:
        raise HttpError(BAD_REQUEST, *validation_problems(error, _location_text)) from None


def _location_text(location: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in location if step != "[key]") or "request"


def read_number(request: Request, name: str) -> float:
    """Return a parameter that is a finite number. HttpError where it is none."""
    text = request.query_params.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not -1e9 < number < 1e9:
        raise http_error(BAD_REQUEST, name, f"a number is needed, found {text[:40]!r}")
    return number


def read_count(request: Request, name: str) -> int:
    """Return a parameter that is a whole number. HttpError where it is none."""
    number = read_number(request, name)
    if number != int(number):
        raise http_error(BAD_REQUEST, name, f"a whole number is needed, found {number:g}")
    return int(number)


MAX_UPLOAD_BYTES = 1 << 30
"""Size of one file: an hour and a half of 48 kHz stereo with 16 bits."""

MAX_HELD_BYTES = 4 << 30
"""Size of all files in the folder."""

MAX_RECORDINGS = 16

MAX_LABEL = 120
"""Characters of a label."""

WRITTEN_BYTES = 1 << 20
"""What is gathered of an upload before it is written."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One sound. `path` is its file where that is ours to remove, `notices` are for the user."""

    id: str
    name: str
    sound: Sound
    path: Path | None = None
    notices: tuple[str, ...] = ()
    encoding: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever makes the FLAC of it."""

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return self.sound.frames / self.sound.rate_hz


def new_id() -> str:
    """Return an id which nobody can guess."""
    return secrets.token_hex(8)


def label_of(name: str) -> str:
    """Return what is shown of the name of a user's file: no folders, no control characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c if c.isprintable() else " " for c in last)
    return " ".join(shown.split())[:MAX_LABEL] or "recording"


def suffix_of(label: str) -> str:
    """Return the ending of a sound file's name where it is one we know, else nothing."""
    lowered = label.lower()
    return next((suffix for suffix in AUDIO_SUFFIXES if lowered.endswith(suffix)), "")


class Recordings:
    """The recordings of a session in `folder`; the least recently used make room for new ones.

    A file may have `max_upload_bytes`, all files in the folder together `max_held_bytes`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        max_held_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        self.folder = folder
        self.max_upload_bytes = max_upload_bytes
        self._max_held_bytes = max_held_bytes
        self._lock = threading.Lock()
        self._held: dict[str, Recording] = {}

    def __iter__(self) -> Iterator[Recording]:
        with self._lock:
            return iter(list(self._held.values()))

    def get(self, recording_id: str) -> Recording:
        """Return a recording, which counts as used. HttpError where there is none."""
        with self._lock:
            recording = self._held.pop(recording_id, None)
            if recording is not None:
                self._held[recording_id] = recording
                return recording
        raise http_error(
            NOT_FOUND, "recording", f"there is no {recording_id[:40]!r}", "drop it again"
        )

    def named(self, error: UserError) -> UserError:
        """Return the problems with users' names of files in place of ours."""
        return renamed(error, {r.path: r.name for r in self if r.path})

    def add(self, recording: Recording, in_use: Collection[str]) -> None:
        """Hold a recording; those `in_use` stay. HttpError where there is no room."""
        with self._lock:
            free = [r for key, r in self._held.items() if key not in in_use]
            while len(self._held) >= MAX_RECORDINGS and free:
                self._remove(free.pop(0))
            if len(self._held) < MAX_RECORDINGS:
                self._held[recording.id] = recording
                return
        what = f"{MAX_RECORDINGS} recordings are open and in use"
        raise http_error(TOO_MANY, recording.name, what, "close a take first")

    async def store(
        self, chunks: AsyncIterator[bytes], label: str, expected_bytes: int = 0
    ) -> Path:
        """Write what arrives to a file in the folder. HttpError beyond the limits of size."""
        from anyio.to_thread import run_sync

        self._check_size(label, expected_bytes, expected_bytes)
        path = self.folder / new_id()
        size = 0
        try:
            with path.open("xb") as file:
                async for piece in _gathered(chunks):
                    size += len(piece)
                    self._check_size(label, size, len(piece))
                    await run_sync(file.write, piece)
        except OSError as error:
            path.unlink(missing_ok=True)
            what = f"cannot be kept: {error.strerror or error}"
            raise UserError(Problem(label, what, "free space on the disk")) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _check_size(self, label: str, size: int, more: int) -> None:
        """Refuse a file of that size, and what comes to the folder beyond its limit."""
        limit, of = self.max_upload_bytes, "a file"
        if size <= limit:
            limit, of = self._max_held_bytes, "all files of this session together"
            if _bytes_in(self.folder) + more <= limit:
                return
        what = f"too large: {of} may have {limit / (1 << 20):.0f} MiB"
        raise http_error(TOO_LARGE, label, what, "cut it into parts, or convert it to FLAC")

    def _remove(self, recording: Recording) -> None:
        del self._held[recording.id]
        for path in filter(None, (recording.path, flac_path(self.folder, recording))):
            # Windows keeps a file that is still open; the whole folder goes at the end.
            with suppress(OSError):
                path.unlink(missing_ok=True)


def renamed(error: UserError, names: Mapping[Path, str]) -> UserError:
    """Return the problems with the names that stand for those paths."""
    problems = error.problems
    for path, name in names.items():
        ours = str(path)
        problems = tuple(
            Problem(p.where.replace(ours, name), p.what.replace(ours, name), p.remedy)
            for p in problems
        )
    if isinstance(error, HttpError):
        return HttpError(error.status, *problems)
    return UserError(*problems)


def flac_path(folder: Path, recording: Recording) -> Path:
    """Return the path of a recording's FLAC, which is made by the first request for it."""
    return folder / f"{recording.id}.flac"


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        # Another thread may just have renamed or removed it.
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces of about `WRITTEN_BYTES`."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= WRITTEN_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


FLAC_MEDIA_TYPE = "audio/flac"


def flac_of(recording: Recording, folder: Path) -> Path:
    """Return the file with the sound as FLAC, mono, 16 bit; written at the first call.

    A second caller waits for the first. UserError where the recording breaks off.
    """
    path = flac_path(folder, recording)
    with recording.encoding:
        if not path.exists():
            with atomic_write(path) as file:
                write_flac(recording.sound, file)
    return path
