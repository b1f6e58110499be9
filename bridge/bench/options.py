"""How long the bench measures, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of packets, `trials` of latency, `minutes` of soaking.

    `data` is a folder of recordings for what can use some. Of fuzzing: `cases` of each of the
    `kinds`, all where none are named, made by chance from a `seed`.
    """

    seconds: float = 60.0
    trials: int = 60
    minutes: float = 30.0
    data: Path | None = None
    cases: int = 300
    seed: int = 0
    kinds: tuple[str, ...] = ()
