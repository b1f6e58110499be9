"""Threads that show the metrics: the dashboard in a terminal, plain lines anywhere else.

They only read, at most four times a second, and whatever goes wrong in them stays in them. A
terminal or a pipe that was closed ends the run: nobody could see how it fares, or end it by a key.
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from bridge.clock.host import host_now
from bridge.errors import UserError
from bridge.monitor.keyboard import Keyboard
from bridge.monitor.keys import Keys, KeyThread
from bridge.monitor.plain import PlainReport, status_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.text import Text

    from bridge.control.desk import Desk
    from bridge.monitor.metrics import Metrics

REFRESH_S = 0.25
"""Time between two pictures."""

CLOSE_S = 2.0
"""Time given to the thread for its last picture; a terminal that blocks is left behind."""


class Monitor:
    """A thread that calls `show` every `REFRESH_S` between entering and leaving.

    `unseen` is called where nothing can be shown any more.
    """

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        unseen: Callable[[], None] = lambda: None,
    ) -> None:
        self.metrics = metrics
        self.now = now
        self._unseen = unseen
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join(CLOSE_S)

    def run(self) -> None:
        """Show until closing."""
        raise NotImplementedError

    def wait(self) -> bool:
        """Wait for the next picture; return False when it is time to close."""
        return not self._closing.wait(REFRESH_S)

    def _run(self) -> None:
        try:
            self.run()
        except (OSError, ValueError) as error:
            self.metrics.notice(self.now(), f"nothing can be shown any more: {error}")
            if not self._closing.is_set():
                self._unseen()


class PlainMonitor(Monitor):
    """Plain lines to a stream, standard error by default."""

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        stream: TextIO | None = None,
        unseen: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(metrics, now, unseen)
        self._stream = stream or sys.stderr
        self._report = PlainReport(metrics)

    def run(self) -> None:
        """Print what is new, and a last status line."""
        while self.wait():
            self._print(self._report.lines(self.now()))
        self._print([*self._report.lines(self.now()), status_line(self.metrics, self.now())])

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


class Dashboard(Monitor):
    """The picture on the whole terminal, which is as before when it is left.

    With `keys`, what is typed into the terminal is pressed, and the picture says which there are.
    """

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        console: Console | None = None,
        keys: Keys | None = None,
        unseen: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(metrics, now, unseen)
        self._console = console
        self._keys = keys
        self._leaving = ExitStack()

    def __enter__(self) -> Self:
        """Begin to draw, and to read keys where there are any.

        What draws is imported first: it takes the interpreter for a third of a second, in which the
        first faces would be late.
        """
        for needed in ("rich.live", "bridge.monitor.view"):
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw no more, and leave the terminal as it was."""
        with self._leaving:
            super().__exit__(kind, error, trace)

    def run(self) -> None:
        """Draw, and leave one status line behind."""
        from rich.console import Console
        from rich.live import Live

        console = self._console or Console()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while self.wait():
                live.update(self._picture(console), refresh=True)
        console.print(status_line(self.metrics, self.now()), markup=False, highlight=False)

    def _picture(self, console: Console) -> Text:
        from bridge.monitor.glyphs import ASCII, BLOCKS
        from bridge.monitor.view import draw

        glyphs = ASCII if console.options.ascii_only else BLOCKS
        size = console.width, console.height
        return draw(self.metrics, self.now(), *size, glyphs, self._keys)


def open_monitor(
    metrics: Metrics,
    *,
    dashboard: bool,
    now: Callable[[], float] = host_now,
    desk: Desk | None = None,
) -> Monitor:
    """Return the dashboard if it is wanted and standard output is a terminal, else plain lines.

    The dashboard's keys are at the `desk`, at which the run ends where nothing can be shown.
    """

    def unseen() -> None:
        if desk is not None:
            with suppress(UserError):
                desk.stop()

    if dashboard and sys.stdout.isatty():
        return Dashboard(metrics, now, keys=Keys(desk) if desk else None, unseen=unseen)
    return PlainMonitor(metrics, now, unseen=unseen)
