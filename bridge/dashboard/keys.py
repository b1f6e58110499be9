"""Keyboard input of a terminal, and what each key of the dashboard does."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from typing import TYPE_CHECKING, Any

from cstalk_bridge.errors import UserError
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.settings.table import MAX_INTENSITY
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.subject_controller import SubjectController


READ_BYTES = 64
"""Read at once; more keys than that in one go are pasted text."""

SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?|[\x00\xe0].", re.DOTALL)
"""What arrows and function keys send: ECMA-48 sequences, on Windows a prefix and a code."""

WINDOWS_POLL_S = 0.05
"""How often Windows is asked for keys."""


class Keyboard:
    """The keys pressed in the terminal of a file descriptor, standard input by default.

    Within the context keys come at once and are not shown; Ctrl-C still interrupts. Afterwards the
    terminal is as before. Without a terminal, and in the background of one, there are no keys.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = _standard_input() if descriptor is None else descriptor
        self._before: list[Any] | None = None
        self.is_open = False

    def __enter__(self) -> Self:
        if self._is_ours():
            self._before = _without_echo(self._descriptor)
            self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False
        if self._before is not None and self._is_ours():
            # In the background it is the shell's by now, and changing it would halt us.
            _restore(self._descriptor, self._before)
        self._before = None

    def read(self, timeout_s: float) -> str:
        """Return the keys pressed within that time, as soon as there are some; "" for none."""
        if not self.is_open or not self._is_ours():
            time.sleep(timeout_s)
            return ""
        text = _read(self._descriptor, timeout_s)
        if text is None:
            self.is_open = False
            return ""
        return SEQUENCE.sub("", text)

    def _is_ours(self) -> bool:
        """Whether there is a terminal, and reading from it would not halt us."""
        if self._descriptor < 0 or not os.isatty(self._descriptor):
            return False
        if sys.platform == "win32":
            return True
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            # It is not the terminal that controls this process: nobody halts us.
            return True


def _standard_input() -> int:
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        # Closed, replaced, or none at all.
        return -1


if sys.platform == "win32":
    import msvcrt

    def _without_echo(_descriptor: int) -> list[Any] | None:
        return None

    def _restore(_descriptor: int, _before: list[Any]) -> None:
        return

    def _read(_descriptor: int, timeout_s: float) -> str | None:
        end_s = time.monotonic() + timeout_s
        while not msvcrt.kbhit():
            if time.monotonic() >= end_s:
                return ""
            time.sleep(WINDOWS_POLL_S)
        text = ""
        while msvcrt.kbhit() and len(text) < READ_BYTES:
            text += msvcrt.getwch()
        return text

else:
    import termios
    import tty

    def _without_echo(descriptor: int) -> list[Any] | None:
        try:
            before = termios.tcgetattr(descriptor)
            tty.setcbreak(descriptor, termios.TCSANOW)
        except termios.error:
            return None
        return before

    def _restore(descriptor: int, before: list[Any]) -> None:
        try:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
        except termios.error:
            # The terminal is gone.
            return

    def _read(descriptor: int, timeout_s: float) -> str | None:
        """Return what was typed; None when the terminal is gone."""
        try:
            if not select.select([descriptor], [], [], timeout_s)[0]:
                return ""
            return os.read(descriptor, READ_BYTES).decode("utf-8", "ignore") or None
        except OSError:
            return None


EMOTION_KEYS = {str(number): name for number, name in enumerate(EMOTIONS)}
"""As on the page of the preview."""

INTENSITY_STEP = 0.1
"""Of intensity, for each press."""

KEY_POLL_S = 0.2
"""How often the thread looks whether it is to stop."""


class KeyBindings:
    """The keys at a desk: they concern one subject at a time, the first to begin with.

    `press` belongs to one thread; any may read `name` and `lines`.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._index = 0
        self._is_expanded = False
        self._actions: dict[str, Callable[[], None]] = {
            "+": lambda: self._change_intensity(INTENSITY_STEP),
            "=": lambda: self._change_intensity(INTENSITY_STEP),
            "-": lambda: self._change_intensity(-INTENSITY_STEP),
            "\t": self._next_subject,
            "a": self._toggle_auto,
            "m": lambda: self._subject.mute(is_muted=not self._subject.is_muted),
            "p": lambda: self._subject.pause(is_paused=not self._subject.is_paused),
            "r": self._toggle_recording,
            "q": controller.stop,
            "?": self._toggle_help,
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
        if not self._is_expanded:
            return [f"{emotions}  ? help"]
        try:
            factor = self._subject.factor
        except UserError:
            factor = 1.0
        return [
            emotions,
            f"+ - intensity, now {factor:.1f}  a auto (emotion of the voice)  Tab next subject",
            "m mute  p pause  r record or end a take  q quit  ? fewer lines",
        ]

    def press(self, key: str) -> None:
        """Do what a key says; a key without a meaning does nothing."""
        try:
            if key in EMOTION_KEYS:
                self._subject.emotion({EMOTION_KEYS[key]: 1.0})
            elif key in self._actions:
                self._actions[key]()
        except UserError as error:
            self._controller.notice(str(error))

    @property
    def _subject(self) -> SubjectController:
        subjects = self._controller.subjects
        return subjects[self._index % len(subjects)]

    def _change_intensity(self, step: float) -> None:
        factor = round(self._subject.factor + step, 1)
        self._subject.intensity(min(max(factor, 0.0), MAX_INTENSITY))

    def _next_subject(self) -> None:
        self._index += 1

    def _toggle_auto(self) -> None:
        """Let the voice alone choose the emotion, or no more; a digit chooses again."""
        subject = self._subject
        if subject.voice_weights.auto:
            subject.auto(0.0)
        else:
            subject.emotion({})
            subject.auto(1.0)

    def _toggle_recording(self) -> None:
        takes = self._controller.takes
        if takes.is_recording:
            takes.stop()
        else:
            takes.start()

    def _toggle_help(self) -> None:
        self._is_expanded = not self._is_expanded


class KeyThread:
    """A thread that presses what is typed on a keyboard, from `start` to `stop`."""

    def __init__(self, keyboard: Keyboard, keys: KeyBindings) -> None:
        self._keyboard = keyboard
        self._keys = keys
        self._worker = Worker("keys", self._run, timeout_s=STOP_TIMEOUT_S)

    def start(self) -> None:
        """Begin to read."""
        self._worker.start()

    def stop(self) -> None:
        """Read no more."""
        self._worker.stop()

    def _run(self) -> None:
        while not self._worker.is_stopping:
            for key in self._keyboard.read(KEY_POLL_S):
                self._keys.press(key)
