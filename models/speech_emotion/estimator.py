"""Estimates emotion and arousal of one voice as it comes.

The emotion goes from evidence of single hops to an estimate that holds: slow, steady, and neutral
without a reason. However many hops come at once, the numbers are the same.

Arousal is how much louder and higher a voice is than its baseline; nothing is learnt for it.
Loudness and pitch that rise together are the best known signs of arousal in a voice (Scherer 2003,
Juslin and Laukka 2003). It tells no emotion: anger and joy are both loud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.cstalk.features import SPREAD
from cstalk_bridge.models.emotions import EMOTIONS
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
    """How far a voice speaks for each emotion.

    `odds` is float32 [hops, emotions], logarithms up to one number common to a row; `voicing`,
    float32 [hops], 0..1, is how far a hop is a voice at all: what it weighs.
    """

    odds: NDArray[np.float32]
    voicing: NDArray[np.float32]


class EmotionEvidenceStream:
    """One voice, heard as it comes."""

    def __init__(self, network: OnnxSpeechEmotionNetwork) -> None:
        self._network = network
        self._usual = SpeakerBaseline(network.average)
        self._past = network.silent_past

    def step(self, heard: VoiceFeatures) -> EmotionEvidence:
        """Take the features of the next hops, one or more."""
        inputs = network_inputs(heard, self._usual.hear(heard))
        odds, self._past = self._network.advance(inputs, self._past)
        return EmotionEvidence(odds, heard.voicing)


def recording_evidence(
    network: OnnxSpeechEmotionNetwork, sound: NDArray[np.float32]
) -> EmotionEvidence:
    """Return the evidence of a whole recording, mono 16 kHz [time], one row a begun hop."""
    stream = EmotionEvidenceStream(network)
    heard = [stream.step(features) for features in recording_features(sound)]
    odds = [np.zeros((0, len(EMOTIONS)), dtype=np.float32), *(h.odds for h in heard)]
    voicing = [np.zeros(0, dtype=np.float32), *(h.voicing for h in heard)]
    return EmotionEvidence(np.concatenate(odds), np.concatenate(voicing))


MEMORY_S = 2.5
"""Time constant, in seconds of voice, with which older evidence counts less."""
FORGET_S = 25.0
"""Time constant, in seconds of any kind, with which a mood is forgotten by one who is silent."""
DOUBT_S = 0.4
"""Seconds of neutral voice that are supposed to have been heard at any time."""
TRUST = 3.0
"""What the mean evidence is multiplied by: seconds of voice tell more than the one clip, a second
and a half of voice, by which the odds were learnt."""
NEUTRAL_ODDS = 2.3
"""Logarithm of the odds of neutral against each emotion before anything is heard."""
SHOWN_FROM, SHOWN_FULL = 0.4, 0.75
"""Probability from which an emotion begins to show, and at which it shows in full."""
HOPS_AT_ONCE = 5
"""Hops that are best heard at once: a mood does not hurry, and one by one they cost thrice that."""
EASE_S = 0.8
"""Time constant of what is shown, twice over: no step and no corner."""

SHOWN = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dtype=np.float64)
"""The emotions that can show, in the order of `EMOTIONS`.

