"""Causal prosody of a voice, hop by hop: pitch, loudness, melody, stressed syllables and pauses."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.levels import FLOOR_DB
from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


WINDOW_SAMPLES = 768
"""48 ms: over three periods of the lowest voice."""
LOWEST_HZ, HIGHEST_HZ = 70.0, 450.0
FIRST_PEAK_SHARE = 0.88
"""The first peak of at least this share of the highest is the period, no multiple of it."""
VOICED_CLARITY = 0.6
"""Peak of the normalised square difference from which a window is voiced."""
MIN_POWER = 1e-7
"""Mean square below which no pitch is searched: -70 dBFS."""

MAX_WINDOWS = 256
"""Windows searched at once: 2 MB of spectra."""
_FFT_SIZE = 1024
"""Room for a window and the longest lag, so that no product wraps around."""
_SHORTEST = int(HOP_RATE_HZ / HIGHEST_HZ)
_LONGEST = int(np.ceil(HOP_RATE_HZ / LOWEST_HZ))


class PitchTracker:
    """Tracks F0: keeps the last window of audio and searches it at each hop."""

    def __init__(self) -> None:
        self._past: NDArray[np.float64] = np.zeros(WINDOW_SAMPLES - HOP_SAMPLES)

    def step(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Process the next hops, [hops * 320] at 16 kHz; return F0 in Hz, [hops], 0 if unvoiced.

        The result does not depend on how the audio is split into calls.
        """
        return search_pitch(np.stack(self.windows(samples)))

    def windows(self, samples: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Process the next hops; return the window of each, [768]."""
        sound = np.concatenate((self._past, samples), dtype=np.float64)
        self._past = sound[len(samples) :]
        starts = range(0, len(samples), HOP_SAMPLES)
        return [sound[start : start + WINDOW_SAMPLES] for start in starts]


def search_pitch(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the F0 in Hz, [n], of windows of audio, [n, 768] at 16 kHz; 0 if unvoiced."""
    f0_hz = np.zeros(len(windows))
    loud = np.flatnonzero(np.einsum("nt,nt->n", windows, windows) >= MIN_POWER * WINDOW_SAMPLES)
    for first in range(0, len(loud), MAX_WINDOWS):
        places = loud[first : first + MAX_WINDOWS]
        f0_hz[places] = _periods_hz(_clarity(windows[places]))
    return f0_hz


def _clarity(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalised square difference by lag, -1..1, [windows, _LONGEST + 2]."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, _FFT_SIZE)
    lags = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT_SIZE)[:, : _LONGEST + 2]
    power = np.zeros((len(windows), WINDOW_SAMPLES + 1))
    np.cumsum(np.square(centred), axis=1, out=power[:, 1:])
    shifts = _LONGEST + 2
    both = power[:, : -shifts - 1 : -1] + power[:, -1:] - power[:, :shifts]
    return np.asarray(2.0 * lags / np.maximum(both, 1e-12))


def _periods_hz(clarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F0 by the first high peak of each row, [n], interpolated by a parabola; else 0."""
    middle = clarity[:, _SHORTEST : _LONGEST + 1]
    is_peak = (middle >= clarity[:, _SHORTEST - 1 : _LONGEST]) & (
        middle > clarity[:, _SHORTEST + 1 : _LONGEST + 2]
    )
    heights = np.where(is_peak, middle, -1.0)
    best = heights.max(axis=1, keepdims=True)
    first = np.argmax(is_peak & (heights >= FIRST_PEAK_SHARE * best), axis=1) + _SHORTEST
    rows = np.arange(len(clarity))
    before, at, after = (clarity[rows, first + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * at + after, -1e-12)
    shift = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return np.where(best[:, 0] >= VOICED_CLARITY, HOP_RATE_HZ / (first + shift), 0.0)


FALL_DB = 2.0
"""A syllable ends when loudness has fallen this far from its peak."""
RISE_DB = 3.0
"""The next one begins when loudness has risen this far from the dip."""
MIN_GAP_S = 0.22
"""Least time between stresses: head and brows could not follow more than five a second."""
STRESS_FROM = 0.55
LOUDNESS_PER_DB, MELODY_PER_SEMITONE = 0.07, 0.06
"""Added to the prominence 0.5 of a syllable per decibel and semitone above the baseline. Loudness
and pitch excursion are both cues of stress (Fry 1955, 1958)."""
BASELINE_S = 6.0
"""Time constant of the baseline loudness of syllables, in seconds of speech."""


class Syllables:
    """Finds and counts the stressed syllables of one voice."""

    def __init__(self) -> None:
        self.stresses = 0
        self.stress = 0.0
        """Prominence of the last stressed syllable, 0..1."""
        self.rate_hz = 0.0
        """Syllables per second, over the last seconds of speech."""
        self._smooth_db = -100.0
        self._extreme_db = -100.0
        self._baseline_db = 0.0
        self._syllable_count = 0
        self._is_rising = False
        self._peak_melody = 0.0
        self._since_stress_s = 1.0
        self._has_voice = False

    def step(self, db: float, melody: float, *, is_voiced: bool, is_speaking: bool) -> None:
        """Process the level in dBFS and the melody in semitones of the next hop."""
        self._since_stress_s += HOP_S
        self._smooth_db += 0.5 * (db - self._smooth_db)
        found = self._is_past_peak(melody, is_voiced=is_voiced) and is_speaking
        if found:
            self._classify_syllable()
        share = HOP_S / 2.0
        if is_speaking:
            self.rate_hz += float(found) / 2.0 - share * self.rate_hz
        else:
            self.rate_hz *= 1.0 - share

    def _is_past_peak(self, melody: float, *, is_voiced: bool) -> bool:
        """Whether a voiced syllable has just passed its loudest moment."""
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

    def _classify_syllable(self) -> None:
        peak_db = self._smooth_db + FALL_DB
        if not self._syllable_count:
            self._baseline_db = peak_db
        self._syllable_count += 1
        above_db = peak_db - self._baseline_db
        self._baseline_db += above_db * max(1.0 / self._syllable_count, 0.2 / BASELINE_S)
        prominence = 0.5 + LOUDNESS_PER_DB * above_db + MELODY_PER_SEMITONE * self._peak_melody
        if prominence >= STRESS_FROM and self._since_stress_s >= MIN_GAP_S:
            self.stresses += 1
            self.stress = min(prominence, 1.0)
            self._since_stress_s = 0.0


SMOOTHING = 0.35
"""Weight of a hop's level in the smoothed level: a time constant of 50 ms."""
QUIETEST_DB = -55.0
"""Level in dBFS below which nothing is speech, however quiet the room."""
SPEECH_OVER_FLOOR_DB = 9.0
"""Speech begins this far above the noise floor."""
FIRST_FLOOR_DB = -30.0
"""Highest level of the first hop that is taken for the noise floor."""
FLOOR_RISE_DB_S = 2.0
"""Rate at which the noise floor rises; it falls at once."""
CEILING_FALL_DB_S = 0.3
"""Rate at which the loudest level of a voice decays."""
MIN_SPAN_DB = 15.0
"""Least difference between the softest and the loudest level of a voice."""
CLOSURE_S = 0.18
"""Longest silence that still counts as speech: the closure of a plosive."""
PHRASE_PAUSE_S = 0.28
MIN_PHRASE_S = 0.4
"""A phrase ends with a pause of at least the first, after speech of at least the second."""
MELODY_S = 8.0
"""Time constant of the baseline pitch of a voice."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """The prosody of a voice in one hop."""

    level: float = 0.0
    """0..1, from the noise floor to the loudest level of this voice."""
    f0_hz: float = 0.0
    """Fundamental frequency; 0 if unvoiced."""
    melody: float = 0.0
    """Semitones above the voice's baseline pitch, held while unvoiced, decaying to 0 in pauses."""
    pause_s: float = math.inf
    """Time since the last speech: 0 during speech, infinite before the first."""
    stress: float = 0.0
    """Prominence, 0..1, of the last stressed syllable."""
    stresses: int = 0
    """Stressed syllables since the start."""
    phrases: int = 0
    """Ends of phrases since the start."""
    syllables_hz: float = 0.0
    """Rate of speech, in syllables per second."""

    @property
    def is_speaking(self) -> bool:
        """Whether there is speech in this hop."""
        return self.pause_s == 0.0

    def silent(self, seconds: float) -> Prosody:
        """Return the prosody after so many more seconds of silence."""
        return replace(self, level=0.0, f0_hz=0.0, melody=0.0, pause_s=self.pause_s + seconds)


SILENCE = Prosody()


class ProsodyTracker:
    """Tracks the prosody of one voice."""

    def __init__(self) -> None:
        self._pitch = PitchTracker()
        self._syllables = Syllables()
        self._smooth_db = FIRST_FLOOR_DB
        self._floor_db = FIRST_FLOOR_DB
        self._ceiling_db = QUIETEST_DB + 10.0
        self._baseline_pitch = 0.0
        self._voiced_s = 0.0
        self._melody = 0.0
        self._silent_s = math.inf
        self._phrase_s = 0.0
        self._phrases = 0

    def step(self, samples: NDArray[np.float32]) -> Prosody:
        """Process the next hop, float32 [320] at 16 kHz and finite; return its prosody."""
        (prosody,) = self.process(samples)
        return prosody

    def process(self, samples: NDArray[np.float32]) -> list[Prosody]:
        """Process hops at once, float32 [hops * 320]; equal to `step` for one after the other."""
        (prosodies,) = track_prosody([self], samples[None])
        return prosodies

    def windows(self, samples: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Process the next hops; return the pitch window of each, [768]."""
        return self._pitch.windows(samples)

    def update(self, db: float, f0_hz: float) -> Prosody:
        """Return the prosody of a hop with this level in dBFS and this F0 in Hz, 0 if unvoiced."""
        self._smooth_db += SMOOTHING * (db - self._smooth_db)
        level = self._update_level(db)
        is_loud = self._smooth_db > self._bottom_db
        self._update_phrase(is_loud=is_loud)
        pause_s = 0.0 if self._silent_s < CLOSURE_S else self._silent_s
        self._update_melody(f0_hz if is_loud else 0.0, pause_s)
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

    def _update_level(self, db: float) -> float:
        risen_db = self._floor_db + FLOOR_RISE_DB_S * HOP_S
        self._floor_db = min(max(self._smooth_db, -75.0), risen_db)
        fallen_db = self._ceiling_db - CEILING_FALL_DB_S * HOP_S
        self._ceiling_db = max(db, fallen_db)
        bottom_db = self._bottom_db - 6.0
        span_db = max(self._ceiling_db - bottom_db, MIN_SPAN_DB)
        return min(max((db - bottom_db) / span_db, 0.0), 1.0)

    @property
    def _bottom_db(self) -> float:
        """The level in dBFS from which audio is speech."""
        return max(QUIETEST_DB, self._floor_db + SPEECH_OVER_FLOOR_DB)

    def _update_phrase(self, *, is_loud: bool) -> None:
        if is_loud:
            self._phrase_s += HOP_S
            self._silent_s = 0.0
            return
        before_s = self._silent_s
        self._silent_s += HOP_S
        if before_s < PHRASE_PAUSE_S <= self._silent_s:
            self._phrases += self._phrase_s >= MIN_PHRASE_S
            self._phrase_s = 0.0

    def _update_melody(self, f0_hz: float, pause_s: float) -> None:
        """Update the melody; a jump of an octave in one hop is a pitch tracking error."""
        if f0_hz <= 0.0:
            if pause_s > 0.0:
                self._melody *= math.exp(-HOP_S / 0.25)
            return
        pitch = 12.0 * math.log2(f0_hz)
        self._voiced_s += HOP_S
        share = max(HOP_S / MELODY_S, HOP_S / self._voiced_s)
        above = min(max(pitch - self._baseline_pitch, -12.0), 12.0)
        self._baseline_pitch = (
            pitch if self._baseline_pitch == 0.0 else self._baseline_pitch + share * above
        )
        self._melody += (above - self._melody) * 0.5 if self._voiced_s > 2 * HOP_S else 0.0


def track_prosody(
    trackers: Sequence[ProsodyTracker], samples: NDArray[np.float32]
) -> list[list[Prosody]]:
    """Process the next hops of several voices, float32 [voices, hops * 320]; return their prosody.

    The result has one list of hops per voice. Pitch is searched for all voices in one batch.
    """
    if not samples.size:
        return [[] for _ in trackers]
    hops = samples.reshape(len(trackers), -1, HOP_SAMPLES)
    pairs = zip(trackers, samples, strict=True)
    windows = [window for tracker, sound in pairs for window in tracker.windows(sound)]
    f0_hz = search_pitch(np.stack(windows)).reshape(hops.shape[:2]).tolist()
    power = np.einsum("vht,vht->vh", hops, hops) / HOP_SAMPLES
    db = np.maximum(10.0 * np.log10(np.maximum(power, 1e-30)), FLOOR_DB).tolist()
    return [
        [tracker.update(*hop) for hop in zip(*rows, strict=True)]
        for tracker, *rows in zip(trackers, db, f0_hz, strict=True)
    ]
