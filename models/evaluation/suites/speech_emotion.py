"""Measures of networks rather than faces.

Of a generator: its parameters, its time on one core, and the phones that its encoder decodes for
unknown voices. Of speech emotion recognition: recall, delay, false detections and time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.emotions import EMOTION_CLASSES, EMOTIONS
from cstalk_bridge.models.evaluation.measures import Measurement
from cstalk_bridge.models.evaluation.predictors import (
    PhoneDecoder,
    StreamingPredictor,
    predict_face,
)
from cstalk_bridge.models.evaluation.recordings import (
    MissingDataError,
    Recording,
    grid,
    in_noise,
    kathleen,
    kokoro,
    ravdess_voices,
)
from cstalk_bridge.models.evaluation.suites.emotion import recall_percent
from cstalk_bridge.models.evaluation.voices import (
    emotional_speech,
    paired_intensities,
    ravdess_spoken,
)
from cstalk_bridge.models.speech_emotion.estimator import (
    HOPS_AT_ONCE,
    EmotionEvidenceStream,
    arousal_trajectory,
    emotion_trajectory,
    recording_evidence,
)
from cstalk_bridge.models.speech_emotion.features import VoiceFeatureExtractor
from cstalk_bridge.models.speech_emotion.weights import (
    OnnxSpeechEmotionNetwork,
    load_speech_emotion,
)
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import telephone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders


def percentile_ms(durations_s: Sequence[float], percent: float) -> float:
    """Return a percentile of durations, in milliseconds; NaN of none."""
    return float(np.percentile(durations_s, percent) * 1000) if len(durations_s) else float("nan")


def real_time_factor(work_s: float, sound_s: float) -> float:
    """Return computing time over duration: below 1 is faster than real time."""
    return work_s / sound_s


PHONE_VOICES = {"ravdess": ravdess_spoken, "kathleen": kathleen, "kokoro": kokoro}


class Phones:
    """Frame accuracy by source; the encoder is 60 ms late at any look-ahead."""

    title = "phones decoded by the encoder, 60 ms late, 33 classes (39 ARPAbet folded, and silence)"
    source = "kathleen"
    is_timed = False

    def __init__(self, folders: Folders, max_clips: int) -> None:
        self._voices: dict[str, list[Recording]] = {}
        missing = []
        for source, load in PHONE_VOICES.items():
            try:
                self._voices[source] = load(folders, max_clips)
            except MissingDataError as error:
                missing.append(str(error))
        if not self._voices:
            raise MissingDataError("; ".join(missing))

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield accuracies in percent, of all frames and of those with speech."""
        del lookahead_ms
        if not isinstance(predictor, PhoneDecoder):
            return
        for source, clips in self._voices.items():
            right, spoken = [], []
            for clip in clips:
                decoded = predictor.phones(clip.sound)
                if decoded is None:
                    return
                true = clip.phone_rows()
                right.append(decoded == true)
                spoken.append(true > 0)
            hits, speech = np.concatenate(right), np.concatenate(spoken)
            yield Measurement(f"phones.{source}", 100 * float(hits.mean()), len(clips))
            in_speech = 100 * float(hits[speech].mean())
            yield Measurement(f"phones.{source}_speech", in_speech, len(clips))


OFFLINE_S = 30.0
STREAMED_S = 10.5
NOISE = 0.1


