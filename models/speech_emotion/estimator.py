"""Estimates the emotion and the arousal of one voice, hop by hop.

The evidence of single hops is integrated into an estimate that is slow, steady, and neutral unless
there is evidence. The result does not depend on how many hops are processed at once.

Arousal is how much louder and higher a voice is than its baseline; it needs no training. Loudness
and pitch that rise together are the best known signs of arousal in a voice (Scherer 2003, Juslin
and Laukka 2003). Arousal does not distinguish emotions: anger and joy are both loud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.features import SPREAD
from cstalk_bridge.models.speech_emotion.features import (
    LEVEL,
    PITCH,
    SpeakerBaseline,
    network_inputs,
    recording_features,
)
from cstalk_bridge.models.timing import HOP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.speech_emotion.features import VoiceFeatures
    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork


@dataclass(frozen=True, slots=True, eq=False)
class EmotionEvidence:
    """Evidence of a voice for each emotion.

    `odds` is float32 [hops, emotions], log odds up to a constant of each row; `voicing`, float32
    [hops], 0..1, is the degree to which a hop is voiced, which is its weight.
    """

    odds: NDArray[np.float32]
    voicing: NDArray[np.float32]


class EmotionEvidenceStream:
    """Computes the evidence of one voice, hop by hop."""

    def __init__(self, network: OnnxSpeechEmotionNetwork) -> None:
        self._network = network
        self._baseline = SpeakerBaseline(network.average)
        self._past = network.silent_past

    def step(self, features: VoiceFeatures) -> EmotionEvidence:
        """Return the evidence of the next hops, one or more."""
        inputs = network_inputs(features, self._baseline.update(features))
        odds, self._past = self._network.advance(inputs, self._past)
        return EmotionEvidence(odds, features.voicing)


def recording_evidence(
    network: OnnxSpeechEmotionNetwork, sound: NDArray[np.float32]
) -> EmotionEvidence:
    """Return the evidence of a whole recording, mono 16 kHz [time], a row for each started hop."""
    stream = EmotionEvidenceStream(network)
    pieces = [stream.step(features) for features in recording_features(sound)]
    odds = [np.zeros((0, len(EMOTIONS)), dtype=np.float32), *(piece.odds for piece in pieces)]
    voicing = [np.zeros(0, dtype=np.float32), *(piece.voicing for piece in pieces)]
    return EmotionEvidence(np.concatenate(odds), np.concatenate(voicing))


MEMORY_S = 2.5
"""Time constant of the decay of evidence while the voice speaks, in seconds of voice."""
FORGET_S = 25.0
"""Time constant of the decay of evidence at any time, also in silence, in seconds."""
PRIOR_S = 0.4
"""Seconds of neutral voice that are assumed as a prior."""
EVIDENCE_GAIN = 3.0
"""Gain of the mean evidence: the odds were trained on single clips of 1.5 s of voice, and longer
speech is more certain."""
NEUTRAL_ODDS = 2.3
"""Prior log odds of neutral against each emotion."""
SHOWN_FROM, SHOWN_FULL = 0.4, 0.75
"""Probability above which an emotion is shown, and that at which its weight is 1."""
HOPS_AT_ONCE = 5
"""Hops that are best processed at once: singly they cost three times as much, and the estimate is
slow anyway."""
EASE_S = 0.8
"""Time constant of each of the two low-pass filters of the shown weights."""

SHOWN = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dtype=np.float64)
"""1 for the emotions that can be shown, in the order of `EMOTIONS`.

