"""The folder of a recorded take: its disk space, claimed, locked, described by `take.json`,
named when finished.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.files import PRIVATE_MODE
from cstalk_bridge.system.files import atomic_write, name_key
from cstalk_bridge.system.process import PROGRAM_NAME, program_version
from cstalk_bridge.takes.file import TakeName
from cstalk_bridge.takes.recording.files import SAMPLE_BYTES
from cstalk_bridge.takes.recording.frames import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Self

    from cstalk_bridge.takes.recording.files import RecordedSubject, SubjectFiles
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick

    FreeBytes = Callable[[Path], int]


ROW_BYTES: Final = 830 + RECORD_BYTES
"""A line of curves, 61 numbers of 13 characters with a timecode and commas, and a record of the
board."""

END_BYTES: Final = 4 << 20
"""Free space at which a take ends: more than 16 subjects write between two checks."""

FIRST_S: Final = 60.0
"""Seconds for which there must be space when a take starts."""

WARNING_S: Final = 600.0
"""Seconds of space below which the user is warned."""

RESERVE_NAME: Final = ".reserve"
RESERVE_BYTES: Final = 64 << 10
"""Kept within a take's folder for `take.json` at its end, should others fill the disk."""

SPACE_HINT: Final = "free space on the disk"


def free_bytes(folder: Path) -> int:
    """Return how many bytes may be written below an existing folder. Raises OSError."""
    return shutil.disk_usage(folder).free


class DiskSpace:
    """The disk space below a folder for takes of some subjects, whose frames have that `rate`."""

    def __init__(
        self,
        folder: Path,
        subjects: Sequence[RecordedSubject],
        rate: FrameRate,
        free: FreeBytes = free_bytes,
    ) -> None:
        sound_bytes = sum(SAMPLE_BYTES * subject.rate_hz for subject in subjects)
        self.bytes_per_s = sound_bytes + len(subjects) * ROW_BYTES * rate.hz
        self._folder = folder
        self._free = free

    @property
    def left_s(self) -> float:
        """Seconds that can be recorded; negative beyond the end. Raises OSError."""
        return (self._free(self._folder) - END_BYTES) / self.bytes_per_s

    def check_begin(self) -> None:
        """Raise UserError where a take would end as soon as it starts. Raises OSError."""
        needed = END_BYTES + FIRST_S * self.bytes_per_s
        free = self._free(self._folder)
        if free < needed:
            what = f"{_megabytes(free)} are free, a take needs {_megabytes(needed)} to start"
            raise UserError(Problem(str(self._folder), what, SPACE_HINT))

    def warning(self) -> Problem | None:
        """Return a warning for the user of little disk space, None where there is enough.

        UserError where there is so little that a take must end. Raises OSError.
        """
        left_s = self.left_s
        if left_s < 0:
            what = f"ended: less than {_megabytes(END_BYTES)} are free"
            raise UserError(Problem(str(self._folder), what, SPACE_HINT))
        if left_s >= WARNING_S:
            return None
        what = f"space is left for {left_s / 60:.1f} min of the take"
        return Problem(str(self._folder), what, SPACE_HINT)


def reserve_space(folder: Path) -> None:
    """Reserve space in a take's folder. UserError where there is none."""
    with atomic_write(folder / RESERVE_NAME, is_private=True) as file:
        # Random: a file system that packs would keep no room for zeros.
        file.write(os.urandom(RESERVE_BYTES))


def release_space(folder: Path) -> None:
    """Release that space; harmless without any. Raises OSError."""
    (folder / RESERVE_NAME).unlink(missing_ok=True)


def _megabytes(size: float) -> str:
    return f"{size / (1 << 20):.0f} MiB"


RECORDING_SUFFIX: Final = ".recording"


DOCUMENT_NAME: Final = "take.json"
PRIVATE_FOLDER_MODE: Final = 0o700
"""Permissions of a folder that only its user may enter; Windows has the user's own by default."""


MAX_REPEATS: Final = 1000
"""Takes of one slate and number on one day."""


