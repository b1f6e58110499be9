"""The thread that makes the takes of a session, and owns the network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from bridge.errors import Problem, UserError
from bridge.network import check_guards
from bridge.takes.generate import StoppedError, generate_take
from bridge.takes.sound import pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.preview.takes import Entry
    from bridge.takes.sound import Sound
    from models.generator import Generator

SILENCE = 10.0 ** (-60.0 / 20.0)
"""Peak, of full scale, below which a recording holds no voice: -60 dBFS."""

SILENT = "The recording is silent, so the face rests. Was the right channel recorded?"

CLOSE_S = 5.0
"""Time given to the worker at the end; a network that is being loaded cannot be stopped."""


class Workshop:
    """Makes what is wanted, one take after the other.

    `load` returns the generator; it is called in the worker's thread when the first take is asked
    for, and may import torch. `named` gives the files of a problem the user's names.
    """

    def __init__(
        self, load: Callable[[], Generator], named: Callable[[UserError], UserError]
    ) -> None:
        self._load = load
        self._named = named
        self._notice: Callable[[str], None] = lambda _text: None
        self._generator: Generator | None = None
        self._wanted: list[Entry] = []
        self._changed = threading.Condition()
        self._is_closing = False
        self._worker = threading.Thread(target=self._work, name="studio", daemon=True)

    def want(self, entry: Entry) -> None:
        """Make a take when its turn comes; returns at once."""
        with self._changed:
            # Without what was dropped meanwhile there are no more than the takes that are held.
            self._wanted = [*(other for other in self._wanted if not other.stop.is_set()), entry]
            self._changed.notify()

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to work; `notice` is told of faults of ours."""
        self._notice = notice
        self._worker.start()

    def close(self) -> None:
        """Stop the worker after what it makes now."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._worker.is_alive():
            self._worker.join(CLOSE_S)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            if not entry.stop.is_set():
                self._make(entry)

    def _next(self) -> Entry | None:
        """Wait for the next wanted take; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._is_closing)
            return None if self._is_closing else self._wanted.pop(0)

    def _make(self, entry: Entry) -> None:
        """Make one take; whatever goes wrong is told of it."""
        try:
            self._generate(entry)
        except StoppedError:
            _fail(entry, Problem(entry.name, "stopped"))
        except UserError as error:
            _fail(entry, *self._named(error).problems)
        except Exception as error:  # noqa: BLE001 - the worker outlives a fault, and tells it
            what = f"a fault of the program: {type(error).__name__}: {error}"
            self._notice(f"preview, {entry.name}: {what}")
            _fail(entry, Problem(entry.name, what))

    def _generate(self, entry: Entry) -> None:
        recording = entry.recording
        if recording is None:
            raise RuntimeError("a take is generated of a recording")

        def progress(share: float) -> None:
            entry.progress = share

        if _is_silent(recording.sound, entry.stop):
            entry.notice = "; ".join(filter(None, (entry.notice, SILENT)))
        generator = self._loaded()
        check_guards(generator, {entry.name: entry.settings.mouth_guard})
        entry.take = generate_take(
            generator,
            recording.sound,
            entry.settings,
            slate=entry.name,
            progress=progress,
            stop=entry.stop,
        )
        entry.name = entry.take.name
        entry.progress = 1.0
        entry.state = "ready"

    def _loaded(self) -> Generator:
        from models.errors import WeightsError

        if self._generator is None:
            try:
                self._generator = self._load()
            except (WeightsError, ValueError) as error:
                raise UserError(Problem("weights", str(error))) from None
        return self._generator


def _fail(entry: Entry, *problems: Problem) -> None:
    entry.problems = problems
    entry.state = "failed"


def _is_silent(sound: Sound, stop: threading.Event) -> bool:
    """Whether all samples are below `SILENCE`; reads up to the first that is not."""
    for piece in pieces(sound):
        if stop.is_set():
            raise StoppedError
        if np.abs(piece).max(initial=0.0) >= SILENCE:
            return False
    return True
