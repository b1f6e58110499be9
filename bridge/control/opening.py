"""From the config to what controls a run: remote control and prompts, at its desk."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.control.prompter import Prompter, prompts
from bridge.control.server import ControlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.config.schema import Config
    from bridge.control.desk import Desk


class Control:
    """What the config lets control a run; it has its port at once. UserError where it has none."""

    def __init__(self, config: Config, desk: Desk, now: Callable[[], float]) -> None:
        spec = config.control
        keys = {subject.name: subject.emotions.root for subject in config.subjects}
        self._prompter = Prompter(prompts(keys), desk, now)
        self._desk = desk
        self.server: ControlServer | None = None
        if spec.osc is not None:
            self.server = ControlServer(spec, spec.osc, desk, notice=desk.notice, now=now)

    @contextmanager
    def started(self) -> Iterator[None]:
        """Take part in a run within the context; the desk is connected to it by then."""
        self._prompter.start()
        if self.server is not None:
            host, port = self.server.address
            self._desk.notice(f"remote control over OSC at {host}:{port}")
            self.server.start(self._desk.takes.recorder)
        try:
            yield
        finally:
            self._prompter.stop()
            self.close()

    def close(self) -> None:
        """Give the port back; harmless when done twice."""
        if self.server is not None:
            self.server.stop()