def claim_folder(folder: Path, slate: str, number: int, began: datetime) -> tuple[TakeName, Path]:
    """Create the folder of a new take; return its name and the folder, which ends in `SUFFIX`.

    A folder of that name is kept; the new one then gets the suffix `-2`, `-3`, ...
    UserError where no folder can be made.
    """
    day = began.strftime("%Y%m%d")
    try:
        folder.mkdir(PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        taken = {name_key(entry.name) for entry in folder.iterdir()}
        for repeat in range(MAX_REPEATS):
            name = TakeName(slate, number, day, repeat)
            path = folder / (name.identifier + RECORDING_SUFFIX)
            if not taken.isdisjoint(map(name_key, (name.identifier, path.name))):
                continue
            try:
                path.mkdir(PRIVATE_FOLDER_MODE)
            except FileExistsError:
                continue
            return name, path
    except OSError as error:
        what = f"takes cannot be recorded here: {error.strerror}"
        raise UserError(
            Problem(str(folder), what, "check the folder and its permissions")
        ) from None
    what = f"{MAX_REPEATS} takes {number} of slate {slate!r} were recorded today"
    raise UserError(Problem(str(folder), what, "use another number or slate"))


def finish_folder(path: Path) -> Path:
    """Give the folder of a finished take its own name and return it. Raises OSError.

    Where that is taken by now, the folder gets the next that is free.
    """
    plain = path.name.removesuffix(RECORDING_SUFFIX)
    for repeat in range(MAX_REPEATS):
        target = path.with_name(f"{plain}-{repeat + 1}" if repeat else plain)
        if not target.exists():
            path.rename(target)
            return target
    raise FileExistsError(f"no free name was found for {path}")


def write_take_document(folder: Path, document: dict[str, Any]) -> None:
    """Write `take.json`, as a whole or not at all; UserError where that cannot be done."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    with atomic_write(folder / DOCUMENT_NAME, overwrite=True, is_private=True) as file:
        file.write(text.encode("utf-8", "replace") + b"\n")


def read_take_document(folder: Path) -> dict[str, Any]:
    """Read `take.json`; none, or one that is damaged, counts as empty. Raises OSError."""
    try:
        document = json.loads((folder / DOCUMENT_NAME).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


LOCK_NAME: Final = ".owner"
"""The file that is locked."""


class FolderLock:
    """The lock on a folder, from its construction to `end`; a context too.

    BlockingIOError where another holds it, other OSErrors where the file cannot be opened. Where a
    file system knows no locks there is none, and nobody is kept away.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._descriptor: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_MODE)
        try:
            _lock(self._descriptor)
        except BlockingIOError:
            os.close(self._descriptor)
            raise
        except OSError:
            # No locks on this file system: the age of the files has to do.
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def is_there(self) -> bool:
        """Whether the folder still holds this lock."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def end(self) -> None:
        """Remove the file and give the lock back; harmless when done twice."""
        if self._descriptor is None:
            return
        descriptor, is_ours = self._descriptor, self.is_there
        self._descriptor = None
        # Windows removes no file that is open; elsewhere one that is seen shall be locked.
        if sys.platform == "win32":
            os.close(descriptor)
        if is_ours:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        if sys.platform != "win32":
            os.close(descriptor)


if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(error.errno, error.strerror) from None
            raise

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


NANOSECONDS: Final = 10**9


class TakeDocument:
    """The document of one take, of which the first subject gives length and timecode."""

    def __init__(self, name: TakeName, rate: FrameRate, began: datetime) -> None:
        self._keys: dict[str, Any] = {
            "identifier": name.identifier,
            "slate": name.slate,
            "take": name.number,
            "subject": "",
            "date": began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": 1,
            "appVersion": f"{PROGRAM_NAME} {program_version()}",
            "deviceModel": PROGRAM_NAME,
            "calibrated": True,
            "videoTargetFrameRate": rate.nominal,
            "frameRate": rate.name,
        }

    def begun(self, files: Sequence[SubjectFiles]) -> dict[str, Any]:
        """Return it for a take that is being recorded; with its start, once there is a frame."""
        first = files[0].first
        document = self._keys | {"subject": files[0].subject.name}
        if first:
            start, _ = files[0].timecodes
            document |= {"startTimecode": start, "startTimestamp": _timestamp(first)}
        return document | {"subjects": [each.document() for each in files]}

    def finished(self, files: Sequence[SubjectFiles], problem: str = "") -> dict[str, Any]:
        """Return the document of the whole take; `problem` is why it is incomplete, else empty."""
        document = self.begun(files)
        described = document.pop("subjects")
        if last := files[0].last:
            _, end = files[0].timecodes
            document |= {"endTimecode": end, "endTimestamp": _timestamp(last)}
        document["frames"] = described[0]["frames"]
        if problem:
            document["problem"] = problem
        return document | {"subjects": described}


def _timestamp(tick: Tick) -> dict[str, int]:
    return {"value": round(tick.due_s * NANOSECONDS), "timescale": NANOSECONDS}
