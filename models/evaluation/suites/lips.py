"""Held-out synthetic voices, whose phones are known exactly: closures, closing, and rest."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.evaluation.groups import opening, parting, together
from models.evaluation.loading import kokoro
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.lips import SEALED, Closures, closures
from models.evaluation.metrics.motion import jerk
from models.evaluation.metrics.rest import closing_time, resting
from models.evaluation.recordings import Recording, in_noise
from models.evaluation.suites.suite import mean, median, percentile
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.energy import speech_span
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
HARDEST = "snr10"
SILENCE_S = 5.0


class Lips:
    """Closures of p b m, false ones in vowels, and how soon the mouth shuts after speech.

    Emotions are given in turn, clip i emotion i of the table, at weight 1.
    """

    title = "held-out Kokoro voices (am_puck, bf_emma): closures"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = [clip.padded(PAUSE_S) for clip in kokoro(folders, most)]

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield shares in percent, times in milliseconds."""
        wide, every, felt = NO_CLOSURES, NO_CLOSURES, NO_CLOSURES
        times_ms, jerks, parted = [], [], []
        for clip, emotion in zip(self._clips, cycle(EMOTIONS)):
            face = perform(maker, clip, lookahead_ms)
            moved = perform(maker, clip, lookahead_ms, {emotion: 1.0})
            if face is None or moved is None:
                return
            curves, phones = (together(face), opening(face)), clip.phone_rows()
            wide += closures(*curves, phones, CLOSERS, OPEN_VOWELS)
            shut = (curves[0] > SEALED) & np.isin(phones, CLOSERS)
            parted += parting(face)[shut].tolist()
            every += closures(*curves, phones, (), ALL_VOWELS)
            felt += closures(together(moved), opening(moved), phones, CLOSERS, OPEN_VOWELS)
            start_s, end_s = speech_span(clip.sound)
            times_ms.append(1000 * closing_time(curves[1], end_s))
            jerks.append(jerk(curves[1][round(start_s * ROW_RATE_HZ) : round(end_s * ROW_RATE_HZ)]))
        yield Finding("lips.closures", 100 * wide.rate, wide.closers)
        yield percentile("lips.gap", wide.gaps, 90)
        yield mean("lips.parted", parted)
        yield Finding("lips.false_open", 100 * wide.false_rate, wide.vowels)
        yield Finding("lips.false_any", 100 * every.false_rate, every.vowels)
        yield Finding("lips.felt_closures", 100 * felt.rate, felt.closers)
        yield Finding("lips.felt_false_open", 100 * felt.false_rate, felt.vowels)
        yield percentile("lips.closing_ms", times_ms, 90)
        yield median("lips.closing_median_ms", times_ms)
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
            values = np.concatenate([np.zeros(0, dtype=np.float32), *rest]).tolist()
            yield mean(f"silence.{condition}", values)
            if condition == HARDEST:
                yield percentile(f"silence.{condition}_top", values, 95)
