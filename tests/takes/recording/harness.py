"""A recorder on a simulated clock, with ticks, faces and a voice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.rig.curves import Frame
from cstalk_bridge.takes.recording.files import RecordedSubject
from cstalk_bridge.takes.recording.recorder import CURVE_COUNT, Recorder
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.takes.recording.folder import FreeBytes
    from cstalk_bridge.takes.recording.recorder import RecordingLink


BEGAN = datetime(2025, 2, 28, 14, 56, 23, tzinfo=UTC)
DELAY_S = 0.1
"""Delay of a face after its sound."""


def tone(rate_hz: int, start: int, count: int) -> NDArray[np.float32]:
    """A hum of which every sample is known."""
    times_s = np.arange(start, start + count) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * 440 * times_s), dtype=np.float32)


class RecorderHarness:
    """Subjects whose sound runs `drift` faster than the host's clock."""

    def __init__(
        self,
        folder: Path,
        *,
        subjects: tuple[str, ...] = ("CSTalk",),
        rate: str = "60",
        rate_hz: int = 16_000,
        drift: float = 0.0,
        first_frame: int = 3_600_000,
        interval_s: float = 0.01,
        free: FreeBytes = lambda _folder: 10**12,
    ) -> None:
        self.rate = FRAME_RATES[rate]
        self.rate_hz = rate_hz
        self.drift = drift
        self.histories = [AudioHistory(rate_hz) for _ in subjects]
        self.number = 0
        self.first_frame = first_frame
        self.host_s = 1000.0
        self.recorder = Recorder(
            folder,
            self.rate,
            now=lambda: self.host_s,
            local_time=lambda: BEGAN,
            interval_s=interval_s,
            end_s=0.01,
            settle_s=0.0,
            free=free,
        )
        self.links = [
            self.recorder.link(
                RecordedSubject(name, rate_hz, self._place_of(history), lambda _: DELAY_S)
            )
            for name, history in zip(subjects, self.histories, strict=True)
        ]

    def _place_of(self, history: AudioHistory) -> Callable[[float], HistoryPosition]:
        def place(host_s: float) -> HistoryPosition:
            return HistoryPosition(history, (host_s - 1000.0 - DELAY_S) * (1 + self.drift))

        return place

    def curves(self, number: int, subject: int = 0) -> NDArray[np.float32]:
        """The face of a tick: every value identifies the tick."""
        return np.asarray((np.arange(CURVE_COUNT) + number % 100 + subject) / 200, dtype=np.float32)

    @staticmethod
    def face(number: int) -> Frame:
        """Return the face of a tick, in whose board and head every value identifies the tick."""
        board = np.asarray((np.arange(174) + number % 100) / 400, dtype=np.float32)
        head = np.asarray((np.arange(6) - number % 100) / 400, dtype=np.float32)
        return Frame(0.0, board, head)

    @staticmethod
    def emotion(number: int) -> NDArray[np.float32]:
        """Return the weights in force at a tick."""
        return np.asarray((np.arange(len(EMOTIONS)) + number % 100) / 200, dtype=np.float32)

    def show(self, link: RecordingLink, tick: Tick, curves: NDArray[np.float32]) -> None:
        """Let a subject show these curves at a tick, with the face of that tick."""
        link.record(curves, self.face(tick.number), self.emotion(tick.number), tick)

    def step(self, ticks: int = 1) -> None:
        """Advance time: sound arrives, then a face is shown."""
        for _ in range(ticks):
            due_s = 1000.0 + self.number * float(self.rate.frame_s)
            self.host_s = due_s
            end = int((due_s - 1000.0) * (1 + self.drift) * self.rate_hz)
            for history in self.histories:
                history.write(tone(self.rate_hz, history.end, end - history.end))
            tick = Tick(self.number, due_s, self.first_frame + self.number)
            for subject, link in enumerate(self.links):
                self.show(link, tick, self.curves(self.number, subject))
            self.number += 1


def recorded(
    folder: Path, *subjects: str, ticks: int = 120, rate: str = "60", first: int = 3_600_000
) -> Path:
    """Record a take, and return its folder."""
    harness = RecorderHarness(
        folder, subjects=subjects or ("Anna",), rate=rate, rate_hz=48_000, first_frame=first
    )
    harness.step(12)
    harness.recorder.start("Hall", 7)
    harness.step(ticks)
    take = harness.recorder.stop()
    assert take is not None
    return take.folder
