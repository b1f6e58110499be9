"""Held-out synthetic voices, whose phones are known exactly: closures, closing, and rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.groups import opening, together
from models.evaluation.loading import kokoro
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.lips import Closures, closures
from models.evaluation.metrics.motion import jerk
from models.evaluation.metrics.rest import closing_time, resting, speech_span
from models.evaluation.recordings import Recording, in_noise
from models.evaluation.suites.suite import mean
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.phones import INDEX, VOWELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

PAUSE_S = 1.0
"""Silence put before and after each clip."""
CLOSERS = [INDEX[phone] for phone in "PBM"]
OPEN_VOWELS = [INDEX[phone] for phone in ("AA", "AE", "AO")]
ALL_VOWELS = [INDEX[phone] for phone in VOWELS]
NO_CLOSURES = Closures(0, 0, 0, 0, ())
SNRS_DB = (20, 10)
SILENCE_S = 5.0


class Lips:
    """Closures of p b m, false ones in vowels, and how soon the mouth shuts after speech."""

    title = "held-out Kokoro voices (am_puck, bf_emma): closures"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = [clip.padded(PAUSE_S) for clip in kokoro(folders, most)]

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield shares in percent, times in milliseconds."""
        wide, every = NO_CLOSURES, NO_CLOSURES
        times_ms, jerks = [], []
        for clip in self._clips:
            face = perform(maker, clip, lookahead_ms)
            if face is None:
                return
            curves, phones = (together(face), opening(face)), clip.phone_rows()
            wide += closures(*curves, phones, CLOSERS, OPEN_VOWELS)
            every += closures(*curves, phones, (), ALL_VOWELS)
            start_s, end_s = speech_span(clip.sound)
            times_ms.append(1000 * closing_time(curves[1], end_s))
            spoken = curves[1][round(start_s * ROW_RATE_HZ) : round(end_s * ROW_RATE_HZ)]
            jerks.append(jerk(spoken, float(np.percentile(spoken, 95))))
        yield Finding("lips.closures", 100 * wide.rate, wide.closers)
        yield Finding("lips.gap", float(np.percentile(wide.gaps, 90)), wide.closers)
        yield Finding("lips.false_open", 100 * wide.false_rate, wide.vowels)
        yield Finding("lips.false_any", 100 * every.false_rate, every.vowels)
        yield Finding("lips.closing_ms", float(np.percentile(times_ms, 90)), len(times_ms))
        yield Finding("lips.closing_median_ms", float(np.median(times_ms)), len(times_ms))
        yield mean("lips.jerk", jerks)


class Silence:
    """The mouth where nobody speaks: in digital silence, in pauses, in the noise of a room."""

    title = "held-out Kokoro voices: rest, in silence and in pink noise"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        clean = [clip.padded(PAUSE_S) for clip in kokoro(folders, most)]
        self._spans = [speech_span(clip.sound) for clip in clean]
        self._clips = {"pauses": clean}
        for snr_db in SNRS_DB:
            noisy = [in_noise(clip, snr_db, number) for number, clip in enumerate(clean)]
            self._clips[f"snr{snr_db}"] = noisy

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield openings in board values."""
        nothing = np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        still = perform(maker, Recording("silence", nothing, phones=()), lookahead_ms)
        if still is None:
            return
        yield Finding("silence.digital", float(opening(still).max()), 1)
        for condition, clips in self._clips.items():
            faces = [perform(maker, clip, lookahead_ms) for clip in clips]
            spans = zip(faces, self._spans, strict=True)
            rest = [resting(opening(face), *span) for face, span in spans if face is not None]
            values = np.concatenate(rest)
            yield Finding(f"silence.{condition}", float(values.mean()), len(clips))
        yield Finding("silence.snr10_top", float(np.percentile(values, 95)), len(clips))
