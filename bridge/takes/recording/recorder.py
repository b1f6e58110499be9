"""The recorder: starts and stops takes, writes them on a thread of its own, and recovers those
whose program was killed.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.files import PARTIAL_SUFFIX
from cstalk_bridge.outputs.link import replace_nonfinite
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.system.files import is_folder
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.takes.file import CURVES_SUFFIX, SOUND_SUFFIX
from cstalk_bridge.takes.recording import files
from cstalk_bridge.takes.recording.folder import (
    RECORDING_SUFFIX,
    DiskSpace,
    FolderLock,
    finish_folder,
    free_bytes,
    read_take_document,
    release_space,
    write_take_document,
)
from cstalk_bridge.takes.recording.frames import (
    BOARD_SUFFIX,
    SETTINGS_SUFFIX,
    Row,
    repair_faces,
    repair_lines,
)
from cstalk_bridge.takes.recording.open_take import SETTLE_S, OpenTake, RecordedTake
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cstalk_bridge.rig.curves import Frame
    from cstalk_bridge.takes.file import TakeName
    from cstalk_bridge.takes.recording.files import RecordedSubject
    from cstalk_bridge.takes.recording.folder import FreeBytes
    from cstalk_bridge.takes.take import SettingValue
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


CURVE_COUNT: Final = len(ARKIT_CURVES)
"""Of a frame: those of the Live Link Face packet, in its order."""

WRITE_INTERVAL_S: Final = 0.25
"""How often it is written, and so what a kill costs at most, besides what has not settled."""

END_S: Final = 0.5
"""How long a take waits for its last tick."""

MAX_NUMBER: Final = 2**31 - 1
"""Take numbers come as int32 over OSC."""


def no_settings(_subject: str) -> Mapping[str, SettingValue]:
    """Return the settings of a subject of which nothing is known."""
    return {}


def _local_time() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class TakeObserver:
    """Callbacks for takes, called on other threads; none may wait or raise.

    `began` and `ended` are called for every take, whoever started it, `warned` for threats to one.
    """

    began: Callable[[TakeName], None]
    ended: Callable[[RecordedTake], None]
    warned: Callable[[Problem], None]


class Recorder:
    """Records one take at a time, of all subjects, into folders below `folder`.

    Each subject is recorded by the link made for it. Any thread may start and stop takes; `rate` is
    that of the ticks. A take that is stopped waits `end_s` for its last tick and `settle_s` for the
    sound of its last frames. `free` returns how many bytes may be written below a folder.
    """

    def __init__(
        self,
        folder: Path,
        rate: FrameRate,
        *,
        now: Callable[[], float] = host_now,
        local_time: Callable[[], datetime] = _local_time,
        interval_s: float = WRITE_INTERVAL_S,
        end_s: float = END_S,
        settle_s: float = SETTLE_S,
        free: FreeBytes = free_bytes,
    ) -> None:
        self.folder = folder
        self.last: RecordedTake | None = None
        """The take that ended last."""
        self.read_settings: Callable[[str], Mapping[str, SettingValue]] = no_settings
        """Returns the settings in force of a subject, by its name; called on the recorder's
        thread."""
        self._watching: list[TakeObserver] = []
        self._links: tuple[RecordingLink, ...] = ()
        self._rate = rate
        self._now = now
        self._local_time = local_time
        self._interval_s = interval_s
        self._end_s, self._settle_s = end_s, settle_s
        self._free = free
        self._take: OpenTake | None = None
        self._unreported: Problem | None = None
        self._worker: Worker | None = None
        self._switching = threading.Lock()

    @property
    def take(self) -> OpenTake | None:
        """The take that is being recorded."""
        return self._take

    def link(self, subject: RecordedSubject | Callable[[], RecordedSubject]) -> RecordingLink:
        """Return the link of a subject; the first subject's ticks bound a take.

        Its curves are those of the Live Link Face packet, [61], in that order. A function is called
        as each take starts. The subject belongs to the next take, not to one that is being
        recorded.
        """
        link = RecordingLink(self, subject)
        with self._switching:
            self._links = (*self._links, link)
        return link

    def arrange(self, links: Sequence[RecordingLink]) -> None:
        """Record these links alone from the next take on, in the order in which they are sent."""
        with self._switching:
            self._links = tuple(links)

    def watch(
        self,
        began: Callable[[TakeName], None],
        ended: Callable[[RecordedTake], None],
        warned: Callable[[Problem], None] = lambda _problem: None,
    ) -> None:
        """Call back for every take as it begins and ends, whoever started it, on other threads.

        No callback may wait, nor start or stop a take. `ended` is called before `stop` returns, and
        also for a take that ends by itself. `warned` is called for what may end a take.
        """
        self._watching.append(TakeObserver(began, ended, warned))

    def start(self, slate: str, number: int) -> str:
        """Start a take with the next tick and return its identifier, the name of its folder.

        Its files and disk space are reserved by then. UserError where a take is being recorded
        already, for an invalid slate or number, and where files or space cannot be had; nothing is
        left then.
        """
        if not slate.strip() or not slate.isprintable():
            raise UserError(
                Problem("slate", f"{slate!r} is not a slate", "write one such as MySlate")
            )
        if not 0 <= number <= MAX_NUMBER:
            raise UserError(Problem("take", f"number {number} is not within 0..{MAX_NUMBER}"))
        with self._switching:
            if not self._links:
                raise UserError(Problem("take", "there is no subject to record"))
            if self._take is not None:
                what = f"{self._take.name.identifier} is being recorded"
                raise UserError(Problem("take", what, "stop it first"))
            self._join()
            self._unreported = None
            are_notified = threading.Event()
            take = self._opened(slate, number, are_notified)
            for watcher in self._watching:
                watcher.began(take.name)
            are_notified.set()
            return take.name.identifier

    def stop(self) -> RecordedTake | None:
        """End the take with the current tick, wait until it is written, and return it.

        That takes at most a second with a healthy disk. UserError where the take is incomplete,
        once, also for one that has ended on its own. Without a take, returns None.
        """
        with self._switching:
            take = self._take
            if take is not None:
                take.end()
            self._join()
            problem, self._unreported = self._unreported, None
        if problem is not None:
            raise UserError(problem)
        return None if take is None else self.last

    def close(self) -> None:
        """End the take, if there is one, and notify observers; harmless when done twice."""
        with suppress(UserError):
            self.stop()

    def _opened(self, slate: str, number: int, are_notified: threading.Event) -> OpenTake:
        """Return a take that its thread writes once the observers `are_notified` of its start.

        UserError; then nothing is left of it.
        """
        links = self._links
        subjects = [
            replace(subject, settings=partial(self.read_settings, subject.name))
            for subject in (link.subject for link in links)
        ]
        try:
            take = OpenTake(self.folder, slate, number, subjects, self._rate, self._local_time())
        except OSError as error:
            what = f"no take can start: {error.strerror or error}"
            raise UserError(Problem(str(self.folder), what, "check the folder")) from None
        room = DiskSpace(take.folder, subjects, self._rate, self._free)
        try:
            room.check_begin()
            self._worker = Worker("recorder", partial(self._record, take, room, are_notified))
            take.places = {link: place for place, link in enumerate(links)}
            self._take = take
            self._worker.start()
        except (UserError, OSError, RuntimeError) as error:
            self._take = self._worker = None
            take.discard()
            if isinstance(error, UserError):
                raise
            raise UserError(Problem("take", f"cannot start: {error}")) from None
        return take

    def _join(self) -> None:
        if self._worker is not None:
            self._worker.join()
            self._worker = None

    def _record(self, take: OpenTake, room: DiskSpace, are_notified: threading.Event) -> None:
        """Write a take until it is over: the work of its thread."""
        are_notified.wait()
        problem = self._write_rows(take, room)
        take.is_over.set()
        recorded = take.finish(problem)
        self.last, self._unreported = recorded, recorded.problem
        self._take = None
        for watcher in self._watching:
            watcher.ended(recorded)

    def _write_rows(self, take: OpenTake, room: DiskSpace) -> Problem | None:
        """Write a take until it is over; return why it ended by itself, None where it did not."""
        is_warned = False
        try:
            while not take.wait_for_end(self._interval_s):
                take.write(self._now())
                warning = room.warning()
                if warning is not None and not is_warned:
                    is_warned = True
                    for watcher in self._watching:
                        watcher.warned(warning)
            take.is_over.wait(self._end_s)
            take.is_over.set()
            # The last frames' sound is still to come.
            time.sleep(self._settle_s)
            take.write(math.inf)
        except UserError as error:
            return error.problems[0]
        except OSError as error:
            what = f"ended: {error.strerror or error}"
            return Problem("take", what, "check the disk and its free space")
        except Exception as error:  # noqa: BLE001 - whatever ends a take, its files are finished
            what = f"ended by an internal error: {type(error).__name__}: {error}"
            return Problem("take", what)
        return None


class RecordingLink:
    """Frames of one subject to the take that is recorded, if any.

    `sent` counts frames taken, `failed` those that were lost because the disk stalls.
    """

    def __init__(
        self, recorder: Recorder, subject: RecordedSubject | Callable[[], RecordedSubject]
    ) -> None:
        self.sent = 0
        self.failed = 0
        self.not_finite = 0
        """Values of curves that were NaN, infinite or beyond float32, and are 0."""
        self._recorder = recorder
        self._subject = subject

    @property
    def subject(self) -> RecordedSubject:
        """The subject as it is at present."""
        return self._subject() if callable(self._subject) else self._subject

    def record(
        self, values: NDArray[np.float32], face: Frame, emotion: NDArray[np.float32], tick: Tick
    ) -> None:
        """Record the curves of a frame, [61], its face, and the weights in force, [emotions].

        Never waits. The arrays of face and emotion are kept. ValueError for another shape only.
        """
        if values.shape != (CURVE_COUNT,):
            raise ValueError(f"values of shape {values.shape}, not ({CURVE_COUNT},)")
        take = self._recorder.take
        if take is None or (place := take.places.get(self)) is None:
            return
        finite, replaced = replace_nonfinite(values)
        self.not_finite += replaced
        if take.offer(place, Row(tick, finite.copy(), face, emotion)):
            self.sent += 1
        else:
            self.failed += 1


UNTOUCHED_S: Final = 10.0
"""Age of the newest file after which nobody records any more: 40 times as long as a recorder
pauses."""

REPAIRS: Final[Mapping[str, Callable[[Path], object]]] = {
    BOARD_SUFFIX: repair_faces,
    SETTINGS_SUFFIX: repair_lines,
    SOUND_SUFFIX: files.repair_wave,
}

NO_CURVES: Final = (0, "", "")
"""The length of curves that were not begun."""


def recover(folder: Path, wall_s: float) -> tuple[list[Path], list[Problem]]:
    """Finish interrupted takes below `folder`, at the system time `wall_s`.

    Half a line, half a face and half a sample are cut off, and `take.json` gets the length of the
    take; then its folder gets its name. Return those folders, and the problems of what could not be
    repaired. A take whose program still runs, even stopped, is left to it.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob(f"*{RECORDING_SUFFIX}")) if is_folder(folder) else []:
        try:
            if path.is_dir() and wall_s - _touched_s(path) >= UNTOUCHED_S:
                with FolderLock(path):
                    problems += _repaired(path)
                found.append(finish_folder(path))
        except BlockingIOError:
            continue
        except UserError as error:
            problems += error.problems
        except OSError as error:
            problems.append(Problem(str(path), f"cannot be recovered: {error}"))
    return found, problems


