"""Seeded training batches out of the memory-mapped corpus: crops of clips, row for row.

A batch depends only on the seed and its number, so that a resumed run continues the same sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.network import PHONE_DELAY_HOPS
from cstalk_bridge.models.emotions import EMOTIONS, MOUTH_GUARD
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.augmentation import AUGMENTATION, distort, with_breaths
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS
from cstalk_bridge.models.training.rules import ENVELOPES, GESTURES, SPOKEN, envelopes_of
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.architecture import NetworkSizes
    from cstalk_bridge.models.training.corpus import Corpus


ROWS = 150  # 3 s of rows that count in the loss
BEFORE_ROWS = 40  # a crop may begin this long before its clip, in silence
SPEED = (0.88, 1.15)  # playing a voice slower or faster also moves its pitch and formants
NO_VOICE_SHARE = 0.1
UNKNOWN_PHONE = -100  # cross entropy skips it
ALIGNED = ("grid_s1", "kathleen", "kokoro", "kokoro_more", "ravdess")


@dataclass(frozen=True, slots=True)
class Face:
    """What a face does in `ROWS` rows.

    `gestures` [rows, gestures], `stress` [rows], `envelopes` [rows, envelopes] (`envelopes_of`).
    """

    gestures: NDArray[np.float32]
    stress: NDArray[np.float32]
    envelopes: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crop:
    """`ROWS` rows of one clip, perhaps beginning or ending in the silence around it.

    `start` is the clip row at which the first output's hop begins, `speed` clip rows per output
    row; without `voice` only the background is present.
    """

    clip: Mapping[str, Any]
    source: str
    start: float
    speed: float
    voice: bool

    @classmethod
    def draw(cls, corpus: Corpus, random: np.random.Generator) -> Crop:
        """Draw a source by its share, one of its clips, and a place in it."""
        source = random.choice(list(corpus.probabilities), p=list(corpus.probabilities.values()))
        clips = corpus.by_source[source]
        clip = clips[random.integers(len(clips))]
        speed = random.uniform(*SPEED)
        start = random.uniform(-BEFORE_ROWS, max(1.0, clip["rows"] - ROWS * 0.7))
        return cls(clip, source, start, speed, voice=random.random() >= NO_VOICE_SHARE)

    def sound(self, corpus: Corpus, context_rows: int) -> NDArray[np.float32]:
        """Return the sound of the rows and of of the network's context before them."""
        count = (context_rows + ROWS) * HOP_SAMPLES + HISTORY_SAMPLES
        if not self.voice:
            return np.zeros(count, dtype=np.float32)
        before = context_rows * HOP_SAMPLES + HISTORY_SAMPLES
        positions = self.start * HOP_SAMPLES + (np.arange(count) - before) * self.speed
        low = max(0, int(positions[0]))
        high = min(self.clip["rows"] * HOP_SAMPLES - 1, int(positions[-1]) + 1)
        first = self.clip["first"] * HOP_SAMPLES
        piece = corpus.samples.reshape(-1)[first + low : first + high + 1].astype(np.float32)
        resampled = np.interp(
            positions, np.arange(low, high + 1), piece / 32768.0, left=0.0, right=0.0
        )
        return np.asarray(resampled, dtype=np.float32)

    def rows(self, delay_hops: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the corpus rows of the outputs, and which of them exist.

        The output after hop t stands for the time at which that hop ends, less the delay.
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
        envelopes = np.zeros((ROWS, len(ENVELOPES)), dtype=np.float32)
        if self.voice:
            stress = corpus.stress[self.clip["first"] : self.clip["first"] + self.clip["rows"]]
            spoken = np.flatnonzero(stress > SPOKEN) / self.speed
            local = self.start / self.speed + 1 - delay_hops + np.arange(ROWS)
            envelopes = envelopes_of(spoken, local)
        return Face(
            (exist[:, None] * blend).astype(np.float32),
            (exist * corpus.stress[low]).astype(np.float32),
            envelopes,
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
        """Return where there is no speech, for each hop of `sound`, [hops]; nowhere if unknown."""
        hops = context_rows + ROWS
        if not self.voice or self.source not in ALIGNED:
            return np.full(hops, not self.voice)
        local = np.round(self.start + (np.arange(hops) - context_rows) * self.speed).astype(int)
        outside = (local < 0) | (local >= self.clip["rows"])
        inside = self.clip["first"] + np.clip(local, 0, self.clip["rows"] - 1)
        return np.asarray(outside | (corpus.phones[inside] == 0))

    def phones(self, corpus: Corpus) -> NDArray[np.int64]:
        """Return the encoder's target phones, [rows]."""
        positions, exist = self.rows(PHONE_DELAY_HOPS)
        if self.voice and self.source not in ALIGNED:
            return np.full(ROWS, UNKNOWN_PHONE, dtype=np.int64)
        resampled = corpus.phones[np.round(positions).astype(np.int64)].astype(np.int64)
        return np.where(exist, resampled, 0)

    def observed(self) -> NDArray[np.bool_]:
        """Return which gestures the loss covers, [gestures]."""
        return np.array(
            [not self.voice or name in OBSERVED_GESTURES[self.source] for name in GESTURES]
        )


NEUTRAL_SHARE = 0.5
GUARDED_SHARE = 0.5  # of clips with the default mouth guard; the others have any


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: network inputs and the targets of `ROWS` output rows.

    `captured` [batch, rows, channels] are tracked board values that count in place of the recipe's
    where `captured_seen` (same shape) is true; None where the corpus has no such clips.
    """

    samples: Tensor
    conditions: Tensor
    delay_hops: Tensor
    gestures: Tensor
    stress: Tensor
    envelopes: Tensor
    phones: Tensor
    observed: Tensor
    captured: Tensor | None = None
    captured_seen: Tensor | None = None


def draw(
    corpus: Corpus,
    architecture: NetworkSizes,
    size: int,
    seed: int,
    number: int,
    augmentation: int = AUGMENTATION,
) -> Batch:
    """Return batch `number` of the run `seed`, under a version of augmentation."""
    random = np.random.default_rng((seed, number))
    rng = torch.Generator().manual_seed(int(random.integers(2**62)))
    delays = random.integers(0, architecture.delays, size)
    crops = [Crop.draw(corpus, random) for _ in range(size)]
    context_rows = architecture.window_hops - 1
    sounds = [crop.sound(corpus, context_rows) for crop in crops]
    if augmentation > 1:
        breath_rng = np.random.default_rng((seed, number, augmentation))
        pauses = [crop.pauses(corpus, context_rows) for crop in crops]
        sounds = [with_breaths(s, p, breath_rng) for s, p in zip(sounds, pauses, strict=True)]
    faces = [crop.faces(corpus, delay) for crop, delay in zip(crops, delays, strict=True)]
    captured = [crop.captured(corpus, delay) for crop, delay in zip(crops, delays, strict=True)]
    tracked = len(corpus.captured) > 0
    emotions = played(crops, draw_emotions(size, len(EMOTIONS), random))
    return Batch(
        samples=distort(torch.from_numpy(np.stack(sounds)), rng, augmentation),
        conditions=torch.cat((emotions, draw_guards(size, random)), 1),
        delay_hops=torch.from_numpy(delays),
        gestures=torch.from_numpy(np.stack([face.gestures for face in faces])),
        stress=torch.from_numpy(np.stack([face.stress for face in faces])),
        envelopes=torch.from_numpy(np.stack([face.envelopes for face in faces])),
        phones=torch.from_numpy(np.stack([crop.phones(corpus) for crop in crops])),
        observed=torch.from_numpy(np.stack([crop.observed() for crop in crops])),
        captured=torch.from_numpy(np.stack([c for c, _ in captured])) if tracked else None,
        captured_seen=torch.from_numpy(np.stack([s for _, s in captured])) if tracked else None,
    )


def played(crops: Sequence[Crop], emotions: Tensor) -> Tensor:
    """Return `emotions` [batch, emotions] with those that actors played where they did."""
    for row, crop in enumerate(crops):
        if crop.voice and "emotion" in crop.clip:
            emotions[row] = emotion_row(crop.clip["emotion"])
    return emotions


def emotion_row(weights: Mapping[str, float]) -> Tensor:
    """Return the generator's emotion vector [emotions] of weights by name."""
    return torch.tensor([weights.get(name, 0.0) for name in EMOTIONS])


def draw_emotions(size: int, emotions: int, random: np.random.Generator) -> Tensor:
    """Return emotion vectors: half neutral, else one or two emotions at any strength up to 1.5."""
    weights = np.zeros((size, emotions), dtype=np.float32)
    for row in range(size):
        weights[row, 0] = random.uniform(0, 1.5) * (random.random() < 0.3)
        if random.random() < NEUTRAL_SHARE:
            continue
        first, second = random.choice(np.arange(1, emotions), 2, replace=False)
        weights[row, first] = random.uniform(0.1, 1.5)
        if random.random() < 0.3:
            share = random.random()
            weights[row, second] = weights[row, first] * share
            weights[row, first] *= 1 - share
    return torch.from_numpy(weights)


def draw_guards(size: int, random: np.random.Generator) -> Tensor:
    """Return mouth guards [size, 1]: half the default one, else any."""
    guards = np.full((size, 1), MOUTH_GUARD, dtype=np.float32)
    other = random.random(size) >= GUARDED_SHARE
    guards[other, 0] = random.random(int(other.sum()))
    return torch.from_numpy(guards)
