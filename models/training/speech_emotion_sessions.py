"""Sessions: recordings of one voice one after the other, through one microphone, and crops.

Emotion is estimated relative to the running baseline of a speaker, so the network trains on
sessions, not on clips. Distortion is drawn once for a session: a speaker keeps the microphone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.features import (
    HISTORY_SAMPLES,
    LEVEL,
    TRAITS,
    VoiceFeatures,
    baseline_of,
    network_inputs,
    voice_features,
)
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import speech_span
from cstalk_bridge.models.training.augmentation import distort
from cstalk_bridge.models.training.captured_faces import PLAYED
from cstalk_bridge.models.training.sources import Clip, clips_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Halves = NDArray[np.float16]

    Floats = NDArray[np.float32]


RAVDESS = "ravdess"
PLAYED_AS = {**PLAYED, "02": "neutral"}
"""Emotions by the third part of a RAVDESS name; its calm is a neutral voice."""
READING = {"kokoro": 14, "grid_s1": 25}
"""Sources of neutral reading, and clips in a session of each."""
MOST_READING = 20
"""Sessions of a source of reading at most."""
MARGIN_S = 0.1
RATES = (0.88, 1.13)
"""Share by which a voice is slowed or sped up, and lowered or raised with it."""
EVEN_SAMPLES = 64_000
"""Sessions are distorted at a whole number of these: transforms of such lengths are quick."""
TONE_S = 60.0
TONE_SESSIONS = 6
LEAST_VOICING = 0.5
"""Voicing from which a hop counts in the average of all voices."""


@dataclass(frozen=True, slots=True)
class Session:
    """Clips of one voice, and the emotion of each, as an index of `EMOTIONS`."""

    source: str
    voice: str
    clips: tuple[Clip, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SessionFeatures:
    """A session as features, float16: traits [hops, TRAITS], motions [hops, MOTIONS], voicing.

    `spans` are the first hop and the one after the last of each clip.
    """

    session: Session
    traits: Halves
    motions: Halves
    voicing: Halves
    spans: tuple[tuple[int, int], ...]

    def clip(self, number: int) -> VoiceFeatures:
        """Return the features of a clip, float32."""
        begin, end = self.spans[number]
        parts = (self.traits, self.motions, self.voicing)
        return VoiceFeatures(*(part[begin:end].astype(np.float32) for part in parts))

    def voice_sums(self, number: int) -> tuple[NDArray[np.float32], np.float32]:
        """Return the sum of traits of a clip's voice [TRAITS], and its voiced hops."""
        clip = self.clip(number)
        return clip.voicing @ clip.traits, clip.voicing.sum()


def sessions(data: Path, part: str, seed: int) -> list[Session]:
    """Return the sessions of a part of the split: acted emotions by actor, reading by voice."""
    found = []
    for voice, clips in _by_voice(RAVDESS, data, part).items():
        classes = [EMOTIONS.index(PLAYED_AS[clip.path.stem.split("-")[2]]) for clip in clips]
        found.append(Session(RAVDESS, voice, tuple(clips), tuple(classes)))
    random = np.random.default_rng(seed)
    for source, size in READING.items():
        reading = []
        for voice, clips in _by_voice(source, data, part).items():
            order = [clips[i] for i in random.permutation(len(clips))]
            for first in range(0, len(order) - size + 1, size):
                some = tuple(order[first : first + size])
                reading.append(Session(source, voice, some, (0,) * size))
        chosen = random.permutation(len(reading))[:MOST_READING]
        found += [reading[i] for i in chosen]
    return found


def _by_voice(source: str, data: Path, part: str) -> dict[str, list[Clip]]:
    voices: dict[str, list[Clip]] = {}
    for clip in clips_of(source, data / source):
        if clip.part == part:
            stem = clip.path.stem
            voice = {RAVDESS: stem.split("-")[-1], "kokoro": stem.split("__")[0]}.get(source, "")
            voices.setdefault(voice, []).append(clip)
    return voices


