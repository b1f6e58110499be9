"""The thread that shows the dashboard on a terminal; plain lines where there is none."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from cstalk_bridge.dashboard.keys import KeyBindings, Keyboard, KeyThread
from cstalk_bridge.errors import UserError
from cstalk_bridge.monitor.status_lines import MonitorThread, PlainMonitor, status_line
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from rich.console import Console
    from rich.text import Text

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.monitor.metrics import Metrics


class Dashboard(MonitorThread):
    """The picture on the whole terminal, which is as before when it is left.

    With `keys`, what is typed into the terminal is pressed, and the picture says which there are.
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
        """Begin to draw, and to read keys where there are any.

        What draws is imported first: it takes the interpreter for a third of a second, in which the
        first faces would be late.
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
        """Draw no more, and leave the terminal as it was."""
        with self._leaving:
            super().__exit__(*error)

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
    """Return the dashboard if it is wanted and standard output is a terminal, else plain lines.

    The dashboard's keys are at the `controller`, at which the run ends where nothing can be shown.
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
