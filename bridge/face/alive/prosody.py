"""How a voice speaks: loudness, melody, stress and pauses, hop by hop and causal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_S, HOP_SAMPLES
from bridge.audio.level import FLOOR_DB
from bridge.face.alive.pitch import PitchTracker, search
from bridge.face.alive.syllables import Syllables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SMOOTHING = 0.35
"""Share of a hop's level that the smoothed level takes over: 50 ms."""
QUIETEST_DB = -55.0
"""Level below which nothing is speech, however quiet the room."""
SPEECH_OVER_FLOOR_DB = 9.0
"""Speech begins this far above the noise of the room."""
FIRST_FLOOR_DB = -30.0
"""The first hop is taken for the noise of the room up to this level."""
FLOOR_RISE_DB_S = 2.0
"""Speed at which the noise floor follows a louder room; a quieter one it follows at once."""
CEILING_FALL_DB_S = 0.3
"""Speed at which the loudest level of a voice is forgotten."""
MIN_SPAN_DB = 15.0
"""Least span of levels between the softest and the loudest of a voice."""
CLOSURE_S = 0.18
"""Silence that is still speech: the closure of a plosive."""
PHRASE_PAUSE_S = 0.28
MIN_PHRASE_S = 0.4
"""A pause this long after speech this long ends a phrase."""
MELODY_S = 8.0
"""Time over which the usual pitch of a voice is learnt."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """What a voice does in one hop.

    `level`, 0..1, goes from the noise of the room to the loudest of this voice. `melody` is F0 in
    semitones above (+) or below the voice's usual pitch, held while unvoiced and fallen to 0 in
    pauses. `pause_s` is the time since the last speech: 0 while it speaks, infinite before.
    `stresses` and `phrases` count the stressed syllables and the ends of phrases since the start;
    `stress`, 0..1, is how strong the last of them was. `syllables_hz` is the rate of speech.
    """

    level: float = 0.0
    f0_hz: float = 0.0
    melody: float = 0.0
    pause_s: float = math.inf
    stress: float = 0.0
    stresses: int = 0
    phrases: int = 0
    syllables_hz: float = 0.0

    @property
    def is_speaking(self) -> bool:
        """Whether there is speech in this hop."""
        return self.pause_s == 0.0

    def silent(self, seconds: float) -> Prosody:
        """Return what the voice does when nothing more was heard of it for so long."""
        return replace(self, level=0.0, f0_hz=0.0, melody=0.0, pause_s=self.pause_s + seconds)


SILENCE = Prosody()


class ProsodyTracker:
    """Hears the hops of one voice."""

    def __init__(self) -> None:
        self._pitch = PitchTracker()
        self._syllables = Syllables()
        self._smooth_db = FIRST_FLOOR_DB
        self._floor_db = FIRST_FLOOR_DB
        self._ceiling_db = QUIETEST_DB + 10.0
        self._usual_pitch = 0.0
        self._voiced_s = 0.0
        self._melody = 0.0
        self._silent_s = math.inf
        self._phrase_s = 0.0
        self._phrases = 0

    def step(self, samples: NDArray[np.float32]) -> Prosody:
        """Hear the next hop, float32 [320] at 16 kHz and finite, and say what the voice does."""
        (prosody,) = self.hear(samples)
        return prosody

    def hear(self, samples: NDArray[np.float32]) -> list[Prosody]:
        """Hear some hops at once, float32 [hops * 320]: what `step` says of one after the other."""
        (prosodies,) = track([self], samples[None])
        return prosodies

    def windows(self, samples: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Take the next hops; return the window in which the pitch of each is searched, [768]."""
        return self._pitch.windows(samples)

    def take(self, db: float, f0_hz: float) -> Prosody:
        """Take the level in dBFS and the pitch of a hop, 0 without one; say what the voice does."""
        self._smooth_db += SMOOTHING * (db - self._smooth_db)
        level = self._level(db)
        is_loud = self._smooth_db > self._bottom_db
        self._phrase(is_loud=is_loud)
        pause_s = 0.0 if self._silent_s < CLOSURE_S else self._silent_s
        self._sing(f0_hz if is_loud else 0.0, pause_s)
        syllables = self._syllables
        syllables.step(db, self._melody, is_voiced=is_loud and f0_hz > 0.0, is_speaking=not pause_s)
        return Prosody(
            level=level if pause_s == 0.0 else 0.0,
            f0_hz=f0_hz if is_loud else 0.0,
            melody=self._melody,
            pause_s=pause_s,
            stress=syllables.stress,
            stresses=syllables.stresses,
            phrases=self._phrases,
            syllables_hz=syllables.rate_hz,
        )

    def _level(self, db: float) -> float:
        risen_db = self._floor_db + FLOOR_RISE_DB_S * HOP_S
        self._floor_db = min(max(self._smooth_db, -75.0), risen_db)
        fallen_db = self._ceiling_db - CEILING_FALL_DB_S * HOP_S
        self._ceiling_db = max(db, fallen_db)
        bottom_db = self._bottom_db - 6.0
        span_db = max(self._ceiling_db - bottom_db, MIN_SPAN_DB)
        return min(max((db - bottom_db) / span_db, 0.0), 1.0)

    @property
    def _bottom_db(self) -> float:
        """The level from which sound is speech."""
        return max(QUIETEST_DB, self._floor_db + SPEECH_OVER_FLOOR_DB)

    def _phrase(self, *, is_loud: bool) -> None:
        if is_loud:
            self._phrase_s += HOP_S
            self._silent_s = 0.0
            return
        before_s = self._silent_s
        self._silent_s += HOP_S
        if before_s < PHRASE_PAUSE_S <= self._silent_s:
            self._phrases += self._phrase_s >= MIN_PHRASE_S
            self._phrase_s = 0.0

    def _sing(self, f0_hz: float, pause_s: float) -> None:
        """Follow the melody; a jump of an octave in one hop is a mistake of the search."""
        if f0_hz <= 0.0:
            if pause_s > 0.0:
                self._melody *= math.exp(-HOP_S / 0.25)
            return
        pitch = 12.0 * math.log2(f0_hz)
        self._voiced_s += HOP_S
        share = max(HOP_S / MELODY_S, HOP_S / self._voiced_s)
        above = min(max(pitch - self._usual_pitch, -12.0), 12.0)
        self._usual_pitch = pitch if self._usual_pitch == 0.0 else self._usual_pitch + share * above
        self._melody += (above - self._melody) * 0.5 if self._voiced_s > 2 * HOP_S else 0.0


def track(trackers: Sequence[ProsodyTracker], samples: NDArray[np.float32]) -> list[list[Prosody]]:
    """Take the next hops of several voices, float32 [voices, hops * 320]; return what each does.

    One search for pitch serves them all.
    """
    if not samples.size:
        return [[] for _ in trackers]
    hops = samples.reshape(len(trackers), -1, HOP_SAMPLES)
    heard = zip(trackers, samples, strict=True)
    windows = [window for tracker, sound in heard for window in tracker.windows(sound)]
    f0_hz = search(np.stack(windows)).reshape(hops.shape[:2]).tolist()
    power = np.einsum("vht,vht->vh", hops, hops) / HOP_SAMPLES
    db = np.maximum(10.0 * np.log10(np.maximum(power, 1e-30)), FLOOR_DB).tolist()
    return [
        [tracker.take(*hop) for hop in zip(*rows, strict=True)]
        for tracker, *rows in zip(trackers, db, f0_hz, strict=True)
    ]
