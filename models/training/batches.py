"""Seeded training batches out of the memory-mapped corpus.

A batch depends only on the seed and its number, so that a resumed run continues the same sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS, MOUTH_GUARD
from models.timing import HOP_S, HOP_SAMPLES
from models.training.augment import AUGMENTATION, distort
from models.training.breaths import with_breaths
from models.training.corpus import OBSERVED
from models.training.crops import Crop
from models.training.rules import GESTURES
from models.training.store import CAPTURED, read_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.face_network import Sizes

NEUTRAL_SHARE = 0.5
GUARDED_SHARE = 0.5  # of clips with the usual mouth guard; the others have any
SOURCE_SHARES = {
    "grid_s1": 0.3,
    "kathleen": 0.13,
    "kokoro": 0.45,
    "facegood": 0.12,
    "ravdess": 0.25,
}
"""How often a source is drawn against the others that are there; `SYNTHETIC` share Kokoro's."""
SYNTHETIC = ("kokoro", "kokoro_more")


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: network inputs and, for `ROWS` output rows, what they should be.

    `captured` [batch, rows, channels] are tracked board values that count in place of the recipe's
    where `captured_seen` (same shape) is true; None where the corpus has no such clips.
    """

    samples: Tensor
    conditions: Tensor
    delay_hops: Tensor
    gestures: Tensor
    stress: Tensor
    swells: Tensor
    phones: Tensor
    observed: Tensor
    captured: Tensor | None = None
    captured_seen: Tensor | None = None


class Corpus:
    """The clips of one part (train, dev, test), read from the cache that `prepare` wrote."""

    def __init__(self, cache: Path, part: str) -> None:
        def mapped(name: str, dtype: str, *columns: int) -> NDArray[Any]:
            return np.memmap(cache / name, dtype=dtype, mode="r").reshape(-1, *columns)

        self.samples = mapped("samples.i16", "<i2", HOP_SAMPLES)
        self.gestures = mapped("gestures.f16", "<f2", len(GESTURES))
        self.phones = mapped("phones.u8", "u1")
        self.stress = mapped("stress.f16", "<f2")
        self.captured = np.zeros((0, len(AUDIO_DRIVEN)), dtype="<f2")
        if (cache / CAPTURED).exists() and (cache / CAPTURED).stat().st_size:
            self.captured = mapped(CAPTURED, "<f2", len(AUDIO_DRIVEN))
        self.clips = [clip for clip in read_index(cache) if clip["part"] == part]
        self.by_source = {
            source: [c for c in self.clips if c["name"].startswith(f"{source}/")]
            for source in OBSERVED
        }
        self.shares = self._shares()

    def _shares(self) -> dict[str, float]:
        rows = {name: sum(c["rows"] for c in clips) for name, clips in self.by_source.items()}
        synthetic = sum(rows[name] for name in SYNTHETIC)
        shares = {
            name: SOURCE_SHARES["kokoro"] * rows[name] / synthetic
            if name in SYNTHETIC
            else SOURCE_SHARES[name]
            for name in OBSERVED
            if rows[name]
        }
        return {name: share / sum(shares.values()) for name, share in shares.items()}

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source."""
        return {
            source: round(sum(c["rows"] for c in clips) * HOP_S / 60, 1)
            for source, clips in self.by_source.items()
        }

    def gesture_spread(self) -> Tensor:
        """Return each gesture's standard deviation over the corpus, at least 0.05, [gestures]."""
        every = np.asarray(self.gestures[::7], dtype=np.float32)
        return torch.from_numpy(every.std(0)).clamp(min=0.05)


def draw(
    corpus: Corpus,
    architecture: Sizes,
    size: int,
    seed: int,
    number: int,
    augmentation: int = AUGMENTATION,
) -> Batch:
    """Return batch `number` of the run `seed`, under a version of augmentation."""
    random = np.random.default_rng((seed, number))
    dice = torch.Generator().manual_seed(int(random.integers(2**62)))
    delays = random.integers(0, architecture.delays, size)
    crops = [Crop.draw(corpus, random) for _ in range(size)]
    context_rows = architecture.window_hops - 1
    sounds = [crop.sound(corpus, context_rows) for crop in crops]
    if augmentation > 1:
        lungs = np.random.default_rng((seed, number, augmentation))
        pauses = [crop.pauses(corpus, context_rows) for crop in crops]
        sounds = [with_breaths(s, p, lungs) for s, p in zip(sounds, pauses, strict=True)]
    faces = [crop.faces(corpus, delay) for crop, delay in zip(crops, delays, strict=True)]
    captured = [crop.captured(corpus, delay) for crop, delay in zip(crops, delays, strict=True)]
    tracked = len(corpus.captured) > 0
    emotions = played(crops, draw_emotions(size, len(EMOTIONS), random))
    return Batch(
        samples=distort(torch.from_numpy(np.stack(sounds)), dice, augmentation),
        conditions=torch.cat((emotions, draw_guards(size, random)), 1),
        delay_hops=torch.from_numpy(delays),
        gestures=torch.from_numpy(np.stack([face.gestures for face in faces])),
        stress=torch.from_numpy(np.stack([face.stress for face in faces])),
        swells=torch.from_numpy(np.stack([face.swells for face in faces])),
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
    """Return mouth guards [size, 1]: half the usual one, else any."""
    guards = np.full((size, 1), MOUTH_GUARD, dtype=np.float32)
    other = random.random(size) >= GUARDED_SHARE
    guards[other, 0] = random.random(int(other.sum()))
    return torch.from_numpy(guards)
