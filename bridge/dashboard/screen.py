"""The thread that shows the dashboard on a terminal; plain lines where there is none."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from cstalk_bridge.dashboard.keys import KeyBindings, Keyboard, KeyThread
from cstalk_bridge.models.errors import UserError
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
