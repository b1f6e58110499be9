"""The emotion of a subject: blend weights eased over time, and the influence of its voice,
estimated hop by hop.

Users write `happy:0.7, sad:0.2` or a mapping of names to weights. Where there is a voice, two more
names are allowed: `auto`, the emotion estimated from the voice, and `arousal`, by which the chosen
weights rise while the voice is louder and higher than its running baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from cstalk_bridge.document import FieldError
from cstalk_bridge.face.procedural.motion import ease
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT, MOUTH_GUARD
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.speech_emotion.estimator import (
    HOPS_AT_ONCE,
    ArousalEstimator,
    EmotionEvidenceStream,
    EmotionIntegrator,
)
from cstalk_bridge.models.speech_emotion.features import VoiceFeatureExtractor
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork
    from cstalk_bridge.settings.face import FaceSettings


NO_EMOTION = np.zeros(len(EMOTIONS), dtype=np.float32)


class EmotionEstimator:
    """Estimates the emotion of one voice; without a network its arousal only.

    Live hops are processed `HOPS_AT_ONCE` at a time and their estimates returned one by one, a
    tenth of a second later, so that the estimate moves with every hop. Belongs to the inference
    thread.
    """

    def __init__(self, network: OnnxSpeechEmotionNetwork | None) -> None:
        self._extractor = VoiceFeatureExtractor()
        self._arousal = ArousalEstimator()
        self._stream = None if network is None else EmotionEvidenceStream(network)
        self._integrator = EmotionIntegrator()
        self._samples = np.zeros((HOPS_AT_ONCE, HOP_SAMPLES), dtype=np.float32)
        self._place = 0
        self._estimates = [EstimatedEmotion(NO_EMOTION, 0.0)] * HOPS_AT_ONCE
        if network is not None:  # warms it up, so that the first real step is not the slowest
            EmotionEvidenceStream(network).step(
                VoiceFeatureExtractor().process(self._samples.reshape(-1))
            )

    def step(self, samples: NDArray[np.float32]) -> EstimatedEmotion:
        """Process the next hop, float32 [320] at 16 kHz and finite; return the present estimate."""
        estimate = self._estimates[self._place]
        self._samples[self._place] = samples
        self._place = (self._place + 1) % HOPS_AT_ONCE
        if not self._place:
            self._estimates = self.process(self._samples.reshape(-1))
        return estimate

    def process(self, samples: NDArray[np.float32]) -> list[EstimatedEmotion]:
        """Process any number of hops, float32 [hops * 320]; return the estimate after each."""
        features = self._extractor.process(samples)
        arousal = self._arousal.step(features)
        if self._stream is None:
            return [EstimatedEmotion(NO_EMOTION, one) for one in arousal]
        weights = self._integrator.update(self._stream.step(features))
        return [EstimatedEmotion(*pair) for pair in zip(weights, arousal, strict=True)]


AUTO = "auto"
"""In place of an emotion: the estimated one, as far as the others of the mix leave room."""
AROUSAL = "arousal"
"""How far the other weights of the mix rise and fall with the arousal of the voice."""


@dataclass(frozen=True, slots=True)
class VoiceWeights:
    """How far the voice influences a mix of emotions; 0 is not at all.

    `auto` weights the estimated emotion, `arousal` the estimated arousal.
    """

    auto: float = 0.0
    arousal: float = 0.0

    @classmethod
    def of(cls, mix: Mapping[str, float]) -> VoiceWeights:
        """Return the weights of `auto` and `arousal` in a mix, 0 where they are not in it."""
        return cls(mix.get(AUTO, 0.0), mix.get(AROUSAL, 0.0))

    @property
    def is_active(self) -> bool:
        """Whether the voice influences the mix at all."""
        return self.auto > 0.0 or self.arousal > 0.0


@dataclass(frozen=True, slots=True, eq=False)
class EstimatedEmotion:
    """Emotion estimated from a voice: weights, float32 [emotions], 0..1, and arousal, -1..1."""

    weights: NDArray[np.float32]
    arousal: float

    def blend(
        self, chosen: NDArray[np.float32], voice_weights: VoiceWeights
    ) -> NDArray[np.float32]:
        """Return a chosen mix, float32 [emotions], blended with this estimate.

        The chosen weights are multiplied by 1 + arousal, to at most `MAX_WEIGHT`; the estimated
        ones fill what the chosen leave of 1. A chosen neutral leaves no room either.
        """
        scaled = np.clip(chosen * (1.0 + voice_weights.arousal * self.arousal), 0.0, MAX_WEIGHT)
        left = max(0.0, 1.0 - float(chosen.sum()))
        return np.asarray(scaled + voice_weights.auto * left * self.weights, dtype=np.float32)


def _emotion_hint(names: Sequence[str]) -> str:
    return f"use {', '.join(names)}, each with a weight from 0 to {MAX_WEIGHT:g}"


def read_emotion_weights(value: Any, names: Sequence[str] = EMOTIONS) -> Any:
    """Parse `happy:0.7, sad:0.2` to weights by name; a name alone has weight 1.

    Other values than text are returned unchanged, None as the empty mix. FieldError with every
    fault.
    """
    if not isinstance(value, str):
        return {} if value is None else value
    mix: dict[str, float] = {}
    faults = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, weight = (piece.strip() for piece in part.partition(":"))
        if name in mix:
            faults.append(f"{name} is given twice")
        try:
            known = _known_emotion(name, names)
            mix[known] = _read_weight(weight or "1")
        except FieldError as error:
            faults.append(f"{part}: {error.what}")
    if faults:
        raise FieldError("; ".join(faults), _emotion_hint(names))
    return mix


def _read_weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= MAX_WEIGHT:
        raise FieldError(f"the weight must be a number from 0 to {MAX_WEIGHT:g}, found {text}")
    return weight


def _known_emotion(name: str, names: Sequence[str] = EMOTIONS) -> str:
    if name not in names:
        raise FieldError(f"there is no emotion {name!r}", _emotion_hint(names))
    return name


EmotionName = Annotated[str, AfterValidator(_known_emotion)]
EmotionWeight = Annotated[float, Field(ge=0.0, le=MAX_WEIGHT, allow_inf_nan=False)]
EmotionWeights = Annotated[dict[EmotionName, EmotionWeight], BeforeValidator(read_emotion_weights)]

_VOICED_NAMES = (*EMOTIONS, AUTO, AROUSAL)
VoicedEmotionName = Annotated[str, AfterValidator(partial(_known_emotion, names=_VOICED_NAMES))]
VoicedEmotionWeights = Annotated[
    dict[VoicedEmotionName, EmotionWeight],
    BeforeValidator(partial(read_emotion_weights, names=_VOICED_NAMES)),
]
"""A mix that may also contain `auto` and `arousal`."""


def chosen_weights(mix: Mapping[str, float]) -> dict[str, float]:
    """Return a mix without `auto` and `arousal`."""
    return {name: weight for name, weight in mix.items() if name in EMOTIONS}


V = TypeVar("V", float, "NDArray[np.float32]")

TRANSITION_MS: float = setting("transition_ms").default
"""Default duration of a change of emotion: as fast as faces change by themselves, and slow enough
that no frame jumps."""

NO_VOICE_WEIGHTS = VoiceWeights()


@dataclass(frozen=True, slots=True)
class Fade(Generic[V]):
    """An eased transition from one value to another: a number, or float32 [emotions].

    It begins at `start_s` on the host clock and takes `over_s` seconds; 0 is a cut. Each number
    moves in one direction, never back and never beyond its end: `ease` is monotonic, and so are the
    product with a constant and the sum with one, rounded or not.
    """

    start: V
    end: V
    start_s: float
    over_s: float

    def at(self, now_s: float) -> V:
        """Return the value at host time `now_s`."""
        if now_s >= self.start_s + self.over_s:
            return self.end
        if now_s <= self.start_s:  # possible with the clock of another thread, also for a cut
            return self.start
        share = ease((now_s - self.start_s) / self.over_s)
        return _clamped(self.start + (self.end - self.start) * share, self.start, self.end)

    def redirect(self, end: V, now_s: float, over_s: float) -> Fade[V]:
        """Return a fade from the value at host time `now_s` to another end."""
        return Fade(start=self.at(now_s), end=end, start_s=now_s, over_s=over_s)


def _clamped(value: V, start: V, end: V) -> V:
    """Return a value within its two ends, beyond which rounding may have put it."""
    if isinstance(value, float):
        return min(max(value, min(start, end)), max(start, end))
    return np.clip(value, np.minimum(start, end), np.maximum(start, end))


class MouthGuard(Protocol):
    """Settings that hold a mouth guard: those of a subject, or of a take."""

    @property
    def mouth_guard(self) -> float:
        """Share of the emotion's mouth that full speech replaces, 0..1."""


