"""What keeps a daemon from its work, made on purpose: other processes, slow rows, a stall."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from models.generator import Generator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from models.streams import Stream

SLOW_ROW_MS = "CSTALK_BENCH_ROW_MS"
STALL_AT_S, STALL_S = "CSTALK_BENCH_STALL_AT_S", "CSTALK_BENCH_STALL_S"
"""Environment variables by which a bench hinders its daemon."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Each step of the network takes `row_ms` at least; one step lasts `stall_s` more.

    That is the first one after `stall_at_s` seconds. Zeros hinder nothing.
    """

    row_ms: float = 0.0
    stall_at_s: float = 0.0
    stall_s: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Hindrance:
        """Return the hindrance that an environment asks for."""
        names = (SLOW_ROW_MS, STALL_AT_S, STALL_S)
        return cls(*(float(environment.get(name, 0.0)) for name in names))

    @property
    def environment(self) -> dict[str, str]:
        """This as environment variables."""
        values = (self.row_ms, self.stall_at_s, self.stall_s)
        return dict(zip((SLOW_ROW_MS, STALL_AT_S, STALL_S), map(str, values), strict=True))

    def apply(self) -> None:
        """Hinder every stream that this process opens from now on."""
        if not self.row_ms and not self.stall_s:
            return
        opened = Generator.stream

        def stream(generator: Generator, subjects: int) -> HinderedStream:
            return HinderedStream(opened(generator, subjects), self)

        hindered: Any = Generator
        hindered.stream = stream


class HinderedStream:
    """A stream whose steps take longer than they need."""

    def __init__(self, stream: Stream, hindrance: Hindrance) -> None:
        self._stream = stream
        self._hindrance = hindrance
        self._is_live = False
        self._begun_s = 0.0
        self._stall_s = hindrance.stall_s

    def step(self, *arguments: Any) -> Any:
        """Step, and wait until the time is over; rows of a warm-up are not slowed."""
        start_s = host_now()
        faces = self._stream.step(*arguments)
        if not self._is_live:
            return faces
        self._begun_s = self._begun_s or start_s
        wait_s = 1e-3 * self._hindrance.row_ms
        if self._stall_s and start_s - self._begun_s >= self._hindrance.stall_at_s:
            wait_s += self._stall_s
            self._stall_s = 0.0
        time.sleep(max(0.0, wait_s - (host_now() - start_s)))
        return faces

    def reset(self, voices: Any) -> None:
        """Reset; the first time that is the end of the warm-up."""
        self._is_live = True
        self._stream.reset(voices)


class Crowd:
    """`count` processes of ordinary priority that compute without end, as a context."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", "while True: pass"]
        self._processes = [subprocess.Popen(command) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def crowd_size() -> int:
    """Return how many processes make this machine busy: four for each core."""
    return 4 * (os.cpu_count() or 1)
