"""Takes as a running bridge is told to record them: the next slate and number, start, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.control.commands import MAX_TAKE, SLATE, TAKE
from bridge.errors import Problem, UserError
from bridge.recording.folder import DOCUMENT, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.recording.folder import TakeName
    from bridge.recording.open_take import Recorded
    from bridge.recording.recorder import Recorder

FIRST_SLATE = "MySlate"
"""What a take is called until somebody says otherwise; the app's own first name."""


class TakeDesk:
    """Starts and stops takes. Its methods may wait for a disk; `slate` and `take` never do.

    `notice` is told of every take that begins and ends, whoever started it, and of little room.
    """

    def __init__(self, recorder: Recorder, notice: Callable[[str], None]) -> None:
        self.slate = FIRST_SLATE
        self.take = 1
        """The number of the next take."""
        self.recorder = recorder
        self._notice = notice
        recorder.watch(self._began, self._ended, self._warned)

    @property
    def is_recording(self) -> bool:
        """Whether a take is being recorded, whoever started it."""
        return self.recorder.take is not None

    def start(self, slate: str | None = None, take: int | None = None) -> str:
        """Begin a take, of the next slate and number where none are given; return its identifier.

        UserError where it cannot begin.
        """
        slate = self.slate if slate is None else str(SLATE.read(slate))
        number = self.take if take is None else int(TAKE.read(take))
        return self.recorder.start(slate, number)

    def stop(self) -> Recorded:
        """End the take and return it, which is on disk then.

        UserError without one, and where the take is not what was asked for, as it ended by itself
        or was not written whole; the problem says where that is which could be saved.
        """
        recorded = self.recorder.stop()
        if recorded is None:
            raise UserError(Problem("take", "none is being recorded"))
        return recorded

    def _began(self, take: TakeName) -> None:
        self.slate, self.take = take.slate, min(take.number + 1, MAX_TAKE)
        self._notice(f"the take {take.identifier} is being recorded")

    def _ended(self, take: Recorded) -> None:
        if take.problem is None:
            self._notice(f"the take {take.folder} was recorded")
        else:
            self._notice(f"the take {take.identifier} is not whole: {take.problem}")

    def _warned(self, problem: Problem) -> None:
        self._notice(str(problem))

    def path(self, file: Path) -> str:
        """Return the name under which a file of a take can be asked for."""
        return file.relative_to(self.recorder.folder).as_posix()

    def file(self, path: str) -> Path:
        """Return the file of a finished take by that name. UserError for any other file.

        Links are followed before it is asked whether the file lies in the folder of the takes.
        """
        folder = self.recorder.folder.resolve()
        try:
            file = (folder / path.lstrip("/")).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise UserError(Problem(path[:200], "there is no such file of a take")) from None
        take = file.parent
        is_finished = take.parent == folder and take.suffix != SUFFIX
        if not (is_finished and (take / DOCUMENT).is_file() and file.is_file()):
            raise UserError(Problem(path[:200], "there is no such file of a take"))
        return file