def check_face_settings(generator: Generator, settings: Mapping[str, MouthGuard]) -> None:
    """Raise UserError for all settings that the network does not support.

    `settings` are those of a face by where the user set them, "" for the command line.
    """
    problems = []
    for where, face in settings.items():
        try:
            generator.check_guard(face.mouth_guard)
        except ValueError as error:
            problems.append(Problem(where or setting("mouth_guard").flag, str(error)))
    if problems:
        raise UserError.of(problems)


class EmotionState:
    """The emotion of a subject on the host clock: chosen weights, eased, and those of its voice.

    `weights` is float32 [emotions], 0 to `MAX_WEIGHT` each; all zero is neutral. `mouth_guard`,
    0..1, is the viseme priority: the share of the emotion's mouth that full speech overrides.
    `transition_s` is the default duration of a change. `estimate` is the emotion estimated from the
    voice, None without an estimator; `voice_weights` are its influence. One thread at a time may
    change the state while others read it; `estimate` is written by the inference thread.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        *,
        mouth_guard: float = MOUTH_GUARD,
        transition_s: float = 1e-3 * TRANSITION_MS,
        voice_weights: VoiceWeights = NO_VOICE_WEIGHTS,
    ) -> None:
        self.transition_s = transition_s
        self.estimate: EstimatedEmotion | None = None
        self._fade = Fade(weights, weights, start_s=0.0, over_s=0.0)
        self._guard = Fade(mouth_guard, mouth_guard, start_s=0.0, over_s=0.0)
        self._auto = Fade(voice_weights.auto, voice_weights.auto, start_s=0.0, over_s=0.0)
        self._arousal = Fade(voice_weights.arousal, voice_weights.arousal, start_s=0.0, over_s=0.0)

    @classmethod
    def of(
        cls, weights: NDArray[np.float32], face: FaceSettings, voice_weights: VoiceWeights
    ) -> EmotionState:
        """Return the state of a subject with these settings."""
        transition_s = 1e-3 * face.transition_ms
        return cls(
            weights,
            mouth_guard=face.mouth_guard,
            transition_s=transition_s,
            voice_weights=voice_weights,
        )

    @property
    def mouth_guard(self) -> float:
        """The mouth guard, once it is eased in."""
        return self._guard.end

    @property
    def voice_weights(self) -> VoiceWeights:
        """The influence of the voice at the end of the present transition."""
        return VoiceWeights(self._auto.end, self._arousal.end)

    def change(
        self, weights: NDArray[np.float32], now_s: float, over_s: float | None = None
    ) -> None:
        """Ease to `weights`, float32 [emotions], within `over_s` or the default transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._fade = self._fade.redirect(weights, now_s, within_s)

    def change_guard(self, mouth_guard: float, now_s: float, over_s: float | None = None) -> None:
        """Ease to another mouth guard, 0..1, within `over_s` or the default transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._guard = self._guard.redirect(mouth_guard, now_s, within_s)

    def change_voice_weights(
        self, voice_weights: VoiceWeights, now_s: float, over_s: float | None = None
    ) -> None:
        """Ease to another influence of the voice within `over_s` or the default transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._auto = self._auto.redirect(voice_weights.auto, now_s, within_s)
        self._arousal = self._arousal.redirect(voice_weights.arousal, now_s, within_s)

    def at(self, now_s: float) -> NDArray[np.float32]:
        """Return the weights at host time `now_s`, estimated ones included, float32 [emotions]."""
        estimate, chosen = self.estimate, self._fade.at(now_s)
        return (
            chosen
            if estimate is None
            else estimate.blend(chosen, VoiceWeights(self._auto.at(now_s), self._arousal.at(now_s)))
        )

    def guard_at(self, now_s: float) -> float:
        """Return the mouth guard at host time `now_s`."""
        return self._guard.at(now_s)
