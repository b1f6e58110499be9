"""A bridge in a thread of this process, with its desk."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from bridge.bench.fuzzing.seeds import SUBJECT
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.control.desk import Desk

START_S = 60.0
"""Time given to it to start and to end."""


@contextmanager
def running_desk(folder: Path) -> Iterator[Desk]:
    """Run a bridge of one subject, whose takes lie in `folder`, for the length of a context."""
    from bridge import daemon
    from bridge.config.schema import Config
    from bridge.control.desk import Desk

    link = "livelink-face://127.0.0.1:9"
    config = Config.model_validate(
        {
            "device": "cpu",
            "recording": {"folder": folder / "takes"},
            "subjects": [{"name": SUBJECT, "audio": {"input": "test"}, "links": [link]}],
        }
    )
    desk, stop = Desk(), threading.Event()
    options = {"desk": desk, "stop": stop, "watch": lambda _: nullcontext(), "is_urgent": False}
    thread = threading.Thread(target=daemon.run, args=(config,), kwargs=options, daemon=True)
    thread.start()
    if not desk.wait_until_running(START_S):
        raise UserError(Problem("bench", "the bridge did not start"))
    try:
        yield desk
    finally:
        stop.set()
        thread.join(START_S)
