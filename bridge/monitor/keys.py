"""What keys of the dashboard do, and the lines that say so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bridge.control.commands import MAX_INTENSITY
from bridge.errors import UserError
from models.emotions import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.control.desk import Desk
    from bridge.control.subject_desk import SubjectDesk
    from bridge.monitor.keyboard import Keyboard

EMOTION_KEYS = {str(number): name for number, name in enumerate(EMOTIONS)}
"""As on the page of the preview."""

STEP = 0.1
"""Of intensity, for each press."""

GLANCE_S = 0.2
"""How often the thread looks whether it is to stop."""

STOP_S = 2.0
"""Time given to the thread to end; a disk that hangs is left behind."""


class Keys:
    """The keys at a desk: they concern one subject at a time, the first to begin with.

    `press` belongs to one thread; any may read `name` and `lines`.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._place = 0
        self._shows_all = False
        self._acts: dict[str, Callable[[], None]] = {
            "+": lambda: self._strengthen(STEP),
            "=": lambda: self._strengthen(STEP),
            "-": lambda: self._strengthen(-STEP),
            "\t": self._go_on,
            "a": self._listen_to_voice,
            "m": lambda: self._subject.mute(is_muted=not self._subject.is_muted),
            "p": lambda: self._subject.pause(is_paused=not self._subject.is_paused),
            "r": self._record,
            "q": desk.stop,
            "?": self._explain,
        }

    @property
    def name(self) -> str:
        """The subject that the keys concern, "" while no bridge runs."""
        try:
            return self._subject.name
        except UserError:
            return ""

    @property
    def lines(self) -> list[str]:
        """What to tell the user of the keys: one line, all of them after `?`."""
        emotions = "  ".join(f"{key} {name}" for key, name in EMOTION_KEYS.items())
        if not self._shows_all:
            return [f"{emotions}  ? keys"]
        try:
            factor = self._subject.factor
        except UserError:
            factor = 1.0
        return [
            emotions,
            f"+ - intensity, now {factor:.1f}  a as the voice feels  Tab next subject",
            "m mute  p pause  r record a take, or end it  q quit  ? fewer lines",
        ]

    def press(self, key: str) -> None:
        """Do what a key says; a key without a meaning does nothing."""
        try:
            if key in EMOTION_KEYS:
                self._subject.emotion({EMOTION_KEYS[key]: 1.0})
            elif key in self._acts:
                self._acts[key]()
        except UserError as error:
            self._desk.notice(str(error))

    @property
    def _subject(self) -> SubjectDesk:
        subjects = self._desk.subjects
        return subjects[self._place % len(subjects)]

    def _strengthen(self, step: float) -> None:
        factor = round(self._subject.factor + step, 1)
        self._subject.intensity(min(max(factor, 0.0), MAX_INTENSITY))

    def _go_on(self) -> None:
        self._place += 1

    def _listen_to_voice(self) -> None:
        """Let the voice alone choose the emotion, or no more; a digit chooses again."""
        subject = self._subject
        if subject.shares.auto:
            subject.auto(0.0)
        else:
            subject.emotion({})
            subject.auto(1.0)

    def _record(self) -> None:
        takes = self._desk.takes
        if takes.is_recording:
            takes.stop()
        else:
            takes.start()

    def _explain(self) -> None:
        self._shows_all = not self._shows_all


class KeyThread:
    """A thread that presses what is typed on a keyboard, from `start` to `stop`."""

    def __init__(self, keyboard: Keyboard, keys: Keys) -> None:
        self._keyboard = keyboard
        self._keys = keys
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key in self._keyboard.read(GLANCE_S):
                self._keys.press(key)
