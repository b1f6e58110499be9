"""How long the bench measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of packets, `trials` of latency, `minutes` of soaking."""

    seconds: float = 60.0
    trials: int = 60
    minutes: float = 30.0