def session_features(session: Session, rng: torch.Generator | None = None) -> SessionFeatures:
    """Return a session as features; with `rng`, at another rate and as a microphone records it."""
    sounds = [_speech(clip.samples()) for clip in session.clips]
    if rng is not None:
        low, high = RATES
        rate = low + (high - low) * float(torch.rand((), generator=rng))
        sounds = [_resampled(sound, rate) for sound in sounds]
    return _features_of(session, sounds, rng)


def tones(rng: torch.Generator) -> Iterator[SessionFeatures]:
    """Yield sessions of tones that come, glide and go: as voiced as a voice, without emotion."""
    for number in range(TONE_SESSIONS):
        sound = np.zeros(round(TONE_S * SAMPLE_RATE_HZ))
        for _ in range(round(1.5 * TONE_S)):
            sound += _tone(len(sound), rng)
        session = Session("tones", str(number), (), (0,))
        yield _features_of(session, [(0.1 * sound).astype(np.float32)], rng)


def _tone(samples: int, rng: torch.Generator) -> NDArray[np.float64]:
    start, length, octave, glide, decay = torch.rand(5, generator=rng).tolist()
    times_s = np.arange(samples) / SAMPLE_RATE_HZ - start * samples / SAMPLE_RATE_HZ
    length_s = 0.1 + 1.5 * length
    hz = 80.0 * 2.0 ** (3.0 * octave + 0.2 * (glide - 0.5) * times_s / length_s)
    shape = np.clip(times_s / 0.02, 0.0, 1.0) * np.clip((length_s - times_s) / 0.05, 0.0, 1.0)
    phase = 2.0 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ
    fall = 0.8 + 1.5 * decay
    waves = (np.sin(k * phase) / k**fall for k in range(1, 9))
    return np.asarray(shape * sum(waves))


