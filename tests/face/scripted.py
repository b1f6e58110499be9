"""A source of prepared blocks, and a stream whose rows identify the hops they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import BLOCK_S, AudioConfig, Block, SourceState
from cstalk_bridge.face.emotion import EmotionState
from cstalk_bridge.face.subject import Voice
from cstalk_bridge.face.timeline import Buffer, Delay, FixedBuffer
from cstalk_bridge.models.emotions import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATE_HZ = 16000


class ScriptedSource:
    """Returns the blocks that were put into it at the next poll; tests set its state."""

    name = "script"
    is_device = True
    rate_hz = RATE_HZ
    next_due_s: float | None = None

    def __init__(self) -> None:
        self.state = SourceState.RUNNING
        self.dropped_blocks = 0
        self.fault = ""
        self.starts = 0
        self.reopenings = 0
        self._waiting: list[Block] = []

    def put(self, arrived_s: float, level: float = 0.0) -> None:
        # A tone, because the preprocessor removes a constant.
        samples = level * np.tile(
            np.array([0.0, 1.0, 0.0, -1.0], np.float32), round(BLOCK_S * RATE_HZ) // 4
        )
        self._waiting.append(Block(samples, arrived_s - BLOCK_S, arrived_s))

    def start(self) -> None:
        self.starts += 1

    def poll(self, now_s: float) -> list[Block]:  # noqa: ARG002 - as every source
        blocks, self._waiting = self._waiting, []
        return blocks

    def reopen(self) -> None:
        self.reopenings += 1

    def close(self) -> None:
        self.state = SourceState.ENDED


class CountingStream:
    """Rows [level of the hop, its number since the reset]; NaN for a hop that is full scale.

    `rows_made` bounds the rows of a call to the newest so many, as a sliding window does.
    """

    def __init__(self, subjects: int, rows_made: int | None = None) -> None:
        self.calls: list[list[int]] = []
        self.hops: list[int] = []
        self.emotions: list[NDArray[np.float32]] = []
        self.guards: list[list[float]] = []
        self._counts = [0] * subjects
        self._rows_made = rows_made

    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        rows: Sequence[int],
        mouth_guard: Sequence[float],
    ) -> NDArray[np.float32]:
        hops = samples.shape[1] // 320
        assert samples.shape == (len(rows), hops * 320)
        assert hops > 0
        assert lookahead_ms.shape == (len(rows),)
        self.calls.append(list(rows))
        self.hops.append(hops)
        self.emotions.append(emotion)
        self.guards.append(list(mouth_guard))
        loudness = 2.0 * np.abs(samples.reshape(len(rows), hops, 320)).mean(2)
        levels = np.round(200.0 * loudness) / 200.0
        numbers = np.array([self._counts[row] + np.arange(hops) for row in rows])
        for row in rows:
            self._counts[row] += hops
        faces = np.stack([levels, numbers], axis=2)
        faces[levels > 0.99] = np.nan
        return faces[:, -(self._rows_made or hops) :].astype(np.float32)

    def reset(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._counts[row] = 0


def scripted_voice(
    lookahead_s: float = 0.08, buffer_s: float = 0.01, buffer: Buffer | None = None
) -> Voice:
    delay = Delay(lookahead_s, buffer or FixedBuffer(buffer_s))
    neutral = EmotionState(np.zeros(len(EMOTIONS), dtype=np.float32))
    return Voice(ScriptedSource(), AudioConfig(), delay, neutral, channels=2)
