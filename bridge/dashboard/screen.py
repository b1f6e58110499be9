"""The threads of the dashboard: one shows it on a terminal (plain lines where there is none),
one reads keys and carries out their actions.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cstalk_bridge.control.keys import EMOTION_KEYS, KEY_ACTIONS, find_key
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.status_lines import MonitorThread, PlainMonitor, final_line
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, Worker
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from rich.console import Console
    from rich.text import Text

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.subject_controller import SubjectController
    from cstalk_bridge.monitor.metrics import Metrics


READ_BYTES = 64
"""Bytes read at once."""

SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?|[\x00\xe0].", re.DOTALL)
"""Input of arrow and function keys: ECMA-48 sequences, on Windows a prefix and a code."""

WINDOWS_POLL_S = 0.05
"""Poll interval on Windows."""


class Keyboard:
    """The keys pressed in the terminal of a file descriptor, standard input by default.

    Within the context keys are read without Enter and are not echoed; Ctrl-C still interrupts.
    Afterwards the terminal is restored. Without a terminal, and in its background, no keys come.
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
            # In the background the terminal is the shell's; changing it would stop this process.
            _restore(self._descriptor, self._before)
        self._before = None

    def read(self, timeout_s: float) -> str:
        """Return the keys pressed within the timeout, as soon as there are any; "" for none."""
        if not self.is_open or not self._is_ours():
            time.sleep(timeout_s)
            return ""
        text = _read(self._descriptor, timeout_s)
        if text is None:
            self.is_open = False
            return ""
        return SEQUENCE.sub("", text)

    def _is_ours(self) -> bool:
        """Whether there is a terminal that this process may read without being stopped."""
        if self._descriptor < 0 or not os.isatty(self._descriptor):
            return False
        if sys.platform == "win32":
            return True
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            # It is not the controlling terminal of this process, so reading does not stop it.
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
        """Return the typed text; None if the terminal is gone."""
        try:
            if not select.select([descriptor], [], [], timeout_s)[0]:
                return ""
            return os.read(descriptor, READ_BYTES).decode("utf-8", "ignore") or None
        except OSError:
            return None


KEY_POLL_S = 0.2
"""Longest wait for a key, after which the thread checks whether it is to stop."""


class KeyBindings:
    """The keys of a terminal; they act on one subject at a time, first on the first.

    One thread calls `press`; any thread may read `name` and `lines`.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._index = 0
        self._is_expanded = False

    @property
    def name(self) -> str:
        """The name of the subject on which the keys act, "" while no bridge runs."""
        try:
            return self._subject.name
        except UserError:
            return ""

    @property
    def lines(self) -> list[str]:
        """Help on the keys: one line, or all of them after `?`."""
        emotions = "  ".join(f"{key} {name}" for key, name in EMOTION_KEYS.items())
        if not self._is_expanded:
            return [f"{emotions}  ? help"]
        try:
            factor = self._subject.factor
        except UserError:
            factor = 1.0
        steering = "  ".join(_key_help(name) for name in ("auto", "next"))
        others = "  ".join(_key_help(name) for name in ("mute", "pause", "record", "reset", "quit"))
        return [
            emotions,
            f"+ - intensity, now {factor:.1f}  {steering}",
            f"{others}  ? fewer lines",
        ]

    def press(self, key: str) -> None:
        """Perform the action of a key; other keys do nothing."""
        action = find_key(key)
        if action is None:
            return
        try:
            if action.act is not None:
                action.act(self._controller, self._subject)
            elif action.name == "next":
                self._index += 1
            elif action.name == "help":
                self._is_expanded = not self._is_expanded
        except UserError as error:
            self._controller.notice(str(error))

    @property
    def _subject(self) -> SubjectController:
        subjects = self._controller.subjects
        return subjects[self._index % len(subjects)]


def _key_help(name: str) -> str:
    action = next(action for action in KEY_ACTIONS if action.name == name)
    return f"{action.shown} {action.label}"


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


class Dashboard(MonitorThread):
    """The dashboard on the whole terminal, whose content is restored at the end.

    With `keys`, keys typed into the terminal are handled, and listed in the last lines.
    """

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        console: Console | None = None,
        keys: KeyBindings | None = None,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(metrics, now, on_closed)
        self._console = console
        self._keys = keys
        self._leaving = ExitStack()

    def __enter__(self) -> Self:
        """Begin to draw, and to read keys if there are any.

        The drawing modules are imported first: importing them occupies the interpreter for a third
        of a second, in which the first frames would be late.
        """
        for needed in ("rich.live", "cstalk_bridge.dashboard.picture"):
            import_module(needed)
        if self._keys is not None:
            keyboard = self._leaving.enter_context(Keyboard())
            if keyboard.is_open:
                thread = KeyThread(keyboard, self._keys)
                thread.start()
                self._leaving.callback(thread.stop)
            else:
                self._keys = None
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        """Stop drawing, and restore the terminal."""
        with self._leaving:
            super().__exit__(*error)

    def run(self) -> None:
        """Draw until closing, and print one status line at the end."""
        from rich.console import Console
        from rich.live import Live

        console = self._console or Console()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while self.wait():
                live.update(self._picture(console), refresh=True)
        line = final_line(self.metrics, self.now())
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _picture(self, console: Console) -> Text:
        from cstalk_bridge.dashboard.picture import ASCII, BLOCKS, draw

        glyphs = ASCII if console.options.ascii_only else BLOCKS
        size = console.width, console.height
        return draw(self.metrics, self.now(), *size, glyphs, self._keys)


def open_monitor(
    metrics: Metrics,
    *,
    dashboard: bool,
    now: Callable[[], float] = host_now,
    controller: Controller | None = None,
) -> MonitorThread:
    """Return a dashboard if `dashboard` is set and standard output is a terminal, else plain lines.

    The keys of the dashboard act through the `controller`, which also ends the run if the display
    fails.
    """

    def on_closed() -> None:
        if controller is not None:
            with suppress(UserError):
                controller.stop()

    if dashboard and sys.stdout.isatty():
        return Dashboard(
            metrics, now, keys=KeyBindings(controller) if controller else None, on_closed=on_closed
        )
    return PlainMonitor(metrics, now, on_closed=on_closed)
