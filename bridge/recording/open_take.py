"""A take while it is recorded: rows wait in bounded queues, and are written when their sound is."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Problem, UserError
from bridge.recording.curves_file import Row
from bridge.recording.folder import SUFFIX, claim, release, stems, write_document
from bridge.recording.subject_files import SubjectFiles
from bridge.takes.sound import MAX_SOUND_S
from bridge.version import program_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick
    from bridge.recording.subject_files import RecordedSubject

QUEUE_S: Final = 6.0
"""Seconds of frames which wait for a disk that stalls, then they are lost: as long as `Tape`."""

SETTLE_S: Final = 0.1
"""Age at which a frame is written. Its sound reaches on for a frame, which at 24 fps and without
look-ahead is not yet heard when the frame is shown."""

PROGRAM: Final = "CSTalk Bridge"
NANOSECONDS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished take: its folder, first and last timecode, and the files of each subject.

    `problem` says why it ended by itself, None where it was stopped.
    """

    identifier: str
    folder: Path
    start_timecode: str
    end_timecode: str
    curves: tuple[Path, ...]
    sounds: tuple[Path, ...]
    problem: Problem | None = None


class OpenTake:
    """Frames of all subjects between one tick and another; the same ticks for all.

    The tick thread offers and one other writes. Raises UserError where no folder can be made.
    """

    def __init__(
        self,
        folder: Path,
        slate: str,
        number: int,
        subjects: Sequence[RecordedSubject],
        rate: FrameRate,
        began: datetime,
    ) -> None:
        self.slate, self.number = slate, number
        self.name, self.folder = claim(folder, slate, number, began)
        self.is_over = threading.Event()
        """No more frames are taken."""
        self._ending = threading.Event()
        self._rate = rate
        self._began = began
        self._first_number: int | None = None
        self._queues: list[deque[Row]] = [deque() for _ in subjects]
        self._files = [
            SubjectFiles(self.folder, stem, subject, rate, began)
            for stem, subject in zip(
                stems(self.name, [subject.name for subject in subjects]), subjects, strict=True
            )
        ]
        self._write_document({})

    @property
    def duration_s(self) -> float:
        """Seconds that were written."""
        first, last = self._files[0].first, self._files[0].last
        return last.due_s - first.due_s if first and last else 0.0

    @property
    def lost(self) -> int:
        """Frames of all subjects that could not be written."""
        return sum(files.lost for files in self._files)

    def offer(self, subject: int, curves: NDArray[np.float32], tick: Tick) -> bool:
        """Take a frame, unless the take is over; False where the queue is full. Never waits."""
        if subject == 0:
            if self._ending.is_set():
                self.is_over.set()
            elif self._first_number is None:
                self._first_number = tick.number
        if self.is_over.is_set() or self._first_number is None or tick.number < self._first_number:
            return True
        queue = self._queues[subject]
        if len(queue) >= QUEUE_S * self._rate.hz:
            self._files[subject].lost += 1
            return False
        queue.append(Row(tick, curves.copy()))
        return True

    def end(self) -> None:
        """End with the tick that is on; `is_over` tells when it is."""
        self._ending.set()

    def wait_for_end(self, seconds: float) -> bool:
        """Wait so long at most; return whether the take is to end."""
        return self._ending.wait(seconds)

    def write(self, now_s: float) -> None:
        """Write the frames that are old enough. Raises OSError and UserError."""
        for queue, files in zip(self._queues, self._files, strict=True):
            rows = []
            while queue and now_s - queue[0].tick.due_s >= SETTLE_S:
                rows.append(queue.popleft())
            if rows:
                is_first = files is self._files[0] and files.first is None
                files.append(rows)
                if is_first:
                    self._write_document({})
        if self.duration_s > MAX_SOUND_S:
            what = f"ended: a take lasts {MAX_SOUND_S / 3600:g} h at most"
            raise UserError(Problem(str(self.folder), what, "begin another"))

    def finish(self, problem: Problem | None = None) -> Recorded:
        """Close the files and give the take its name.

        Where the disk does not let it, the folder stays one of a take that is being recorded.
        """
        paths = [(files.curves_path.name, files.sound_path.name) for files in self._files]
        start, end = self._files[0].timecodes
        try:
            for files in self._files:
                with suppress(OSError):
                    files.close()
            self._write_document({"problem": str(problem)} if problem else {}, is_finished=True)
            folder = release(self.folder)
        except (OSError, UserError) as error:
            folder = self.folder
            problem = problem or Problem(str(folder), f"cannot be finished: {error}")
        return Recorded(
            identifier=folder.name.removesuffix(SUFFIX),
            folder=folder,
            start_timecode=start,
            end_timecode=end,
            curves=tuple(folder / curves for curves, _ in paths),
            sounds=tuple(folder / sound for _, sound in paths),
            problem=problem,
        )

    def _write_document(self, more: dict[str, Any], *, is_finished: bool = False) -> None:
        """Write `take.json` with the keys of the app first; the end's only where it is finished."""
        files = self._files[0]
        start, end = files.timecodes
        document: dict[str, Any] = {
            "identifier": self.name.identifier,
            "slate": self.slate,
            "take": self.number,
            "subject": files.subject.name,
            "date": self._began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": 1,
            "appVersion": f"{PROGRAM} {program_version()}",
            "deviceModel": PROGRAM,
            "calibrated": True,
            "videoTargetFrameRate": self._rate.nominal,
            "frameRate": self._rate.name,
        }
        if files.first and files.last:
            document |= {"startTimecode": start, "startTimestamp": _timestamp(files.first)}
            if is_finished:
                document |= {"endTimecode": end, "endTimestamp": _timestamp(files.last)}
        described = [files.document() for files in self._files]
        if is_finished:
            document["frames"] = described[0]["frames"]
        write_document(self.folder, document | more | {"subjects": described})


def _timestamp(tick: Tick) -> dict[str, int]:
    return {"value": round(tick.due_s * NANOSECONDS), "timescale": NANOSECONDS}
