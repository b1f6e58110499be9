"""How our time of day stands beside that of a source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sync(Enum):
    """Our time beside the source's."""

    SYNCED = "synced"
    AHEAD = "ahead"
    BEHIND = "behind"
    LOST = "lost"
    """No source, or none that can be believed; our time goes on by the host clock."""


@dataclass(frozen=True, slots=True)
class Status:
    """How our time stands: `ahead_s` is how far it is ahead of the source, 0 without one.

    `is_locked` says that our time is, or once was, the source's. `jumps` counts how often it was
    set anew.
    """

    sync: Sync
    ahead_s: float
    is_locked: bool
    jumps: int
