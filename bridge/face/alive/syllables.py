"""Syllables as peaks of loudness, and which of them are stressed."""

from __future__ import annotations

from bridge.audio.hop import HOP_S

FALL_DB = 2.0
"""A syllable is over when loudness fell this far from its peak."""
RISE_DB = 3.0
"""The next one has begun when loudness rose this far from the dip."""
MIN_GAP_S = 0.22
"""Stresses are not closer than this: five a second are the most a head or a brow could follow."""
STRESS_FROM = 0.55
LOUDNESS_PER_DB, MELODY_PER_SEMITONE = 0.07, 0.06
"""What a decibel and a semitone above the usual add to the prominence of a syllable, from 0.5.
Loudness and pitch excursion are both cues of stress (Fry 1955, 1958)."""
USUAL_S = 6.0
"""Time over which the usual loudness of a syllable is learnt, in seconds of speech."""


class Syllables:
    """Counts the stressed syllables of one voice."""

    def __init__(self) -> None:
        self.stresses = 0
        self.stress = 0.0
        """Prominence of the last stressed syllable, 0..1."""
        self.rate_hz = 0.0
        """Syllables per second, over the last seconds of speech."""
        self._smooth_db = -100.0
        self._extreme_db = -100.0
        self._usual_db = 0.0
        self._heard = 0
        self._is_rising = False
        self._peak_melody = 0.0
        self._since_stress_s = 1.0
        self._has_voice = False

    def step(self, db: float, melody: float, *, is_voiced: bool, is_speaking: bool) -> None:
        """Take the level and the melody of the next hop."""
        self._since_stress_s += HOP_S
        self._smooth_db += 0.5 * (db - self._smooth_db)
        found = self._peaked(melody, is_voiced=is_voiced) and is_speaking
        if found:
            self._judge()
        share = HOP_S / 2.0
        if is_speaking:
            self.rate_hz += float(found) / 2.0 - share * self.rate_hz
        else:
            self.rate_hz *= 1.0 - share

    def _peaked(self, melody: float, *, is_voiced: bool) -> bool:
        """Whether a syllable with a voice in it has just passed its loudest."""
        level = self._smooth_db
        if self._is_rising:
            self._has_voice = self._has_voice or is_voiced
            if level >= self._extreme_db:
                self._extreme_db = level
                self._peak_melody = melody
            elif level < self._extreme_db - FALL_DB:
                self._is_rising = False
                return self._has_voice
            return False
        self._extreme_db = min(level, self._extreme_db)
        if level > self._extreme_db + RISE_DB:
            self._is_rising = True
            self._has_voice = is_voiced
            self._extreme_db = level
        return False

    def _judge(self) -> None:
        peak_db = self._smooth_db + FALL_DB
        if not self._heard:
            self._usual_db = peak_db
        self._heard += 1
        above_db = peak_db - self._usual_db
        self._usual_db += above_db * max(1.0 / self._heard, 0.2 / USUAL_S)
        prominence = 0.5 + LOUDNESS_PER_DB * above_db + MELODY_PER_SEMITONE * self._peak_melody
        if prominence >= STRESS_FROM and self._since_stress_s >= MIN_GAP_S:
            self.stresses += 1
            self.stress = min(prominence, 1.0)
            self._since_stress_s = 0.0
