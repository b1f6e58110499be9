"""Emotions that change by themselves: the keys of all subjects in one order, told in time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.control.desk import Desk
    from bridge.takes.emotions import Key

STOP_S = 2.0
"""Time given to the thread to end."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A key of one subject."""

    subject: str
    key: Key


def prompts(keys: Mapping[str, Sequence[Key]]) -> list[Prompt]:
    """Return the keys of all subjects in the order of their time."""
    found = [Prompt(subject, key) for subject, of_subject in keys.items() for key in of_subject]
    return sorted(found, key=lambda prompt: prompt.key.at_s)


class Prompter:
    """A thread that tells a desk each prompt in its time, from `start` to `stop`.

    What is told by hand meanwhile holds until the subject's next prompt.
    """

    def __init__(self, prompts: Sequence[Prompt], desk: Desk, now: Callable[[], float]) -> None:
        self._prompts = tuple(prompts)
        self._desk = desk
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prompter", daemon=True)

    def start(self) -> None:
        """Count seconds from now on."""
        self._start_s = self._now()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; harmless when it was never started."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        for prompt in self._prompts:
            key = prompt.key
            if self._stopping.wait(max(0.0, self._start_s + key.at_s - self._now())):
                return
            try:
                self._desk.subject(prompt.subject).emotion(key.emotion, key.over_s)
            except UserError as error:
                self._desk.notice(f"{prompt.subject}, emotion at {key.at_s:g} s: {error}")
