"""What a render shows while it works: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bridge.clock.host import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.render.tally import Tally

BAR_EVERY_S: Final = 0.25
LINE_EVERY_S: Final = 5.0


@contextmanager
def watch_progress(tally: Tally) -> Iterator[None]:
    """Show how far the tally is, on standard error, until leaving."""
    with _bar(tally) if sys.stderr.isatty() else _repeated(LINE_EVERY_S, _line_of(tally)):
        yield


def _line_of(tally: Tally) -> Callable[[], None]:
    return lambda: print(tally.line(host_now()), file=sys.stderr, flush=True)


@contextmanager
def _bar(tally: Tally) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as progress:
        task = progress.add_task("", total=1.0)

        def show() -> None:
            line = tally.line(host_now())
            progress.update(task, completed=tally.share, description=line, refresh=True)

        with _repeated(BAR_EVERY_S, show):
            yield
        show()


@contextmanager
def _repeated(every_s: float, show: Callable[[], None]) -> Iterator[None]:
    """Call `show` every so often, on a thread of its own; the work goes on when it fails."""
    closing = threading.Event()

    def run() -> None:
        try:
            while not closing.wait(every_s):
                show()
        except (OSError, ValueError):
            return  # a closed terminal or pipe: the manifest tells what was done

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()
