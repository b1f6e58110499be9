"""Long streams to learn from: voices that follow one another, pauses, and sounds between them.

A batch depends only on the seed and its number, so that a resumed run continues the same sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.encoder.mel import HISTORY_SAMPLES
from models.timing import HOP_SAMPLES
from models.training.crops import UNKNOWN_PHONE
from models.training.encoder.scenes import scenes
from models.training.encoder.whisper import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.encoder.scenes import Sounds
    from models.training.encoder.taught import Taught, TaughtSet

STREAMS, HOPS = 3, 384
"""Streams of a batch, and hops of each: 7.7 s, of which all but the first two have a full past."""
SHARES = {
    "kokoro": 0.5,
    "kokoro_more": 0.5,
    "kathleen": 0.2,
    "grid_s1": 0.14,
    "facegood": 0.07,
    "ravdess": 0.3,
    "no_speech": 0.09,
}
"""How often a source is drawn against the others that are there."""
SAME_VOICE_SHARE = 0.6  # of the clips that follow another one
PAUSE_SHARE = 0.35  # of the joints
PAUSE_HOPS = (4, 75)
DIGITAL_SHARE = 0.5  # of the pauses; the others hold a sound that is no speech
FADE_SAMPLES = 48
JOINT_HOPS = 2
"""Hops before a joint that are not asked for: the teacher did not hear what follows there."""
NO_SPEECH = "no_speech"


@dataclass(frozen=True, slots=True)
class Batch:
    """Streams, and for each hop what stands for the time at which it begins.

    `samples` [streams, HISTORY_SAMPLES + hops * HOP_SAMPLES], `layer` [streams, hops, WIDTH] of the
    teacher where `told` [streams, hops] is true, `phones` [streams, hops] (`UNKNOWN_PHONE`).
    """

    samples: Tensor
    layer: Tensor
    told: Tensor
    phones: Tensor


@dataclass(slots=True)
class _Stream:
    sound: NDArray[np.float32]
    layer: NDArray[np.float32]
    told: NDArray[np.bool_]
    phones: NDArray[np.int64]


class Streams:
    """Draws batches from a set; `labels` gives the phone of each row of a clip."""

    def __init__(
        self,
        taught: TaughtSet,
        labels: Callable[[Taught], NDArray[np.int64]] | None = None,
        streams: int = STREAMS,
        hops: int = HOPS,
    ) -> None:
        self.taught = taught
        self.labels = labels
        self.streams, self.hops = streams, hops
        self.voices: dict[tuple[str, int], list[Taught]] = {}
        self.by_source: dict[str, list[Taught]] = {}
        for clip in taught.clips:
            self.voices.setdefault((voice_of(clip), clip.copy), []).append(clip)
            self.by_source.setdefault(clip.source, []).append(clip)
        shares = np.array([SHARES[source] for source in self.by_source])
        self.shares = shares / shares.sum()
        quiet = self.by_source.get(NO_SPEECH, [])
        self.sounds: Sounds = [taught.sound(clip) for clip in quiet]

    def draw(self, seed: int, number: int) -> Batch:
        """Return batch `number` of the run `seed`."""
        random = np.random.default_rng((seed, number))
        dice = torch.Generator().manual_seed(int(random.integers(2**62)))
        streams = [self._stream(random) for _ in range(self.streams)]
        sound = torch.from_numpy(np.stack([stream.sound for stream in streams]))
        heard = scenes(sound, self.sounds, random, dice)
        return Batch(
            samples=heard[:, -(HISTORY_SAMPLES + self.hops * HOP_SAMPLES) :],
            layer=torch.from_numpy(np.stack([s.layer[-self.hops :] for s in streams])),
            told=torch.from_numpy(np.stack([s.told[-self.hops :] for s in streams])),
            phones=torch.from_numpy(np.stack([s.phones[-self.hops :] for s in streams])),
        )

    def _stream(self, random: np.random.Generator) -> _Stream:
        hops = self.hops + 1 + HISTORY_SAMPLES // HOP_SAMPLES
        stream = _Stream(
            np.zeros(hops * HOP_SAMPLES, np.float32),
            np.zeros((hops, WIDTH), np.float32),
            np.zeros(hops, np.bool_),
            np.zeros(hops, np.int64),
        )
        clip = self._any(random)
        skipped = int(random.integers(clip.rows))
        at = self._put(stream, 0, clip, skipped, clip.rows)
        while at < hops:
            if random.random() < PAUSE_SHARE:
                at = self._pause(stream, at, random)
            same = self.voices[voice_of(clip), clip.copy]
            goes_on = random.random() < SAME_VOICE_SHARE
            clip = same[random.integers(len(same))] if goes_on else self._any(random)
            at = self._put(stream, at, clip, 0, clip.rows)
        return stream

    def _any(self, random: np.random.Generator) -> Taught:
        source = random.choice(list(self.by_source), p=self.shares)
        clips = self.by_source[source]
        return clips[random.integers(len(clips))]

    def _pause(self, stream: _Stream, at: int, random: np.random.Generator) -> int:
        length = int(random.integers(*PAUSE_HOPS))
        quiet = self.by_source.get(NO_SPEECH)
        if not quiet or random.random() < DIGITAL_SHARE:
            return at + length
        clip = quiet[random.integers(len(quiet))]
        first = int(random.integers(max(1, clip.rows - length)))
        return self._put(stream, at, clip, first, min(clip.rows, first + length))

    def _put(self, stream: _Stream, at: int, clip: Taught, first: int, end: int) -> int:
        """Put rows of a clip at hop `at`; returns the hop after them."""
        end = min(end, first + len(stream.told) - at)
        if end <= first:
            return at
        piece = slice(at, at + end - first)
        sound = self.taught.sound(clip)[first * HOP_SAMPLES : end * HOP_SAMPLES]
        fade = np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32)
        sound[:FADE_SAMPLES] *= fade
        sound[-FADE_SAMPLES:] *= fade[::-1]
        stream.sound[at * HOP_SAMPLES : piece.stop * HOP_SAMPLES] = sound
        stream.layer[piece] = self.taught.layer(clip)[first:end]
        stream.told[at : max(at, piece.stop - JOINT_HOPS)] = True
        if self.labels is not None:
            stream.phones[piece] = self.labels(clip)[first:end]
        else:
            stream.phones[piece] = UNKNOWN_PHONE
        return piece.stop


def voice_of(clip: Taught) -> str:
    """Return a name for whoever speaks in a clip."""
    source, stem = clip.name.split("/")
    if source.startswith("kokoro"):
        return f"{source}/{stem.split('__')[0]}"
    return f"{source}/{stem.split('-')[-1]}" if source == "ravdess" else source
