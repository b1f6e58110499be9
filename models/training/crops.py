"""Pieces of clips: the sound of some seconds and, row for row, what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.board import AUDIO_DRIVEN
from models.mel import HISTORY_SAMPLES
from models.network import PHONE_DELAY_HOPS
from models.timing import HOP_SAMPLES
from models.training.action_units import OBSERVED_CHANNELS
from models.training.corpus import OBSERVED
from models.training.rules import GESTURES
from models.training.swells import SPOKEN, SWELLS, swells_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.training.batches import Corpus

ROWS = 150  # 3 s of rows that count in the loss
BEFORE_ROWS = 40  # a crop may begin this long before its clip, in silence
SPEED = (0.88, 1.15)  # playing a voice slower or faster also moves its pitch and formants
NO_VOICE_SHARE = 0.1
UNKNOWN_PHONE = -100  # cross entropy skips it
ALIGNED = ("grid_s1", "kathleen", "kokoro", "kokoro_more", "ravdess")


@dataclass(frozen=True, slots=True)
class Face:
    """What a face does in `ROWS` rows.

    `gestures` [rows, gestures], `stress` [rows], `swells` [rows, swells] (`swells_of`).
    """

    gestures: NDArray[np.float32]
    stress: NDArray[np.float32]
    swells: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crop:
    """`ROWS` rows of one clip, perhaps beginning or ending in the silence around it.

    `start` is the clip row at which the first output's hop begins, `speed` clip rows per output
    row; without `voice` only the background will be heard.
    """

    clip: Mapping[str, Any]
    source: str
    start: float
    speed: float
    voice: bool

    @classmethod
    def draw(cls, corpus: Corpus, random: np.random.Generator) -> Crop:
        """Draw a source by its share, one of its clips, and a place in it."""
        source = random.choice(list(corpus.shares), p=list(corpus.shares.values()))
        clips = corpus.by_source[source]
        clip = clips[random.integers(len(clips))]
        speed = random.uniform(*SPEED)
        start = random.uniform(-BEFORE_ROWS, max(1.0, clip["rows"] - ROWS * 0.7))
        return cls(clip, source, start, speed, voice=random.random() >= NO_VOICE_SHARE)

    def sound(self, corpus: Corpus, context_rows: int) -> NDArray[np.float32]:
        """Return the sound of the rows and of what the network hears before them."""
        count = (context_rows + ROWS) * HOP_SAMPLES + HISTORY_SAMPLES
        if not self.voice:
            return np.zeros(count, dtype=np.float32)
        before = context_rows * HOP_SAMPLES + HISTORY_SAMPLES
        positions = self.start * HOP_SAMPLES + (np.arange(count) - before) * self.speed
        low = max(0, int(positions[0]))
        high = min(self.clip["rows"] * HOP_SAMPLES - 1, int(positions[-1]) + 1)
        first = self.clip["first"] * HOP_SAMPLES
        piece = corpus.samples.reshape(-1)[first + low : first + high + 1].astype(np.float32)
        heard = np.interp(positions, np.arange(low, high + 1), piece / 32768.0, left=0.0, right=0.0)
        return np.asarray(heard, dtype=np.float32)

    def rows(self, delay_hops: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the corpus rows which the outputs answer for, and which of them exist.

        What follows hop t answers for the time at which that hop ends, less the delay.
        """
        local = self.start + (1 - delay_hops + np.arange(ROWS)) * self.speed
        last = self.clip["rows"] - 1
        exist = (local >= 0) & (local <= last) & self.voice
        return self.clip["first"] + np.clip(local, 0, last), exist

    def faces(self, corpus: Corpus, delay_hops: int) -> Face:
        """Return what the face does in the rows; it rests outside of the clip."""
        positions, exist = self.rows(delay_hops)
        low = np.floor(positions).astype(np.int64)
        high = np.minimum(low + 1, self.clip["first"] + self.clip["rows"] - 1)
        share = (positions - low)[:, None]
        blend = corpus.gestures[low] * (1 - share) + corpus.gestures[high] * share
        swells = np.zeros((ROWS, len(SWELLS)), dtype=np.float32)
        if self.voice:
            stress = corpus.stress[self.clip["first"] : self.clip["first"] + self.clip["rows"]]
            spoken = np.flatnonzero(stress > SPOKEN) / self.speed
            local = self.start / self.speed + 1 - delay_hops + np.arange(ROWS)
            swells = swells_of(spoken, local)
        return Face(
            (exist[:, None] * blend).astype(np.float32),
            (exist * corpus.stress[low]).astype(np.float32),
            swells,
        )

    def captured(
        self, corpus: Corpus, delay_hops: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return tracked channels [rows, channels], and which of them a tracker saw."""
        if "captured" not in self.clip:
            shape = (ROWS, len(AUDIO_DRIVEN))
            return np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        positions, exist = self.rows(delay_hops)
        local = np.round(positions).astype(np.int64) - self.clip["first"]
        seen = exist[:, None] & OBSERVED_CHANNELS
        return corpus.captured[self.clip["captured"] + local].astype(np.float32), seen

    def pauses(self, corpus: Corpus, context_rows: int) -> NDArray[np.bool_]:
        """Return where nobody speaks, for each hop of `sound`, [hops]; nowhere if unknown."""
        hops = context_rows + ROWS
        if not self.voice or self.source not in ALIGNED:
            return np.full(hops, not self.voice)
        local = np.round(self.start + (np.arange(hops) - context_rows) * self.speed).astype(int)
        outside = (local < 0) | (local >= self.clip["rows"])
        inside = self.clip["first"] + np.clip(local, 0, self.clip["rows"] - 1)
        return np.asarray(outside | (corpus.phones[inside] == 0))

    def phones(self, corpus: Corpus) -> NDArray[np.int64]:
        """Return the phones that the encoder is asked for, [rows]."""
        positions, exist = self.rows(PHONE_DELAY_HOPS)
        if self.voice and self.source not in ALIGNED:
            return np.full(ROWS, UNKNOWN_PHONE, dtype=np.int64)
        heard = corpus.phones[np.round(positions).astype(np.int64)].astype(np.int64)
        return np.where(exist, heard, 0)

    def observed(self) -> NDArray[np.bool_]:
        """Return which gestures the loss may look at, [gestures]."""
        return np.array([not self.voice or name in OBSERVED[self.source] for name in GESTURES])
