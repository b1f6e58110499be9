"""Recordings of the session: sounds whose files lie in a folder of ours, under names of ours.

The name that a user's file has is a label and never becomes part of a path.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.audio.file import AUDIO_SUFFIXES
from bridge.errors import Problem, UserError
from bridge.preview.refusal import NOT_FOUND, TOO_LARGE, TOO_MANY, RefusalError, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping
    from pathlib import Path

    from bridge.takes.sound import Sound

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
    """One sound. `path` is its file where that is ours to remove."""

    id: str
    name: str
    sound: Sound
    path: Path | None = None
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
    """The recordings of a session in `folder`; the least recently used make room for new ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._held: dict[str, Recording] = {}

    def __iter__(self) -> Iterator[Recording]:
        with self._lock:
            return iter(list(self._held.values()))

    def get(self, recording_id: str) -> Recording:
        """Return a recording, which counts as used. RefusalError where there is none."""
        with self._lock:
            recording = self._held.pop(recording_id, None)
            if recording is not None:
                self._held[recording_id] = recording
                return recording
        raise refusal(NOT_FOUND, "recording", f"there is no {recording_id[:40]!r}", "drop it again")

    def named(self, error: UserError) -> UserError:
        """Return the problems with users' names of files in place of ours."""
        return renamed(error, {r.path: r.name for r in self if r.path})

    def add(self, recording: Recording, in_use: Collection[str]) -> None:
        """Hold a recording; those `in_use` stay. RefusalError where there is no room."""
        with self._lock:
            free = [r for key, r in self._held.items() if key not in in_use]
            while len(self._held) >= MAX_RECORDINGS and free:
                self._remove(free.pop(0))
            if len(self._held) < MAX_RECORDINGS:
                self._held[recording.id] = recording
                return
        what = f"{MAX_RECORDINGS} recordings are open and in use"
        raise refusal(TOO_MANY, recording.name, what, "close a take first")

    async def store(self, chunks: AsyncIterator[bytes], label: str) -> Path:
        """Write what arrives to a file in the folder. RefusalError beyond the limits of size."""
        from anyio.to_thread import run_sync

        path = self.folder / new_id()
        room = MAX_HELD_BYTES - sum(file.stat().st_size for file in self.folder.iterdir())
        try:
            with path.open("xb") as file:
                async for gathered in _gathered(_limited(chunks, label, room)):
                    await run_sync(file.write, gathered)
        except OSError as error:
            path.unlink(missing_ok=True)
            what = f"cannot be kept: {error.strerror or error}"
            raise UserError(Problem(label, what, "make room on the disk")) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _remove(self, recording: Recording) -> None:
        del self._held[recording.id]
        for path in filter(None, (recording.path, flac_path(self.folder, recording))):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                # Windows keeps a file that is still open; the whole folder goes at the end.
                continue


def renamed(error: UserError, names: Mapping[Path, str]) -> UserError:
    """Return the problems with the names that stand for those paths."""
    problems = error.problems
    for path, name in names.items():
        ours = str(path)
        problems = tuple(
            Problem(p.where.replace(ours, name), p.what.replace(ours, name), p.remedy)
            for p in problems
        )
    return (
        RefusalError(error.status, *problems)
        if isinstance(error, RefusalError)
        else UserError(*problems)
    )


def flac_path(folder: Path, recording: Recording) -> Path:
    """Return where the FLAC of a recording lies once it was asked for."""
    return folder / f"{recording.id}.flac"


async def _limited(chunks: AsyncIterator[bytes], label: str, room: int) -> AsyncIterator[bytes]:
    """Pass chunks on up to the limits of size. RefusalError beyond."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > min(MAX_UPLOAD_BYTES, room):
            raise _too_large(label, is_full=size > room)
        yield chunk


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces of about `WRITTEN_BYTES`."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= WRITTEN_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _too_large(label: str, *, is_full: bool) -> UserError:
    if is_full:
        what = f"all files of this session may have {MAX_HELD_BYTES >> 30} GiB"
        return refusal(TOO_LARGE, label, what, "start the preview anew")
    what = f"larger than {MAX_UPLOAD_BYTES >> 30} GiB"
    return refusal(TOO_LARGE, label, what, "cut it into parts, or convert it to FLAC")
