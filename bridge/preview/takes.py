"""Takes of a session: how many are kept, and the worker thread that generates them."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from cstalk_bridge.face.emotion import check_face_settings, chosen_weights
from cstalk_bridge.face.procedural.compose import DEFAULT_LEVELS, LEVEL_NAMES, Levels
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.recordings import new_id
from cstalk_bridge.preview.requests import CONFLICT, NOT_FOUND, TOO_MANY, http_error, problems_list
from cstalk_bridge.settings.table import page_settings
from cstalk_bridge.system.worker import SERVER_STOP_TIMEOUT_S, Worker
from cstalk_bridge.takes.generate import (
    GENERATED_RATE,
    GenerationConfig,
    StoppedError,
    generate_take,
)
from cstalk_bridge.takes.sound import pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.preview.recordings import Recording
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.takes.take import Take


MAX_TAKES = 16

MAX_HELD_S = 8 * 3600.0
"""Length of all takes together: half a gigabyte of rows."""

MAX_COMPARED = 2
"""Takes that stay whatever their length: those on the page."""

TakeState = Literal["generating", "ready", "failed"]


@dataclass(slots=True, eq=False)
class TakeEntry:
    """One take, from its request on. The worker writes `progress` and, at the end, the rest."""

    name: str
    recording: Recording | None
    settings: GenerationConfig
    id: str = field(default_factory=new_id)
    state: TakeState = "generating"
    progress: float = 0.0
    problems: tuple[Problem, ...] = ()
    notice: str | None = None
    take: Take | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def duration_s(self) -> float:
        """Length of the take, as far as it is known that of its sound."""
        if self.take is not None:
            return self.take.duration_s
        return self.recording.duration_s if self.recording else 0.0

    def info(self) -> dict[str, Any]:
        """Return the take as the page reads it (`TakeInfo`)."""
        take = self.take
        return {
            "id": self.id,
            "name": self.name,
            "recording": self.recording.id if self.recording else None,
            "state": self.state,
            "progress": round(self.progress, 4),
            "problems": problems_list(self.problems),
            "duration_s": self.duration_s,
            "rate_hz": (take.rate if take else GENERATED_RATE).hz,
            "rows": take.rows if take else 0,
            "has_sound": self.recording is not None,
            "emotion": chosen_weights(self.settings.mix),
            **{entry.name: getattr(self.settings, entry.name) for entry in page_settings()},
            "levels": asdict(self.settings.levels),
            "notice": self.notice,
        }


def entry_of(take: Take, recording: Recording | None) -> TakeEntry:
    """Return the entry of a finished take, with its provenance."""
    known: dict[str, Any] = {
        entry.name: _number(take, entry.name, entry.default, entry.bounds[1])
        for entry in page_settings()
    }
    settings = GenerationConfig(take.emotions, levels=_levels(take), **known)
    return TakeEntry(take.name, recording, settings, state="ready", progress=1.0, take=take)


def _levels(take: Take) -> Levels:
    """Return the levels that a take was made with; defaults for those that it does not name."""
    made = asdict(DEFAULT_LEVELS)
    try:
        levels = {name: _number(take, f"level_{name}", made[name], inf) for name in LEVEL_NAMES}
        return Levels(**levels)
    except ValidationError:  # of another program, or by hand
        return DEFAULT_LEVELS


def _number(take: Take, name: str, default: float, most: float) -> float:
    """Return a number that a take was made with; the default where it is not 0 to `most`."""
    value = take.provenance.get(name, default)
    return value if isinstance(value, int | float) and 0 <= value <= most else default


class Takes:
    """The takes of a session; the least recently used make room for new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, TakeEntry] = {}

    def all(self) -> list[TakeEntry]:
        """Return all, the least recently used first."""
        with self._lock:
            return list(self._held.values())

    def get(self, take_id: str) -> TakeEntry:
        """Return a take, which counts as used. HttpError where there is none."""
        with self._lock:
            entry = self._held.pop(take_id, None)
            if entry is not None:
                self._held[take_id] = entry
                return entry
        what = f"there is no {take_id[:40]!r}; it was closed, or left out for newer ones"
        raise http_error(NOT_FOUND, "take", what, "make it again")

    def ready(self, take_id: str) -> tuple[TakeEntry, Take]:
        """Return a take that can be shown. HttpError where there is none, or not yet."""
        entry = self.get(take_id)
        if entry.take is None:
            raise http_error(
                CONFLICT, entry.name, f"the take is {entry.state}", "wait until it is ready"
            )
        return entry, entry.take

    def add(self, entry: TakeEntry) -> None:
        """Hold a take. HttpError where all that are held are still being made."""
        with self._lock:
            free = [held for held in self._held.values() if held.state != "generating"]
            while free and not self._has_room(entry):
                del self._held[free.pop(0).id]
            if len(self._held) >= MAX_TAKES:
                what = f"{MAX_TAKES} takes are being made"
                raise http_error(TOO_MANY, entry.name, what, "wait, or close one")
            self._held[entry.id] = entry

    def drop(self, take_id: str) -> None:
        """Forget a take and stop making it. HttpError where there is none."""
        self.get(take_id).stop.set()
        with self._lock:
            self._held.pop(take_id, None)

    def used_recordings(self) -> set[str]:
        """Return the ids of recordings which takes were made of."""
        return {entry.recording.id for entry in self.all() if entry.recording}

    def _has_room(self, entry: TakeEntry) -> bool:
        held = self._held.values()
        long_s = sum(other.duration_s for other in held) + entry.duration_s
        is_short = long_s <= MAX_HELD_S or len(held) < MAX_COMPARED
        return len(held) < MAX_TAKES and is_short