def _speech(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    start_s, end_s = speech_span(sound)
    first = max(0, round((start_s - MARGIN_S) * SAMPLE_RATE_HZ))
    return sound[first : round((end_s + MARGIN_S) * SAMPLE_RATE_HZ)]


def _resampled(sound: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    places = np.arange(int(len(sound) / rate)) * rate
    return np.asarray(np.interp(places, np.arange(len(sound)), sound), dtype=np.float32)


def _features_of(
    session: Session, sounds: Sequence[NDArray[np.float32]], rng: torch.Generator | None
) -> SessionFeatures:
    hops = [-(-len(sound) // HOP_SAMPLES) for sound in sounds]
    samples = HISTORY_SAMPLES + sum(hops) * HOP_SAMPLES
    whole = np.zeros(-(-samples // EVEN_SAMPLES) * EVEN_SAMPLES, dtype=np.float32)
    ends = np.cumsum(hops).tolist()
    spans = tuple(zip([0, *ends[:-1]], ends, strict=True))
    for clip, (begin, _) in zip(sounds, spans, strict=True):
        start = HISTORY_SAMPLES + begin * HOP_SAMPLES
        whole[start : start + len(clip)] = clip
    if rng is not None:
        with torch.inference_mode():
            whole = distort(torch.from_numpy(whole)[None], rng)[0].numpy()
    traits, motions, voicing = (part.astype(np.float16) for part in voice_features(whole[:samples]))
    return SessionFeatures(session, traits, motions, voicing, spans)


def average_traits(features: Sequence[SessionFeatures]) -> NDArray[np.float32]:
    """Return the mean traits of all voices, [TRAITS]; that of the level is 0: it has no meaning."""
    spoken = np.concatenate([one.traits[one.voicing > LEAST_VOICING] for one in features])
    mean = np.asarray(spoken.mean(axis=0, dtype=np.float64), dtype=np.float32)
    mean[LEVEL] = 0.0
    return mean


CROP_HOPS = 120
CLIPS_BEFORE = (0, 0, 1, 2, 4, 8, 14)
"""Numbers of preceding clips of the same session, of which one is drawn."""
NEUTRAL_CONTEXT_SHARE = 0.4
"""Probability that all those clips are neutral: a speaker whose emotion starts now."""
EMOTION_SHARES = np.array([0.14, *[0.11] * 6, 0.20])
"""How often a crop is of each acted emotion, and, last, of reading and tones."""
PRIOR = torch.tensor(
    [EMOTION_SHARES[0] + EMOTION_SHARES[-1], *EMOTION_SHARES[1:-1]], dtype=torch.float32
)
"""Share of each emotion among the crops, [emotions]."""


class Crops:
    """Draws crops of sessions; all versions of a session are of one voice."""

    def __init__(
        self, features: Sequence[SessionFeatures], average: Floats, random: np.random.Generator
    ):
        self._features = features
        self._average = average
        self._random = random
        self._sums = [[one.voice_sums(k) for k in range(len(one.spans))] for one in features]
        self._places: list[dict[tuple[str, str, int], list[int]]] = [{} for _ in EMOTION_SHARES]
        for number, one in enumerate(features):
            for clip, emotion in enumerate(one.session.classes):
                group = emotion if one.session.source == RAVDESS else len(EMOTIONS)
                key = (one.session.source, one.session.voice, clip)
                self._places[group].setdefault(key, []).append(number)
        self._keys = [list(places) for places in self._places]

    def draw(self, size: int, past_hops: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs `[size, INPUTS, past + n]`, voicing `[size, n]` and emotions `[size]`."""
        random = self._random
        crops, emotions = [], []
        for group in random.choice(len(EMOTION_SHARES), size, p=EMOTION_SHARES):
            key = self._keys[group][random.integers(len(self._keys[group]))]
            versions = self._places[group][key]
            number = versions[random.integers(len(versions))]
            crops.append(self._crop(number, key[2], past_hops))
            emotions.append(self._features[number].session.classes[key[2]])
        inputs, voicing = zip(*crops, strict=True)
        columns = np.ascontiguousarray(np.stack(inputs).transpose(0, 2, 1))
        drawn = torch.from_numpy(columns), torch.from_numpy(np.stack(voicing))
        return *drawn, torch.tensor(emotions)

    def _crop(self, number: int, clip: int, past_hops: int) -> tuple[Floats, Floats]:
        """Return inputs [past + n, INPUTS] and voicing [n]; a clip's ends are held beyond it."""
        before = self._before(number, clip)
        inputs, voicing = inputs_of_clip(self._features[number], clip, self._average, before)
        start = int(self._random.integers(max(1, len(inputs) - CROP_HOPS + 1)))
        rows = np.arange(start - past_hops, start + CROP_HOPS).clip(0, len(inputs) - 1)
        voiced = voicing[start : start + CROP_HOPS]
        return inputs[rows], np.pad(voiced, (0, CROP_HOPS - len(voiced)))

    def _before(self, number: int, clip: int) -> tuple[Floats, np.float32]:
        """Return sums and hops of some clips of the session other than `clip`."""
        random, sums_of = self._random, self._sums[number]
        classes = self._features[number].session.classes
        calm = random.random() < NEUTRAL_CONTEXT_SHARE
        others = [k for k, c in enumerate(classes) if k != clip and not (calm and c)]
        count = min(int(random.choice(CLIPS_BEFORE)), len(others))
        chosen = random.choice(len(others), count, replace=False) if count else ()
        sums, hops = np.zeros(TRAITS, dtype=np.float32), np.float32(0.0)
        for place in chosen:
            sums, hops = sums + sums_of[others[place]][0], hops + sums_of[others[place]][1]
        return sums, hops


def inputs_of_clip(
    features: SessionFeatures, number: int, average: Floats, before: tuple[Floats, np.float32]
) -> tuple[Floats, Floats]:
    """Return inputs [hops, INPUTS] and voicing [hops] of a clip of a session.

    `before` are the sums of traits and the voiced hops of the voice so far.
    """
    clip = features.clip(number)
    sums = before[0] + (clip.traits * clip.voicing[:, None]).cumsum(axis=0)
    hops = before[1] + clip.voicing.cumsum()[:, None]
    differences = clip.traits - baseline_of(sums, hops, clip.traits, average)
    return network_inputs(clip, differences), clip.voicing
