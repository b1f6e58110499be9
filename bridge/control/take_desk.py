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

    `notice` is told of every take that begins and ends, whoever started it.
    """

    def __init__(self, recorder: Recorder, notice: Callable[[str], None]) -> None:
        self.slate = FIRST_SLATE
        self.take = 1
        """The number of the next take."""
        self.recorder = recorder
        self._notice = notice
        self._started = ""
        recorder.watch(self._began, self._ended)

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
        self._started = self.recorder.start(slate, number)
        return self._started

    def stop(self) -> Recorded:
        """End the take and return it, also one that has ended by itself. UserError without one."""
        recorded = self.recorder.stop()
        last = self.recorder.last
        if recorded is None and last is not None and last.identifier == self._started:
            recorded = last
        self._started = ""
        if recorded is None:
            raise UserError(Problem("take", "none is being recorded"))
        return recorded

    def _began(self, take: TakeName) -> None:
        self.slate, self.take = take.slate, min(take.number + 1, MAX_TAKE)
        self._notice(f"the take {take.identifier} is being recorded")

    def _ended(self, take: Recorded) -> None:
        problem = f"; {take.problem}" if take.problem else ""
        self._notice(f"the take {take.folder} was recorded{problem}")

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
