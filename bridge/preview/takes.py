"""The takes of a session: what is known of each, and how many are kept."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from bridge.face.alive.levels import AS_MADE, PARTS, Levels
from bridge.face.mix import chosen
from bridge.preview.recordings import new_id
from bridge.preview.refusal import CONFLICT, NOT_FOUND, TOO_MANY, as_list, refusal
from bridge.takes.generate import GENERATED_RATE
from bridge.takes.settings import Settings
from models.emotions import MOUTH_GUARD
from models.timing import DEFAULT_LOOKAHEAD_MS, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    from bridge.errors import Problem
    from bridge.preview.recordings import Recording
    from bridge.takes.take import Take

MAX_TAKES = 16

MAX_HELD_S = 8 * 3600.0
"""Length of all takes together: half a gigabyte of rows."""

MAX_COMPARED = 2
"""Takes that stay whatever their length: those on the page."""

State = Literal["generating", "ready", "failed"]


@dataclass(slots=True, eq=False)
class Entry:
    """One take, from the wish for it on. The worker writes `progress` and, at the end, the rest."""

    name: str
    recording: Recording | None
    settings: Settings
    id: str = field(default_factory=new_id)
    state: State = "generating"
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
        """Return what the page is told (`TakeInfo`)."""
        take = self.take
        return {
            "id": self.id,
            "name": self.name,
            "recording": self.recording.id if self.recording else None,
            "state": self.state,
            "progress": round(self.progress, 4),
            "problems": as_list(self.problems),
            "duration_s": self.duration_s,
            "rate_hz": (take.rate if take else GENERATED_RATE).hz,
            "rows": take.rows if take else 0,
            "has_sound": self.recording is not None,
            "emotion": chosen(self.settings.mix),
            "lookahead_ms": self.settings.lookahead_ms,
            "mouth_guard": self.settings.mouth_guard,
            "levels": asdict(self.settings.levels),
            "notice": self.notice,
        }


def entry_of(take: Take, recording: Recording | None) -> Entry:
    """Return the entry of a finished take, with what it says of its making."""
    settings = Settings(
        take.emotions,
        _number(take, "lookahead_ms", DEFAULT_LOOKAHEAD_MS, MAX_LOOKAHEAD_MS),
        _number(take, "mouth_guard", MOUTH_GUARD, 1.0),
        _levels(take),
    )
    return Entry(take.name, recording, settings, state="ready", progress=1.0, take=take)


def _levels(take: Take) -> Levels:
    """Return the levels that a take says of its making; those it does not, as they are made."""
    made = asdict(AS_MADE)
    try:
        levels = {name: _number(take, f"level_{name}", made[name], inf) for name in PARTS}
        return Levels(**levels)
    except ValidationError:  # of another program, or by hand
        return AS_MADE


def _number(take: Take, name: str, default: float, most: float) -> float:
    """Return a number that a take says of its making; the default where it is not 0 to `most`."""
    value = take.making.get(name, default)
    return value if isinstance(value, int | float) and 0 <= value <= most else default


class Takes:
    """The takes of a session; the least recently used make room for new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Entry] = {}

    def all(self) -> list[Entry]:
        """Return all, the least recently used first."""
        with self._lock:
            return list(self._held.values())

    def get(self, take_id: str) -> Entry:
        """Return a take, which counts as used. RefusalError where there is none."""
        with self._lock:
            entry = self._held.pop(take_id, None)
            if entry is not None:
                self._held[take_id] = entry
                return entry
        what = f"there is no {take_id[:40]!r}; it was closed, or left out for newer ones"
        raise refusal(NOT_FOUND, "take", what, "make it again")

    def ready(self, take_id: str) -> tuple[Entry, Take]:
        """Return a take that can be shown. RefusalError where there is none, or not yet."""
        entry = self.get(take_id)
        if entry.take is None:
            raise refusal(
                CONFLICT, entry.name, f"the take is {entry.state}", "wait until it is ready"
            )
        return entry, entry.take

    def add(self, entry: Entry) -> None:
        """Hold a take. RefusalError where all that are held are still being made."""
        with self._lock:
            free = [held for held in self._held.values() if held.state != "generating"]
            while free and not self._has_room(entry):
                del self._held[free.pop(0).id]
            if len(self._held) >= MAX_TAKES:
                what = f"{MAX_TAKES} takes are being made"
                raise refusal(TOO_MANY, entry.name, what, "wait, or close one")
            self._held[entry.id] = entry

    def drop(self, take_id: str) -> None:
        """Forget a take and stop making it. RefusalError where there is none."""
        self.get(take_id).stop.set()
        with self._lock:
            self._held.pop(take_id, None)

    def used_recordings(self) -> set[str]:
        """Return the ids of recordings which takes were made of."""
        return {entry.recording.id for entry in self.all() if entry.recording}

    def _has_room(self, entry: Entry) -> bool:
        held = self._held.values()
        long_s = sum(other.duration_s for other in held) + entry.duration_s
        is_short = long_s <= MAX_HELD_S or len(held) < MAX_COMPARED
        return len(held) < MAX_TAKES and is_short
