"""The controller of a running bridge, with its subjects and takes, and the scheduler of emotion
cues.

    controller = Controller()
    threading.Thread(target=run, args=(config,), kwargs={"controller": controller}).start()
    controller.wait_until_running()
    controller.subject("CSTalk").emotion({"happy": 0.8}, over_s=1.5)

Any thread may call it: remote control, keys, the page and cues all do. The threads that generate
and send faces never wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cstalk_bridge.control.commands import ACTION, ALL_SUBJECTS, MAX_INT32, SLATE, TAKE
from cstalk_bridge.control.live_settings import settings_in_force
from cstalk_bridge.control.subject_controller import BridgeState, SubjectController
from cstalk_bridge.document import nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, Worker
from cstalk_bridge.takes.recording.folder import DOCUMENT_NAME, RECORDING_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cstalk_bridge.face.emotion_trajectory import Keyframe
    from cstalk_bridge.face.subject import Subject
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.takes.file import TakeName
    from cstalk_bridge.takes.recording.open_take import RecordedTake
    from cstalk_bridge.takes.recording.recorder import Recorder
    from cstalk_bridge.takes.take import SettingValue


MAX_LISTED_TAKES = 20
"""Takes of a run that are listed."""

FIRST_SLATE = "MySlate"
"""Slate of the first take by default, as in the app."""


class TakeController:
    """Starts and stops takes. Its methods may wait for a disk; `slate` and `take` never do.

    `notice` gets a line whenever a take begins or ends, whoever started it, and for a full disk.
    """

    def __init__(self, recorder: Recorder, notice: Callable[[str], None]) -> None:
        self.slate = FIRST_SLATE
        self.take = 1
        """The number of the next take."""
        self.recorder = recorder
        self._notice = notice
        self._ended_takes: deque[RecordedTake] = deque(maxlen=MAX_LISTED_TAKES)
        recorder.watch(self._began, self._ended, self._warned)

    @property
    def ended(self) -> tuple[RecordedTake, ...]:
        """The takes of this run that have ended, the last first, `MAX_LISTED_TAKES` at most."""
        return tuple(reversed(tuple(self._ended_takes)))

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

    def stop(self) -> RecordedTake:
        """End the take and return it, which is on disk then.

        UserError without one, and for a take that ended by itself or was not written whole; the
        problem states where the saved part is.
        """
        recorded = self.recorder.stop()
        if recorded is None:
            raise UserError(Problem("take", "no take is being recorded"))
        return recorded

    def _began(self, take: TakeName) -> None:
        self.slate, self.take = take.slate, min(take.number + 1, MAX_INT32)
        self._notice(f"recording take {take.identifier}")

    def _ended(self, take: RecordedTake) -> None:
        self._ended_takes.append(take)
        if take.problem is None:
            self._notice(f"recorded take {take.folder}")
        else:
            self._notice(f"take {take.identifier} is incomplete: {take.problem}")

    def _warned(self, problem: Problem) -> None:
        self._notice(str(problem))

    def path(self, file: Path) -> str:
        """Return the path by which a file of a take can be requested."""
        return file.relative_to(self.recorder.folder).as_posix()

    def file(self, path: str) -> Path:
        """Return the file of a finished take by that name. UserError for any other file.

        Symbolic links are followed before the check that the file is in the folder of the takes.
        """
        folder = self.recorder.folder.resolve()
        try:
            file = (folder / path.lstrip("/")).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise UserError(Problem(path[:200], "no file of a take has this path")) from None
        take = file.parent
        is_finished = take.parent == folder and take.suffix != RECORDING_SUFFIX
        if not (is_finished and (take / DOCUMENT_NAME).is_file() and file.is_file()):
            raise UserError(Problem(path[:200], "no file of a take has this path"))
        return file


@dataclass(frozen=True, slots=True)
class RunContext:
    """The parts of a running bridge that a controller uses; `notice` shows the user a line."""

    subjects: Sequence[Subject]
    notice: Callable[[str], None]
    model: Generator
    recorder: Recorder
    stop: threading.Event
    now: Callable[[], float]
    metrics: Metrics | None = None
    change_input: Callable[[str, str], None] | None = None
    """Has a subject hear another input; None where that needs a restart."""


class Controller:
    """Controls a running bridge, from any thread; UserError while none is running."""

    def __init__(self) -> None:
        self._is_running = threading.Event()
        self._running: RunContext | None = None
        self._subjects: dict[str, SubjectController] = {}
        self._takes: TakeController | None = None
        self._changing = threading.RLock()

    @contextmanager
    def connected(self, running: RunContext) -> Iterator[None]:
        """Control a running bridge within the context."""
        self._takes = TakeController(running.recorder, running.notice)
        running.recorder.read_settings = self._settings_of
        self._subjects = {}
        self._subjects = self._controllers(running, running.subjects)
        self._running = running
        self._is_running.set()
        try:
            yield
        finally:
            self._is_running.clear()
            self._running = None

    def change_subjects(self, subjects: Sequence[Subject]) -> None:
        """Control these subjects from now on; those that stay keep their state."""
        self._subjects = self._controllers(self._connected(), subjects)

    def wait_until_running(self, timeout_s: float | None = None) -> bool:
        """Wait until a bridge is running; return whether it is."""
        return self._is_running.wait(timeout_s)

    @property
    def subjects(self) -> tuple[SubjectController, ...]:
        """All subjects, in the order of the config."""
        self._connected()
        return tuple(self._subjects.values())

    def subject(self, name: str) -> SubjectController:
        """Return a subject by its name in the config."""
        self._connected()
        if name not in self._subjects:
            what = f"there is no subject {name[:80]!r}"
            raise UserError(Problem("subject", what, nearest(name[:80], self._subjects)))
        return self._subjects[name]

    def chosen(self, name: str) -> tuple[SubjectController, ...]:
        """Return the subjects of a name in an address: all for `*`; `_` may replace spaces."""
        if name == ALL_SUBJECTS:
            return self.subjects
        spelt = next((own for own in self._subjects if own.replace(" ", "_") == name), name)
        return (self.subject(name if name in self._subjects else spelt),)

    @property
    def takes(self) -> TakeController:
        """Controller of the takes."""
        self._connected()
        if self._takes is None:
            raise RuntimeError("a connected controller has takes")
        return self._takes

    @property
    def metrics(self) -> Metrics | None:
        """What the monitors read, None where the run has none."""
        return self._connected().metrics

    def now(self) -> float:
        """Return the time of the host clock, on which the metrics are."""
        return self._connected().now()

    def state(self) -> BridgeState:
        """Return the state of the bridge and of all subjects."""
        subjects = tuple(subject.state() for subject in self.subjects)
        return BridgeState(self.takes.is_recording, subjects)

    def record(self, action: str, slate: str | None = None, take: int | None = None) -> str:
        """Start or stop a take, as the command `record`; return its identifier."""
        if ACTION.read(action) == "start":
            return self.takes.start(slate, take)
        return self.takes.stop().identifier

    def change_input(self, name: str, wanted: str) -> None:
        """Have a subject hear another audio input; takes as long as it takes to open.

        UserError where it cannot be opened, and while a take is recorded.
        """
        subject, change = self.subject(name), self._connected().change_input
        if self.takes.is_recording:
            what = "a take is being recorded, whose sound would break off"
            raise UserError(Problem(subject.name, what, "change the input after it"))
        if change is None:
            what, remedy = "this run keeps its inputs", "set `audio: input` and restart the bridge"
            raise UserError(Problem(subject.name, what, remedy))
        with self._changing:
            change(subject.name, wanted)

    def notice(self, text: str) -> None:
        """Show the user a line of text, while a bridge runs."""
        if (running := self._running) is not None:
            running.notice(text)

    def stop(self) -> None:
        """End the run."""
        self._connected().stop.set()

    def _controllers(
        self, running: RunContext, subjects: Sequence[Subject]
    ) -> dict[str, SubjectController]:
        return {
            subject.name: known
            if (known := self._subjects.get(subject.name)) and known.controls(subject)
            else SubjectController(
                subject,
                running.model,
                self._changing,
                running.now,
                lambda: running.recorder.take is not None,
                running.notice,
                running.metrics,
            )
            for subject in subjects
        }

    def _settings_of(self, name: str) -> Mapping[str, SettingValue]:
        """Return the settings in force of a subject; none of one that has been removed."""
        subject = self._subjects.get(name)
        return {} if subject is None else settings_in_force(subject)

    def _connected(self) -> RunContext:
        running = self._running
        if running is None:
            raise UserError(Problem("control", "no bridge is running", "start one first"))
        return running


@dataclass(frozen=True, slots=True)
class EmotionCue:
    """A keyframe of the emotion of one subject."""

    subject: str
    key: Keyframe


def emotion_cues(keys: Mapping[str, Sequence[Keyframe]]) -> list[EmotionCue]:
    """Return the keyframes of all subjects in the order of their time."""
    found = [EmotionCue(subject, key) for subject, of_subject in keys.items() for key in of_subject]
    return sorted(found, key=lambda cue: cue.key.at_s)


class CueScheduler:
    """A thread that gives each cue to a controller at its time, from `start` to `stop`.

    Changes by others hold until the subject's next cue.
    """

    def __init__(
        self, cues: Sequence[EmotionCue], controller: Controller, now: Callable[[], float]
    ) -> None:
        self._cues = tuple(cues)
        self._controller = controller
        self._now = now
        self._start_s = 0.0
        self._worker = Worker("emotion cues", self._run, timeout_s=STOP_TIMEOUT_S)

    def start(self) -> None:
        """Count seconds from now on."""
        self._start_s = self._now()
        self._worker.start()

    def stop(self) -> None:
        """End the thread; harmless when it was never started."""
        self._worker.stop()

    def change(self, cues: Sequence[EmotionCue]) -> None:
        """Give other cues from now on; those whose time is past are left out.

        Not for several threads at once.
        """
        past_s = self._now() - self._start_s
        self._worker.stop()
        self._cues = tuple(cue for cue in cues if cue.key.at_s > past_s)
        self._worker = Worker("emotion cues", self._run, timeout_s=STOP_TIMEOUT_S)
        self._worker.start()

    def _run(self) -> None:
        worker = self._worker
        for cue in self._cues:
            key = cue.key
            if worker.wait(max(0.0, self._start_s + key.at_s - self._now())):
                return
            try:
                self._controller.subject(cue.subject).emotion(key.emotion, key.over_s)
            except UserError as error:
                self._controller.notice(f"{cue.subject}, emotion at {key.at_s:g} s: {error}")
