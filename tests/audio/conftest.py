"""Fake microphones, and a process that records from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fake_microphones() -> Iterator[FakeMicrophones]:
    """Two microphones of 48 kHz stereo, `mic_a` and `mic_b`, on a sound server of the test."""
    try:
        microphones = FakeMicrophones(("mic_a", "mic_b"), channels=2)
    except UserError as error:
        pytest.skip(str(error))
    with microphones:
        yield microphones


class Probe:
    """`mic_probe` in a process of its own, controlled from the test."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.audio.mic_probe", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def next(self, event: str) -> dict[str, Any]:
        """Return the next event, which must be this one."""
        assert self._process.stdout is not None
        received = json.loads(self._process.stdout.readline() or '{"event": "nothing"}')
        assert received["event"] == event, received
        return dict(received)

    def end(self) -> dict[str, Any]:
        """Stop it, and return its last event with what it recorded."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.next("end")

    def exit_status(self, timeout_s: float) -> int:
        """Wait until the process is gone."""
        return self._process.wait(timeout_s)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def probe(fake_microphones: FakeMicrophones) -> Iterator[Any]:
    """Return a function which starts a probe with its arguments."""
    probes: list[Probe] = []

    def start(*arguments: str) -> Probe:
        probes.append(Probe(fake_microphones.environment, *arguments))
        return probes[-1]

    yield start
    for started in probes:
        started.close()