def recovery_lines(folder: Path) -> list[str]:
    """Finish interrupted takes below `folder`, and return lines about them for the user."""
    found, problems = recover(folder, time.time())
    lines = (f"an interrupted take was recovered: {each}" for each in found)
    return [*lines, *map(str, problems)]


def report_recovery(folder: Path) -> None:
    """Finish interrupted takes where nobody shows notices, and print the lines about them."""
    for line in recovery_lines(folder):
        print(line, file=sys.stderr)


def _touched_s(path: Path) -> float:
    return max(file.stat().st_mtime for file in (path, *path.iterdir()))


def _repaired(path: Path) -> list[Problem]:
    """Bring the files of a take in order; return what is wrong with those that cannot be."""
    for half in path.glob(f".*{PARTIAL_SUFFIX}"):
        half.unlink()
    release_space(path)
    problems = []
    lengths = {
        file.name: files.repair_curves(file) for file in sorted(path.glob(f"*{CURVES_SUFFIX}"))
    }
    for suffix, repair in REPAIRS.items():
        for file in sorted(path.glob(f"*{suffix}")):
            try:
                repair(file)
            except ValueError as error:
                problems.append(Problem(str(file), f"cannot be repaired: {error}"))
    document = read_take_document(path)
    described = document.get("subjects", [])
    for subject in described if isinstance(described, list) else []:
        if isinstance(subject, dict):
            subject["frames"] = lengths.get(str(subject.get("curves")), NO_CURVES)[0]
    frames, first, last = next(iter(lengths.values()), NO_CURVES)
    codes = {"startTimecode": first, "endTimecode": last} if frames else {}
    write_take_document(path, document | codes | {"frames": frames, "isRecovered": True})
    return problems