Fear and disgust compete for the evidence but do not show: heard in strangers' voices they are
wrong more often than right.
"""

_NEUTRAL = EMOTIONS.index("neutral")
_EASE = 1.0 - math.exp(-HOP_S / EASE_S)
_FORGET = math.exp(-HOP_S / FORGET_S)


class EmotionIntegrator:
    """The mood of one voice; `take` is called with its hops in order."""

    def __init__(self) -> None:
        self._sum = np.zeros(len(EMOTIONS))
        self._heard_s = 0.0
        self._waiting = np.zeros(len(EMOTIONS))
        self._shown = np.zeros(len(EMOTIONS))

    def take(self, evidence: EmotionEvidence) -> NDArray[np.float32]:
        """Take the evidence of some hops; return the mood after each, float32 [hops, emotions].

        Weights are 0..1; neutral's is always 0, for the neutral face is the one without any.
        Evidence that is not finite is no evidence.
        """
        shown = np.zeros(evidence.odds.shape, dtype=np.float32)
        shares = np.clip(
            (self._probable(evidence) - SHOWN_FROM) / (SHOWN_FULL - SHOWN_FROM), 0.0, 1.0
        )
        for place, goal in enumerate(SHOWN * shares):
            self._waiting += _EASE * (goal - self._waiting)
            self._shown += _EASE * (self._waiting - self._shown)
            shown[place] = self._shown
        return shown

    def _probable(self, evidence: EmotionEvidence) -> NDArray[np.float64]:
        """Take evidence; return how probable each emotion is after each hop, rows of sum 1."""
        is_finite = np.asarray(np.isfinite(evidence.odds).all(axis=1, keepdims=True))
        odds = np.where(is_finite, evidence.odds, 0.0)
        weights_s = HOP_S * evidence.voicing * is_finite[:, 0]
        told = weights_s[:, None] * (odds - odds.mean(axis=1, keepdims=True))
        keeps = _FORGET * np.exp(-weights_s / MEMORY_S)
        sums, heard_s = np.zeros(odds.shape), np.zeros((len(odds), 1))
        hops = zip(keeps.tolist(), weights_s.tolist(), told, strict=True)
        for place, (keep, weight_s, new) in enumerate(hops):
            self._sum = keep * self._sum + new
            self._heard_s = keep * self._heard_s + weight_s
            sums[place], heard_s[place] = self._sum, self._heard_s
        scores = TRUST * sums / (heard_s + DOUBT_S)
        scores[:, _NEUTRAL] += NEUTRAL_ODDS
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def emotion_trajectory(evidence: EmotionEvidence) -> NDArray[np.float32]:
    """Return the mood at each hop of a recording, float32 [hops, emotions], weights 0..1."""
    return EmotionIntegrator().take(evidence)


RECENT_S = 2.0
"""Time constant, in seconds of voice, of what counts as now."""
BASELINE_S = 90.0
"""Time constant, in seconds of voice, of what a voice usually does."""
KNOWN_S = 4.0
"""Seconds of voice after which half is made of how it differs; before, what is usual is a guess."""
FULL_DB, FULL_OCTAVES = 8.0, 0.5
"""A rise in level, or in pitch, that alone is half of full arousal."""
CALM = 0.2
"""What a voice differs anyway; less than this is nothing."""
AROUSAL_FORGET_S = 8.0
"""Time constant with which arousal ebbs in one who is silent."""
AROUSAL_EASE_S = 0.4
"""Time constant of what is told."""
_DB = 10.0 / math.log(10.0) * SPREAD
"""Decibels in a unit of the level."""


class ArousalEstimator:
    """The arousal of one voice, heard as it comes."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._recent = 0.0
        self._heard_s = 0.0
        self._goal = 0.0
        self._told = 0.0

    def step(self, heard: VoiceFeatures) -> list[float]:
        """Take the features of the next hops; return arousal -1..1 after each."""
        levels, pitches = heard.traits[:, LEVEL], heard.traits[:, PITCH]
        tones = levels * (_DB / FULL_DB) + pitches * (1.0 / FULL_OCTAVES)
        return list(map(self._take, tones.tolist(), heard.voicing.tolist()))

    def _take(self, tone: float, voicing: float) -> float:
        """Take level and pitch of a hop, together, in units of half an arousal."""
        if voicing > 0.0:
            voiced_s = HOP_S * voicing
            self._heard_s += voiced_s
            self._usual += _share(voiced_s, BASELINE_S, self._heard_s) * (tone - self._usual)
            self._recent += _share(voiced_s, RECENT_S, self._heard_s) * (tone - self._recent)
            known = self._heard_s / (self._heard_s + KNOWN_S)
            above = 0.5 * known * (self._recent - self._usual)
            beyond = math.copysign(max(0.0, abs(above) - CALM), above)
            self._goal = min(max(beyond, -1.0), 1.0)
        else:
            self._goal -= HOP_S / AROUSAL_FORGET_S * self._goal
        self._told += HOP_S / AROUSAL_EASE_S * (self._goal - self._told)
        return self._told


def arousal_trajectory(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return arousal -1..1 of a whole recording, mono 16 kHz [time], one value a begun hop."""
    arousal = ArousalEstimator()
    return np.array([one for heard in recording_features(sound) for one in arousal.step(heard)])


def _share(voiced_s: float, time_s: float, heard_s: float) -> float:
    """Return how far a mean goes to what is new; at first all counts alike."""
    return max(voiced_s / time_s, voiced_s / heard_s)