SILENCE_PEAK = 10.0 ** (-60.0 / 20.0)
"""Peak, of full scale, below which a recording holds no voice: -60 dBFS."""

SILENT_NOTICE = "The recording is silent, so the face rests. Was the right channel recorded?"


class TakeWorker:
    """Makes what is wanted, one take after the other.

    `load` returns the generator; it is called in the worker's thread at the first request, and may
    import torch. `named` gives the files of a problem the user's names.
    """

    def __init__(
        self, load: Callable[[], Generator], named: Callable[[UserError], UserError]
    ) -> None:
        self._load = load
        self._named = named
        self._notice: Callable[[str], None] = lambda _text: None
        self._generator: Generator | None = None
        self._wanted: list[TakeEntry] = []
        self._changed = threading.Condition()
        self._worker = Worker("preview takes", self._work)

    def want(self, entry: TakeEntry) -> None:
        """Make a take when its turn comes; returns at once."""
        with self._changed:
            # Without what was dropped meanwhile there are no more than the takes that are held.
            self._wanted = [*(other for other in self._wanted if not other.stop.is_set()), entry]
            self._changed.notify()

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to work; `notice` receives faults of the program."""
        self._notice = notice
        self._worker.start()

    def close(self) -> None:
        """Stop the worker after what it makes now."""
        with self._changed:
            self._worker.request_stop()
            self._changed.notify()
        self._worker.join(SERVER_STOP_TIMEOUT_S)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            if not entry.stop.is_set():
                self._make(entry)

    def _next(self) -> TakeEntry | None:
        """Wait for the next wanted take; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._worker.is_stopping)
            return None if self._worker.is_stopping else self._wanted.pop(0)

    def _make(self, entry: TakeEntry) -> None:
        """Make one take; what goes wrong is reported in its entry."""
        try:
            self._generate(entry)
        except StoppedError:
            _fail(entry, Problem(entry.name, "stopped"))
        except UserError as error:
            _fail(entry, *self._named(error).problems)
        except Exception as error:  # noqa: BLE001 - the worker outlives a fault, and reports it
            what = f"an internal error: {type(error).__name__}: {error}"
            self._notice(f"preview, {entry.name}: {what}")
            _fail(entry, Problem(entry.name, what))

    def _generate(self, entry: TakeEntry) -> None:
        recording = entry.recording
        if recording is None:
            raise RuntimeError("a take is generated of a recording")

        def progress(done: float) -> None:
            entry.progress = done

        if _is_silent(recording.sound, entry.stop):
            entry.notice = "; ".join(filter(None, (entry.notice, SILENT_NOTICE)))
        generator = self._loaded()
        check_face_settings(generator, {entry.name: entry.settings})
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
        from cstalk_bridge.models.errors import WeightsError

        if self._generator is None:
            try:
                self._generator = self._load()
            except (WeightsError, ValueError) as error:
                raise UserError(Problem("weights", str(error))) from None
        return self._generator


def _fail(entry: TakeEntry, *problems: Problem) -> None:
    entry.problems = problems
    entry.state = "failed"


def _is_silent(sound: Sound, stop: threading.Event) -> bool:
    """Whether all samples are below `SILENCE`; reads up to the first that is not."""
    for piece in pieces(sound):
        if stop.is_set():
            raise StoppedError
        if np.abs(piece).max(initial=0.0) >= SILENCE_PEAK:
            return False
    return True
