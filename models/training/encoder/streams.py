"""The encoder's training set on disk, and long streams drawn from it.

`<cache>/encoder/<source>.<copy>/` holds `samples.i16` [rows, HOP_SAMPLES], `layer.f16` [rows,
WIDTH] (the teacher's layer less its sinusoids) and `clips.json`: name, part, copy, speed, first
row and rows of each clip. A folder is written whole or not at all; `key` in `clips.json` is a
digest of what it was made of.

In a stream voices follow one another, with pauses and sounds between them; rooms, microphones,
levels and other sounds change over time. A batch depends only on the seed and its number, so
that a resumed run continues the same sequence.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.features import ENCODER_HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES
from cstalk_bridge.models.training.augmentation import (
    ALONE_DBFS,
    VOICES_SHARE,
    colour,
    level_and_noise,
    transmit,
)
from cstalk_bridge.models.training.batches import UNKNOWN_PHONE
from cstalk_bridge.models.training.encoder.whisper import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Sounds = list[NDArray[np.float32]]


FOLDER = "encoder"


@dataclass(frozen=True, slots=True)
class TeacherClip:
    """A clip of the set: `offset_s` into the clip `name`, played at `speed`; rows of its folder."""

    name: str
    part: str
    copy: int
    speed: float
    offset_s: float
    first: int
    rows: int

    @property
    def source(self) -> str:
        """The source of the clip, a key of `cstalk_bridge.models.training.sources.SOURCES`, or
        `no_speech`."""
        return self.name.split("/")[0]


def write_folder(
    folder: Path,
    key: str,
    clips: Iterable[tuple[TeacherClip, NDArray[np.float32], NDArray[np.float32]]],
) -> None:
    """Write clips with their sound [rows * HOP_SAMPLES] and layer [rows, WIDTH].

    Their `first` is set here.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    written: list[dict[str, Any]] = []
    first = 0
    with (partial / "samples.i16").open("wb") as sounds, (partial / "layer.f16").open("wb") as rows:
        for clip, sound, layer in clips:
            sounds.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
            rows.write(layer.astype("<f2").tobytes())
            written.append(asdict(clip) | {"first": first})
            first += clip.rows
    (partial / "clips.json").write_text(json.dumps({"key": key, "clips": written}), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def key_of(folder: Path) -> str | None:
    """Return the content key of a finished folder; None where there is none."""
    path = folder / "clips.json"
    return str(json.loads(path.read_text("utf-8"))["key"]) if path.exists() else None


class EncoderCorpus:
    """The clips of one part (train, dev, test) with their sound and layer, memory-mapped."""

    def __init__(self, cache: Path, part: str) -> None:
        self.clips: list[TeacherClip] = []
        self.keys: dict[str, str] = {}
        self._maps: dict[tuple[str, int], tuple[NDArray[Any], NDArray[Any]]] = {}
        for folder in sorted((cache / FOLDER).glob("*.[0-9]*")):
            if folder.name.endswith(".partial"):
                continue
            facts = json.loads((folder / "clips.json").read_text("utf-8"))
            self.keys[folder.name] = facts["key"]
            own = [TeacherClip(**clip) for clip in facts["clips"]]
            self.clips += [clip for clip in own if clip.part == part]
            source, copy = folder.name.rsplit(".", 1)
            samples = np.memmap(folder / "samples.i16", dtype="<i2", mode="r")
            layer = np.memmap(folder / "layer.f16", dtype="<f2", mode="r")
            self._maps[source, int(copy)] = (samples, layer.reshape(-1, WIDTH))

    def sound(self, clip: TeacherClip) -> NDArray[np.float32]:
        """Return the clip's sound, [rows * HOP_SAMPLES] in -1..1."""
        first, end = clip.first * HOP_SAMPLES, (clip.first + clip.rows) * HOP_SAMPLES
        return self._maps[clip.source, clip.copy][0][first:end].astype(np.float32) / 32767.0

    def layer(self, clip: TeacherClip) -> NDArray[np.float32]:
        """Return the teacher's layer of it, [rows, WIDTH]."""
        rows = self._maps[clip.source, clip.copy][1][clip.first : clip.first + clip.rows]
        return np.asarray(rows, dtype=np.float32)

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source, its copies counted once."""
        first: Sequence[TeacherClip] = [clip for clip in self.clips if clip.copy == 0]
        sources = sorted({clip.source for clip in first})
        return {
            source: round(sum(c.rows for c in first if c.source == source) * HOP_S / 60, 1)
            for source in sources
        }


SCENES = 2
"""Scenes of a stream, of equal length, each with a room, microphone, level and noise of its own."""
UNTOUCHED_SHARE = 0.12  # of the scenes, where digital silence stays digital
OTHERS_SHARE, OTHERS_DB = 0.12, (-26.0, -8.0)  # another voice, relative to the first
SOUNDS_SHARE, SOUNDS_DB = 0.25, (-30.0, 0.0)  # a sound that is no speech
QUIET_SHARE, QUIET_DB = 0.25, (-24.0, 0.0)  # of the scenes that are quieter still


def scenes(
    streams: Tensor, sounds: Sounds, random: np.random.Generator, rng: torch.Generator
) -> Tensor:
    """Return `streams` [batch, time] as a microphone might record them; `sounds` are non-speech."""
    length = streams.shape[-1] // SCENES
    cut = streams[:, : SCENES * length].reshape(-1, length)
    rest = streams[:, SCENES * length :]
    mixed = _with_others(cut, sounds, random)
    augmented = transmit(level_and_noise(colour(mixed, rng), rng, VOICES_SHARE, ALONE_DBFS), rng)
    rows = len(cut)
    untouched = torch.from_numpy(random.random((rows, 1)) < UNTOUCHED_SHARE)
    augmented = torch.where(untouched, cut, augmented)
    quieter_db = random.uniform(*QUIET_DB, (rows, 1)) * (random.random((rows, 1)) < QUIET_SHARE)
    augmented = augmented * torch.from_numpy(10 ** (quieter_db / 20)).float()
    return torch.cat((augmented.reshape(len(streams), -1), rest), 1)


def _with_others(cut: Tensor, sounds: Sounds, random: np.random.Generator) -> Tensor:
    """Return scenes [rows, time] with other voices and other sounds under some of them."""
    rows, length = cut.shape
    power = cut.square().mean(-1).sqrt()
    mixed = cut.clone()
    for row in range(rows):
        if random.random() < OTHERS_SHARE:
            other = int(random.integers(rows))
            gain = _mixing_gain(random.uniform(*OTHERS_DB), power[row], power[other])
            mixed[row] += gain * cut[other].roll(int(random.integers(length)))
        if sounds and random.random() < SOUNDS_SHARE:
            sound = torch.from_numpy(sounds[random.integers(len(sounds))])
            sound = sound.repeat(-(-length // len(sound)))[:length]
            level = sound.square().mean().sqrt()
            mixed[row] += _mixing_gain(random.uniform(*SOUNDS_DB), power[row], level) * sound
    return mixed


def _mixing_gain(decibels: float, wanted: Tensor, level: Tensor) -> float:
    """Return the gain that brings `level` so far from `wanted`; none where either is silence."""
    audible = wanted > 1e-5 and level > 1e-5
    return float(10 ** (decibels / 20) * wanted / level) if audible else 0.0


STREAMS, HOPS = 3, 384
"""Streams of a batch, and hops of each: 7.7 s, of which all but the first two have a full past."""
SAMPLING_WEIGHTS = {
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
"""Hops before a joint without targets: the teacher's features depend on what follows there."""
NO_SPEECH = "no_speech"


@dataclass(frozen=True, slots=True)
class Batch:
    """Streams, and for each hop the targets at the time at which it begins.

    `samples` [streams, HISTORY_SAMPLES + hops * HOP_SAMPLES], `layer` [streams, hops, WIDTH] of the
    teacher where `layer_known` [streams, hops] is true, `phones` [streams, hops] (`UNKNOWN_PHONE`).
    """

    samples: Tensor
    layer: Tensor
    layer_known: Tensor
    phones: Tensor


@dataclass(slots=True)
class _Stream:
    sound: NDArray[np.float32]
    layer: NDArray[np.float32]
    layer_known: NDArray[np.bool_]
    phones: NDArray[np.int64]


class Streams:
    """Draws batches from a set; `labels` gives the phone of each row of a clip."""

    def __init__(
        self,
        corpus: EncoderCorpus,
        labels: Callable[[TeacherClip], NDArray[np.int64]] | None = None,
        streams: int = STREAMS,
        hops: int = HOPS,
    ) -> None:
        self.corpus = corpus
        self.labels = labels
        self.streams, self.hops = streams, hops
        self.voices: dict[tuple[str, int], list[TeacherClip]] = {}
        self.by_source: dict[str, list[TeacherClip]] = {}
        for clip in corpus.clips:
            self.voices.setdefault((voice_of(clip), clip.copy), []).append(clip)
            self.by_source.setdefault(clip.source, []).append(clip)
        weights = np.array([SAMPLING_WEIGHTS[source] for source in self.by_source])
        self.probabilities = weights / weights.sum()
        quiet = self.by_source.get(NO_SPEECH, [])
        self.sounds: Sounds = [corpus.sound(clip) for clip in quiet]

    def draw(self, seed: int, number: int) -> Batch:
        """Return batch `number` of the run `seed`."""
        random = np.random.default_rng((seed, number))
        rng = torch.Generator().manual_seed(int(random.integers(2**62)))
        streams = [self._stream(random) for _ in range(self.streams)]
        sound = torch.from_numpy(np.stack([stream.sound for stream in streams]))
        augmented = scenes(sound, self.sounds, random, rng)
        return Batch(
            samples=augmented[:, -(ENCODER_HISTORY_SAMPLES + self.hops * HOP_SAMPLES) :],
            layer=torch.from_numpy(np.stack([s.layer[-self.hops :] for s in streams])),
            layer_known=torch.from_numpy(np.stack([s.layer_known[-self.hops :] for s in streams])),
            phones=torch.from_numpy(np.stack([s.phones[-self.hops :] for s in streams])),
        )

    def _stream(self, random: np.random.Generator) -> _Stream:
        hops = self.hops + 1 + ENCODER_HISTORY_SAMPLES // HOP_SAMPLES
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

    def _any(self, random: np.random.Generator) -> TeacherClip:
        source = random.choice(list(self.by_source), p=self.probabilities)
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

    def _put(self, stream: _Stream, at: int, clip: TeacherClip, first: int, end: int) -> int:
        """Put rows of a clip at hop `at`; returns the hop after them."""
        end = min(end, first + len(stream.layer_known) - at)
        if end <= first:
            return at
        piece = slice(at, at + end - first)
        sound = self.corpus.sound(clip)[first * HOP_SAMPLES : end * HOP_SAMPLES]
        fade = np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32)
        sound[:FADE_SAMPLES] *= fade
        sound[-FADE_SAMPLES:] *= fade[::-1]
        stream.sound[at * HOP_SAMPLES : piece.stop * HOP_SAMPLES] = sound
        stream.layer[piece] = self.corpus.layer(clip)[first:end]
        stream.layer_known[at : max(at, piece.stop - JOINT_HOPS)] = True
        if self.labels is not None:
            stream.phones[piece] = self.labels(clip)[first:end]
        else:
            stream.phones[piece] = UNKNOWN_PHONE
        return piece.stop


def voice_of(clip: TeacherClip) -> str:
    """Return a name for the speaker of a clip."""
    source, stem = clip.name.split("/")
    if source.startswith("kokoro"):
        return f"{source}/{stem.split('__')[0]}"
    return f"{source}/{stem.split('-')[-1]}" if source == "ravdess" else source
