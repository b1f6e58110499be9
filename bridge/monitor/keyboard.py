"""Key presses of a terminal, one by one and without echo, on every system."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

READ_BYTES = 64
"""Read at once; more keys than that in one go are pasted text."""

SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?|[\x00\xe0].", re.DOTALL)
"""What arrows and function keys send: ECMA-48 sequences, on Windows a prefix and a code."""

POLL_S = 0.05
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
            time.sleep(POLL_S)
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
