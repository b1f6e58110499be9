"""Threads for work that waits: one of each kind, so that what hangs holds up its own kind alone."""

from __future__ import annotations

import queue
import threading
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.control.answer import Answer

MAX_WAITING = 32
"""Pieces of work that wait, of each kind; the next is left out and told."""


class Kind(Enum):
    """What a piece of work waits for."""

    TAKES = "takes"
    """The disk on which takes are recorded; nothing else waits in their way."""
    FILES = "files"
    """Other files: rig maps, networks."""
    QUESTIONS = "questions"
    """Nothing; the answer is long."""
    NAMES = "names"
    """A name server, which may be silent for half a minute."""
    TRANSPORT = "transport"
    """Another machine that takes a file."""


class Worker:
    """A thread for one kind of work, and a bound on what waits for it."""

    def __init__(self, kind: Kind, send: Callable[[Answer], None]) -> None:
        self._waiting: queue.Queue[Callable[[], Answer] | None] = queue.Queue(MAX_WAITING)
        self._send = send
        threading.Thread(target=self._run, name=f"control-{kind.value}", daemon=True).start()

    def begin(self, work: Callable[[], Answer] | None) -> bool:
        """Do the work when its turn comes, and send its answer; False where there is no room.

        None ends the thread; what hangs is left behind.
        """
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._send(work())
