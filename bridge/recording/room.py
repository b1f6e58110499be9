"""Room on the disk for a take: asked for before it begins, watched, and kept for its end.

What ends a take for want of room happens while there is some, so that all of it is written.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from bridge.errors import Problem, UserError
from bridge.recording.wave_file import SAMPLE_BYTES
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bridge.clock.rate import FrameRate
    from bridge.recording.subject_files import RecordedSubject

    FreeBytes = Callable[[Path], int]

ROW_BYTES: Final = 700
"""A line of curves: 61 numbers of 10 characters, a timecode and commas."""

END_BYTES: Final = 4 << 20
"""Free room at which a take ends: more than 16 subjects write between two looks."""

FIRST_S: Final = 60.0
"""Seconds for which there must be room when a take begins."""

WARNING_S: Final = 600.0
"""Seconds of room below which the user is warned."""

RESERVE: Final = ".reserve"
RESERVE_BYTES: Final = 64 << 10
"""Kept within a take's folder for `take.json` at its end, should others fill the disk."""

REMEDY: Final = "make room on the disk"


def free_bytes(folder: Path) -> int:
    """Return how much may be written below a folder that is there. Raises OSError."""
    return shutil.disk_usage(folder).free


class Room:
    """The room below a folder for takes of some subjects, whose frames have that `rate`."""

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
        """Raise UserError where a take would end as soon as it began. Raises OSError."""
        needed = END_BYTES + FIRST_S * self.bytes_per_s
        free = self._free(self._folder)
        if free < needed:
            what = f"{_megabytes(free)} are free, and a take needs {_megabytes(needed)} to begin"
            raise UserError(Problem(str(self._folder), what, REMEDY))

    def warning(self) -> Problem | None:
        """Return what to tell the user of little room, None where there is enough.

        UserError where there is so little that a take must end. Raises OSError.
        """
        left_s = self.left_s
        if left_s < 0:
            what = f"ended: less than {_megabytes(END_BYTES)} are free"
            raise UserError(Problem(str(self._folder), what, REMEDY))
        if left_s >= WARNING_S:
            return None
        what = f"there is room for {left_s / 60:.1f} min of the take"
        return Problem(str(self._folder), what, REMEDY)


def reserve(folder: Path) -> None:
    """Keep some room in a take's folder. UserError where there is none."""
    with whole_file(folder / RESERVE, is_private=True) as file:
        # Random: a file system that packs would keep no room for zeros.
        file.write(os.urandom(RESERVE_BYTES))


def release_reserve(folder: Path) -> None:
    """Give that room back; harmless without any. Raises OSError."""
    (folder / RESERVE).unlink(missing_ok=True)


def _megabytes(size: float) -> str:
    return f"{size / (1 << 20):.0f} MiB"