Fear and disgust compete for the evidence but are not shown: on unknown voices they are wrong more
often than right.
"""

_NEUTRAL = EMOTIONS.index("neutral")
_EASE = 1.0 - math.exp(-HOP_S / EASE_S)
_FORGET = math.exp(-HOP_S / FORGET_S)


class EmotionIntegrator:
    """Integrates the evidence of one voice, in order, into emotion weights."""

    def __init__(self) -> None:
        self._sum = np.zeros(len(EMOTIONS))
        self._voiced_s = 0.0
        self._first_stage = np.zeros(len(EMOTIONS))
        self._shown = np.zeros(len(EMOTIONS))

    def update(self, evidence: EmotionEvidence) -> NDArray[np.float32]:
        """Add the evidence of some hops; return the weights after each, float32 [hops, emotions].

        Weights are 0..1; neutral's is always 0, since the neutral face has no weights. Evidence
        that is not finite is ignored.
        """
        shown = np.zeros(evidence.odds.shape, dtype=np.float32)
        strengths = np.clip(
            (self._probabilities(evidence) - SHOWN_FROM) / (SHOWN_FULL - SHOWN_FROM), 0.0, 1.0
        )
        for place, goal in enumerate(SHOWN * strengths):
            self._first_stage += _EASE * (goal - self._first_stage)
            self._shown += _EASE * (self._first_stage - self._shown)
            shown[place] = self._shown
        return shown

    def _probabilities(self, evidence: EmotionEvidence) -> NDArray[np.float64]:
        """Add evidence; return the probability of each emotion after each hop, rows of sum 1."""
        is_finite = np.asarray(np.isfinite(evidence.odds).all(axis=1, keepdims=True))
        odds = np.where(is_finite, evidence.odds, 0.0)
        weights_s = HOP_S * evidence.voicing * is_finite[:, 0]
        weighted = weights_s[:, None] * (odds - odds.mean(axis=1, keepdims=True))
        keeps = _FORGET * np.exp(-weights_s / MEMORY_S)
        sums, voiced_s = np.zeros(odds.shape), np.zeros((len(odds), 1))
        hops = zip(keeps.tolist(), weights_s.tolist(), weighted, strict=True)
        for place, (keep, weight_s, new) in enumerate(hops):
            self._sum = keep * self._sum + new
            self._voiced_s = keep * self._voiced_s + weight_s
            sums[place], voiced_s[place] = self._sum, self._voiced_s
        scores = EVIDENCE_GAIN * sums / (voiced_s + PRIOR_S)
        scores[:, _NEUTRAL] += NEUTRAL_ODDS
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def emotion_trajectory(evidence: EmotionEvidence) -> NDArray[np.float32]:
    """Return the weights after each hop of a recording, float32 [hops, emotions], 0..1."""
    return EmotionIntegrator().update(evidence)


RECENT_S = 2.0
"""Time constant of the recent mean, in seconds of voice."""
BASELINE_S = 90.0
"""Time constant of the speaker's baseline, in seconds of voice."""
KNOWN_S = 4.0
"""Seconds of voice after which the difference from the baseline counts half: it is uncertain at
first."""
FULL_DB, FULL_OCTAVES = 8.0, 0.5
"""A rise in level, or in pitch, that alone gives half of full arousal."""
DEAD_ZONE = 0.2
"""Arousal below this is 0: every voice varies that much."""
AROUSAL_FORGET_S = 8.0
"""Time constant of the decay of arousal in silence, in seconds."""
AROUSAL_EASE_S = 0.4
"""Time constant of the low-pass filter of the result, in seconds."""
_DB = 10.0 / math.log(10.0) * SPREAD
"""Decibels per unit of the level."""


class ArousalEstimator:
    """Estimates the arousal of one voice, hop by hop."""

    def __init__(self) -> None:
        self._baseline = 0.0
        self._recent = 0.0
        self._voiced_s = 0.0
        self._goal = 0.0
        self._arousal = 0.0

    def step(self, features: VoiceFeatures) -> list[float]:
        """Return the arousal, -1..1, after each of the next hops."""
        levels, pitches = features.traits[:, LEVEL], features.traits[:, PITCH]
        tones = levels * (_DB / FULL_DB) + pitches * (1.0 / FULL_OCTAVES)
        return list(map(self._update, tones.tolist(), features.voicing.tolist()))

    def _update(self, tone: float, voicing: float) -> float:
        """Add the level and pitch of a hop, summed in units of half of full arousal."""
        if voicing > 0.0:
            voiced_s = HOP_S * voicing
            self._voiced_s += voiced_s
            self._baseline += _gain(voiced_s, BASELINE_S, self._voiced_s) * (tone - self._baseline)
            self._recent += _gain(voiced_s, RECENT_S, self._voiced_s) * (tone - self._recent)
            known = self._voiced_s / (self._voiced_s + KNOWN_S)
            above = 0.5 * known * (self._recent - self._baseline)
            beyond = math.copysign(max(0.0, abs(above) - DEAD_ZONE), above)
            self._goal = min(max(beyond, -1.0), 1.0)
        else:
            self._goal -= HOP_S / AROUSAL_FORGET_S * self._goal
        self._arousal += HOP_S / AROUSAL_EASE_S * (self._goal - self._arousal)
        return self._arousal


def arousal_trajectory(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return arousal -1..1 of a whole recording, mono 16 kHz [time], a value a started hop."""
    estimator = ArousalEstimator()
    pieces = map(estimator.step, recording_features(sound))
    return np.array([arousal for piece in pieces for arousal in piece])


def _gain(voiced_s: float, time_constant_s: float, total_s: float) -> float:
    """Return the weight of a new value in a running mean; a plain mean at first."""
    return max(voiced_s / time_constant_s, voiced_s / total_s)