class Speed:
    """Real-time factor and the time of each streamed hop, on noise."""

    title = "speed on one core of this machine, and size"
    source = ""
    is_timed = False

    def __init__(self, folders: Folders, max_clips: int) -> None:
        del folders, max_clips
        random = np.random.default_rng(0)
        samples = round(OFFLINE_S * SAMPLE_RATE_HZ)
        self._sound = NOISE * random.standard_normal(samples, dtype=np.float32)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield size in millions, the factor, and percentiles of hops in milliseconds."""
        if parameters := getattr(predictor, "parameters", 0):
            yield Measurement("speed.parameters", parameters / 1e6, 1)
        recording = Recording("noise", self._sound, phones=())
        start_s = time.perf_counter()
        predict_face(predictor, recording, lookahead_ms)
        took_s = time.perf_counter() - start_s
        yield Measurement("speed.real_time_factor", real_time_factor(took_s, recording.seconds), 1)
        if isinstance(predictor, StreamingPredictor):
            sound = self._sound[: round(STREAMED_S * SAMPLE_RATE_HZ)]
            hops_s = predictor.hop_durations_s(sound, lookahead_ms, time.perf_counter)
            for percent in (50, 99) if hops_s else ():
                value = percentile_ms(hops_s, percent)
                yield Measurement(f"speed.hop_p{percent}_ms", value, len(hops_s))


if TYPE_CHECKING:
    Sound = NDArray[np.float32]


SHOWN = 0.2
"""Weight from which an estimated emotion is visible."""
AROUSED = 0.1
"""Arousal at which a chosen emotion changes by a tenth."""
READING_CLIPS = 60
SNR_DB = 10.0
LOUDER = 10 ** (12 / 20)
NOISE_S = 120.0
LEFT_OUT = ("calm", "fearful", "disgusted")
"""Emotions of acted clips that are left out: not among the five classes."""


class SpeechEmotion:
    """Clips of actors 17-20, singly and in sequence; neutral reading, noise, tones."""

    title = "estimated emotion of voices (RAVDESS actors 17-20, neutral reading, noise)"
    source = ""
    is_timed = False

    def __init__(self, folders: Folders, max_clips: int) -> None:
        weights = load_speech_emotion()
        self._network = OnnxSpeechEmotionNetwork(weights.description.sizes, weights.tensors)
        self._folders = folders
        clips = ravdess_voices(folders, max_clips)
        self._clips = [clip for clip in clips if clip.emotion not in LEFT_OUT]
        self._turns = emotional_speech(folders, "test", max_clips)
        size = min(READING_CLIPS, max_clips)
        sources = {"kathleen": kathleen, "kokoro": kokoro, "grid": grid}
        self._reading = {name: read(folders, size) for name, read in sources.items()}

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield recalls, detection delays, false detections and the computing time."""
        del predictor, lookahead_ms
        yield from self._clip_recalls()
        yield from self._turn_detections()
        for name, clips in self._reading.items():
            sound = np.concatenate([clip.sound for clip in clips])
            yield Measurement(f"mood.{name}", self._false_percent(sound), len(clips))
        for name, signal in (("noise", _pink(NOISE_S)), ("tones", _chords(NOISE_S))):
            yield Measurement(f"mood.{name}", self._false_percent(signal), 1)
        yield from self._arousals()
        hops_s = self._durations_s(_pink(10.0))
        yield Measurement("mood.hop_ms", percentile_ms(hops_s, 50) / HOPS_AT_ONCE, len(hops_s))

    def _clip_recalls(self) -> Iterator[Measurement]:
        """Yield the recall over clips, each without speech of its voice before it."""
        true = np.array([EMOTION_CLASSES.index(clip.emotion) for clip in self._clips])
        for name, change in _CHANGES.items():
            odds = [self._odds(change(clip)) for clip in self._clips]
            predicted = np.stack(odds).argmax(1)
            yield Measurement(f"mood.{name}", recall_percent(predicted, true), len(true))
            for index, emotion in enumerate(EMOTION_CLASSES) if name == "plain" else ():
                share = 100 * float((predicted[true == index] == index).mean())
                yield Measurement(f"mood.{emotion}", share, int((true == index).sum()))

    def _odds(self, sound: Sound) -> NDArray[np.float32]:
        found = recording_evidence(self._network, sound)
        mean = (found.odds * found.voicing[:, None]).sum(0) / (found.voicing.sum() + 1e-3)
        return np.asarray(mean[: len(EMOTION_CLASSES)])

    def _turn_detections(self) -> Iterator[Measurement]:
        """Yield what is detected when an actor who spoke calmly continues in an emotion."""
        calm = {turn.name: turn.sound for turn in self._turns if turn.emotion == EMOTION_CLASSES[0]}
        delays_s, right, wrong, turns = [], [], [], 0
        for turn in self._turns:
            if turn.emotion == EMOTION_CLASSES[0] or turn.name not in calm:
                continue
            turns += 1
            before = calm[turn.name]
            shown = emotion_trajectory(
                recording_evidence(self._network, np.concatenate((before, turn.sound)))
            )
            shown = shown[len(before) // HOP_SAMPLES :]
            own = EMOTIONS.index(turn.emotion)
            found = np.flatnonzero(shown[:, own] >= SHOWN)
            delays_s += [float(found[0] * HOP_S)] if len(found) else []
            others = np.delete(shown, own, 1).max(1)
            right.append(float((shown[:, own] >= SHOWN).mean()))
            wrong.append(float((others >= SHOWN).mean()))
        if turns:
            yield Measurement("mood.found", 100 * len(delays_s) / turns, turns)
            yield Measurement("mood.found_s", float(np.median(delays_s or [np.nan])), len(delays_s))
            yield Measurement("mood.right_time", 100 * float(np.mean(right)), turns)
            yield Measurement("mood.wrong_time", 100 * float(np.mean(wrong)), turns)

    def _arousals(self) -> Iterator[Measurement]:
        """Yield the share of strong acting more aroused than normal, after neutral speech."""
        pairs = paired_intensities(self._folders)
        above = [
            float(_aroused(calm, strong) > _aroused(calm, normal)) for calm, normal, strong in pairs
        ]
        yield Measurement("mood.arousal", 100 * float(np.mean(above or [np.nan])), len(above))
        for name, clips in self._reading.items():
            arousal = np.abs(arousal_trajectory(np.concatenate([clip.sound for clip in clips])))
            share = 100 * float((arousal >= AROUSED).mean())
            yield Measurement(f"mood.arousal_{name}", share, len(clips))

    def _false_percent(self, sound: Sound) -> float:
        """Return the share of time with a visible emotion, in percent."""
        shown = emotion_trajectory(recording_evidence(self._network, sound))
        return 100 * float((shown.max(1) >= SHOWN).mean())

    def _durations_s(self, sound: Sound) -> list[float]:
        extractor, stream = VoiceFeatureExtractor(), EmotionEvidenceStream(self._network)
        size = HOPS_AT_ONCE * HOP_SAMPLES
        durations_s = []
        for start in range(0, len(sound) - size + 1, size):
            begin_s = time.perf_counter()
            stream.step(extractor.process(sound[start : start + size]))
            durations_s.append(time.perf_counter() - begin_s)
        return durations_s[len(durations_s) // 10 :]


def _aroused(before: Sound, sound: Sound) -> float:
    """Return the mean arousal of `sound` after `before`, of the same voice."""
    arousal = arousal_trajectory(np.concatenate((before, sound)))
    return float(np.mean(arousal[len(before) // HOP_SAMPLES :]))


def _telephone(clip: Recording) -> Sound:
    line = telephone(torch.from_numpy(clip.sound)[None], torch.Generator())
    return np.asarray(line[0].numpy())


_CHANGES: Mapping[str, Callable[[Recording], Sound]] = {
    "plain": lambda clip: clip.sound,
    "louder": lambda clip: np.clip(clip.sound * np.float32(LOUDER), -1.0, 1.0),
    "softer": lambda clip: clip.sound / np.float32(LOUDER),
    "telephone": _telephone,
    "noisy": lambda clip: in_noise(clip, SNR_DB, 7).sound,
}


def _pink(seconds: float) -> Sound:
    samples = round(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal(samples))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), samples)
    return np.asarray(0.1 * noise / noise.std(), dtype=np.float32)


def _chords(seconds: float) -> Sound:
    """Return chords of four steps, half a second each, with overtones as instruments have."""
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    step = (2 * times_s).astype(int) % 4
    sound = np.zeros(len(times_s))
    for root_hz in (_FIRST_HZ, _FIRST_HZ * 1.25, _FIRST_HZ * 1.5):
        pitch_hz = root_hz * np.array(_STEPS)[step]
        phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
        sound += sum(np.sin(k * phase) / k**2 for k in range(1, 7))
    fading = np.exp(-3.0 * (2 * times_s % 1.0))
    return np.asarray(0.1 * fading * sound, dtype=np.float32)


_FIRST_HZ = 196.0
_STEPS: Sequence[float] = (1.0, 4 / 3, 3 / 2, 9 / 8)
