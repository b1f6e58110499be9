"""A take while it is recorded: rows wait in bounded queues, and are written when their
sound is.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.file import subject_stems
from cstalk_bridge.takes.recording.files import SubjectFiles
from cstalk_bridge.takes.recording.folder import (
    DOCUMENT_NAME,
    RECORDING_SUFFIX,
    FolderLock,
    TakeDocument,
    claim_folder,
    finish_folder,
    release_space,
    reserve_space,
    write_take_document,
)
from cstalk_bridge.takes.sound import MAX_SOUND_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cstalk_bridge.takes.recording.files import RecordedSubject
    from cstalk_bridge.takes.recording.frames import Row
    from cstalk_bridge.timecode.smpte import FrameRate

QUEUE_S: Final = 6.0
"""Seconds of frames that wait for a stalled disk before they are lost: as long as `AudioHistory`
lasts."""

SETTLE_S: Final = 0.1
"""Age at which a frame is written. Its audio lasts for a frame, and at 24 fps without look-ahead
has not arrived completely when the frame is shown."""


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """A finished take: its folder, first and last timecode, and the files of each subject.

    `problem` is why it is incomplete, None where it is complete: it ended on its own, or not all of
    it could be written. The folder then holds what could be saved.
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

    The tick thread offers and one other writes. All files it needs are open once it is made. Raises
    UserError and OSError where one cannot be, and then leaves nothing.
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
        self.is_over = threading.Event()
        """No more frames are taken."""
        self.places: Mapping[object, int] = {}
        """The place of each subject by the link that offers its frames."""
        self._root = folder
        self._ending = threading.Event()
        self._rate = rate
        self._began = began
        self._first_number: int | None = None
        self._queues: list[deque[Row]] = [deque() for _ in subjects]
        self._files: list[SubjectFiles] = []
        self._ownership: FolderLock | None = None
        self.name, self.folder = claim_folder(folder, slate, number, began)
        with ExitStack() as undoing:
            undoing.callback(self.discard)
            self._ownership = FolderLock(self.folder)
            reserve_space(self.folder)
            names = subject_stems(self.name, [subject.name for subject in subjects])
            for stem, subject in zip(names, subjects, strict=True):
                self._files.append(SubjectFiles(self.folder, stem, subject, rate, began))
            self._document = TakeDocument(self.name, rate, began)
            write_take_document(self.folder, self._document.begun(self._files))
            undoing.pop_all()

    @property
    def duration_s(self) -> float:
        """Seconds that were written."""
        first, last = self._files[0].first, self._files[0].last
        return last.due_s - first.due_s if first and last else 0.0

    @property
    def lost(self) -> int:
        """Frames of all subjects that could not be written."""
        return sum(files.lost for files in self._files)

    def offer(self, subject: int, row: Row) -> bool:
        """Queue a frame, unless the take is over; False where the queue is full. Never waits."""
        tick = row.tick
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
        queue.append(row)
        return True

    def end(self) -> None:
        """End with the current tick; `is_over` is set when it has ended."""
        self._ending.set()

    def wait_for_end(self, seconds: float) -> bool:
        """Wait for that time at most; return whether the take is to end."""
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
                    # The end writes it again, and who finds the take without one reads its files.
                    with suppress(UserError):
                        write_take_document(self.folder, self._document.begun(self._files))
        if not self._are_files_there():
            what = "ended: its files were removed while it was recorded"
            raise UserError(
                Problem("take", what, "do not move or remove a take's folder while it is recorded")
            )
        if self.duration_s > MAX_SOUND_S:
            what = f"ended: a take is limited to {MAX_SOUND_S / 3600:g} h"
            raise UserError(Problem("take", what, "start another"))

    def finish(self, problem: Problem | None = None) -> RecordedTake:
        """Close the files and give the take its name; `problem` is why it ended on its own.

        Files that somebody removed are saved under the next free name. Where the disk does not let
        the take have its name, the folder stays one of a take that is being recorded.
        """
        problems = [problem] if problem else []
        start, end = self._files[0].timecodes
        for step in (self._rescue, *(files.close for files in self._files), self._free_room):
            try:
                step()
            except UserError as error:
                problems += error.problems
            except OSError as error:
                problems.append(_unwritten(error))
        folder = self._named(problems)
        return RecordedTake(
            identifier=folder.name.removesuffix(RECORDING_SUFFIX),
            folder=folder,
            start_timecode=start,
            end_timecode=end,
            curves=tuple(folder / files.curves_path.name for files in self._files),
            sounds=tuple(folder / files.sound_path.name for files in self._files),
            problem=_joined_problem(folder, problems),
        )

    def discard(self) -> None:
        """Leave nothing of a take that cannot begin; what cannot be removed stays."""
        # By their names: to list the folder takes a descriptor, and there may be none.
        steps = [files.discard for files in self._files]
        for step in (
            *steps,
            (self.folder / DOCUMENT_NAME).unlink,
            self._free_room,
            self.folder.rmdir,
        ):
            with suppress(OSError, UserError):
                step()

    def _named(self, problems: list[Problem]) -> Path:
        """Write `take.json` and name the folder; add what goes wrong, return the folder."""
        try:
            fault = "; ".join(map(str, problems))
            write_take_document(self.folder, self._document.finished(self._files, fault))
            return finish_folder(self.folder)
        except UserError as error:
            problems += error.problems
        except OSError as error:
            problems.append(_unwritten(error))
        return self.folder

    def _are_files_there(self) -> bool:
        return all(files.are_there for files in self._files)

    def _rescue(self) -> None:
        """Go on in another folder where files were removed that are still open."""
        if self._are_files_there():
            return
        before, is_ours = self.folder, self._ownership is not None and self._ownership.is_there
        _, self.folder = claim_folder(self._root, self.slate, self.number, self._began)
        for files in self._files:
            files.rescue(self.folder)
        if is_ours:
            shutil.rmtree(before, ignore_errors=True)

    def _free_room(self) -> None:
        """Give back what the take kept for its end."""
        if self._ownership is not None:
            self._ownership.end()
        release_space(self.folder)


def _unwritten(error: OSError) -> Problem:
    return Problem(
        "", f"could not be written completely: {error.strerror or error}", "check the disk"
    )


def _joined_problem(folder: Path, problems: Sequence[Problem]) -> Problem | None:
    """Return all problems of a take as one that names its folder, None for none."""
    if not problems:
        return None
    what = "; ".join(dict.fromkeys(problem.what for problem in problems))
    remedies = dict.fromkeys(problem.remedy for problem in problems if problem.remedy)
    return Problem(str(folder), what, "; ".join(remedies))
