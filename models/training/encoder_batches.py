"""Seeded training batches of speech encoder rows (`encoder_rows.py`), and the faces to them.

A batch depends only on the seed and its number, so that a resumed run continues the same sequence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.cstalk.encoder_architecture import ENCODER_DELAYS, EncoderArchitecture
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.encoder.reach import RIGHT_HOPS, delay_hops
from cstalk_bridge.models.training.batches import draw_emotions, draw_guards
from cstalk_bridge.models.training.corpus import Corpus, read_index, source_of
from cstalk_bridge.models.training.effort import opening
from cstalk_bridge.models.training.encoder_rows import FOLDER, HOPS
from cstalk_bridge.models.training.rules import GESTURES, SPOKEN, envelopes_of, face_targets
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor


ROWS = 140
"""Rows of a piece that count in the loss."""
FIRST_HOPS = 16
"""First hops of a stream, which no piece covers: their context and look-ahead are incomplete."""
NOBODY = -1
"""The clip of a row in which nobody speaks; below: unknown."""
EARLY_HOPS = 1
"""By how much the target faces lead the sound: aligners place phones later than lips begin them,
and an uncertain network answers late."""
LIVE_DELAYS, LIVE_SHARE = (3, 4), 0.5
"""Look-aheads in hops of typical live use, and the share of pieces that have them; the others have
any."""
OPENED = ("jaw", "upper_raise", "lower_depress")
"""The gestures that vocal effort enlarges."""


@dataclass(frozen=True, slots=True)
class EncoderRowBatch:
    """One batch: encoder rows and target faces.

    `rows` [batch, width, context + ROWS] are the encoder's, the last one of the last hop;
    `targets` [batch, ROWS, channels], `observed` [batch, ROWS, gestures] which of them are known.
    """

    rows: Tensor
    conditions: Tensor
    delay_hops: Tensor
    targets: Tensor
    observed: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    rows_by_delay: tuple[NDArray[np.float16], ...]
    gestures: NDArray[np.float32]
    stress: NDArray[np.float32]
    envelopes: NDArray[np.float32]
    observed: NDArray[np.bool_]


class EncoderRowSet:
    """The streams of one part, in memory: 8 MB each. FileNotFoundError where there are none."""

    def __init__(self, cache: Path, part: str) -> None:
        self.corpus = Corpus(cache, part)
        self._index = read_index(cache)
        paths = sorted((cache / FOLDER).glob(f"{part}-[0-9]*[0-9].npz"))
        if not paths:
            raise FileNotFoundError(f"{cache / FOLDER} holds no streams of {part}")
        self.streams = [self._read(path) for path in paths]
        self.key = json.loads((cache / FOLDER / "key.json").read_text("utf-8"))

    def gesture_spread(self) -> Tensor:
        """Return each gesture's standard deviation over the corpus, at least 0.05, [gestures]."""
        return self.corpus.gesture_spread()

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source, each recording counted once."""
        return self.corpus.minutes()

    def _read(self, path: Path) -> _Stream:
        with np.load(path) as archive:
            rows_by_delay = tuple(archive[f"ear_{delay}"] for delay in range(len(RIGHT_HOPS)))
            clips, positions = archive["clip"], archive["position"].astype(np.float64)
            wider = opening(archive["effort"].astype(np.float32))
        gestures = np.zeros((HOPS, len(GESTURES)), dtype=np.float32)
        stress = np.zeros(HOPS, dtype=np.float32)
        observed = np.ones((HOPS, len(GESTURES)), dtype=np.bool_)
        observed[clips < NOBODY] = False
        for number in np.unique(clips[clips >= 0]):
            at = np.flatnonzero(clips == number)
            clip = self._index[number]
            gestures[at], stress[at] = self._clip_targets(clip, positions[at])
            seen = OBSERVED_GESTURES[source_of(clip)]
            observed[at] = [name in seen for name in GESTURES]
        opened = [list(GESTURES).index(name) for name in OPENED]
        gestures[:, opened] = np.clip(gestures[:, opened] * wider[:, None], 0.0, 1.0)
        envelopes = envelopes_of(np.flatnonzero(stress > SPOKEN), np.arange(HOPS))
        return _Stream(rows_by_delay, gestures, stress, envelopes, observed)

    def _clip_targets(
        self, clip: dict[str, Any], positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        local = np.clip(positions, 0, clip["rows"] - 1)
        low = np.floor(local).astype(np.int64)
        high = np.minimum(low + 1, clip["rows"] - 1)
        share = (local - low)[:, None]
        gestures, first = self.corpus.gestures, clip["first"]
        blend = gestures[first + low] * (1 - share) + gestures[first + high] * share
        return blend.astype(np.float32), self.corpus.stress[first + low].astype(np.float32)

    def draw(
        self, architecture: EncoderArchitecture, size: int, seed: int, number: int
    ) -> EncoderRowBatch:
        """Return batch `number` of the run `seed`, under emotions and guards of any strength."""
        random = np.random.default_rng((seed, number))
        delays = random.integers(0, architecture.delays, size)
        is_live = random.random(size) < LIVE_SHARE
        delays[is_live] = random.choice(LIVE_DELAYS, int(is_live.sum()))
        context = architecture.window_rows
        pieces: list[tuple[NDArray[Any], ...]] = []
        for delay in delays:
            stream = self.streams[random.integers(len(self.streams))]
            encoder_delay = ENCODER_DELAYS[delay]
            # After n hops the encoder gives row n - late, and the face is that of row n - delay.
            hop = int(random.integers(context + FIRST_HOPS, HOPS - ROWS - EARLY_HOPS))
            late = delay_hops(encoder_delay)
            inputs = stream.rows_by_delay[encoder_delay][hop - context - late : hop + ROWS - late]
            face = slice(hop - delay + EARLY_HOPS, hop - delay + EARLY_HOPS + ROWS)
            tracks = (stream.gestures, stream.stress, stream.envelopes, stream.observed)
            pieces.append((inputs.T, *(track[face] for track in tracks)))
        rows, gestures, stress, envelopes, observed = (
            torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True)
        )
        emotions = draw_emotions(size, len(EMOTIONS), random)
        conditions = torch.cat((emotions, draw_guards(size, random)), 1)
        targets = face_targets(gestures, stress, envelopes, conditions)
        return EncoderRowBatch(
            rows.float(), conditions, torch.from_numpy(delays), targets, observed
        )
