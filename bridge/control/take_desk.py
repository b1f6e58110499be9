"""Takes as a running bridge is told to record them: the next slate and number, start, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.control.commands import MAX_TAKE, SLATE, TAKE
from bridge.errors import Problem, UserError
from bridge.links.metahuman.conversation import RECORDING_STATE, TAKE_ADDED
from bridge.recording.folder import DOCUMENT, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from bridge.recording.open_take import Recorded
    from bridge.recording.recorder import Recorder

FIRST_SLATE = "MySlate"
"""What a take is called until somebody says otherwise; the app's own first name."""


class TakeDesk:
    """Starts and stops takes. Its methods may wait for a disk; `slate` and `take` never do.

    `notice` is told what was done, `announce` tells clients of the MetaHuman device.
    """

    def __init__(
        self,
        recorder: Recorder,
        notice: Callable[[str], None],
        announce: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.slate = FIRST_SLATE
        self.take = 1
        """The number of the next take."""
        self.recorder = recorder
        self._notice = notice
        self._announce = announce
        self._started = ""

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
        self.slate, self.take = slate, min(number + 1, MAX_TAKE)
        self._notice(f"the take {self._started} is being recorded")
        self._announce(RECORDING_STATE, {"isRecording": True})
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
        problem = f"; {recorded.problem}" if recorded.problem else ""
        self._notice(f"the take {recorded.folder} was recorded{problem}")
        self._announce(RECORDING_STATE, {"isRecording": False})
        self._announce(TAKE_ADDED, {"name": recorded.identifier})
        return recorded

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
