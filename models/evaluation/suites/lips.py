"""Lips of held-out synthetic voices, and lips in sounds that are no speech.

The phones of the voices are known exactly. The effect of procedural animation on their lips is
measured too: each measure with it and without.

The other sounds are synthesised as for training (`cstalk_bridge.models.training.encoder.prepare`),
but with other seeds: several of each kind, some seconds each, at the level of speech.
"""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN_COLUMNS, opening, parting, together
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.measures import Measurement, mean, median, percentile
from cstalk_bridge.models.evaluation.multimodal import required_animation, required_head
from cstalk_bridge.models.evaluation.predictors import PhonePredictor, predict_face
from cstalk_bridge.models.evaluation.recordings import MissingDataError, Recording, in_noise, kokoro
from cstalk_bridge.models.evaluation.suites.known_faces import UNSEEN, Facegood, Grid, Ravdess
from cstalk_bridge.models.metrics.curves import (
    ALL_VOWELS,
    CLOSERS,
    NO_CLOSURES,
    OPEN_VOWELS,
    SEALED,
    closing_time,
    closures,
    jerk,
    resting,
)
from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import speech_span
from cstalk_bridge.models.training.encoder.prepare import SOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.measures import Suite
    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead, ProceduralAnimation
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders


if TYPE_CHECKING:
    Floats = NDArray[np.float32]


PAUSE_S = 1.0
"""Silence added before and after each clip."""


SNRS_DB = (20, 10)
HARDEST = "snr10"
SILENCE_S = 5.0


class Lips:
    """Closures of p b m, false ones in vowels, and how soon the mouth closes after speech.

    Clip i gets emotion i of the table, modulo, at weight 1.
    """

    title = "held-out Kokoro voices (am_puck, bf_emma): closures"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        self._clips = [clip.padded(PAUSE_S) for clip in kokoro(folders, max_clips)]

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield shares in percent, times in milliseconds."""
        open_vowels, all_vowels, emotional = NO_CLOSURES, NO_CLOSURES, NO_CLOSURES
        times_ms, jerks, parted = [], [], []
        for clip, emotion in zip(self._clips, cycle(EMOTIONS)):
            face = predict_face(predictor, clip, lookahead_ms)
            moved = predict_face(predictor, clip, lookahead_ms, {emotion: 1.0})
            if face is None or moved is None:
                return
            curves, phones = (together(face), opening(face)), clip.phone_rows()
            open_vowels += closures(*curves, phones, CLOSERS, OPEN_VOWELS)
            shut = (curves[0] > SEALED) & np.isin(phones, CLOSERS)
            parted += parting(face)[shut].tolist()
            all_vowels += closures(*curves, phones, (), ALL_VOWELS)
            emotional += closures(together(moved), opening(moved), phones, CLOSERS, OPEN_VOWELS)
            start_s, end_s = speech_span(clip.sound)
            times_ms.append(1000 * closing_time(curves[1], end_s))
            jerks.append(jerk(curves[1][round(start_s * ROW_RATE_HZ) : round(end_s * ROW_RATE_HZ)]))
        yield Measurement("lips.closures", 100 * open_vowels.rate, open_vowels.closers)
        yield percentile("lips.gap", open_vowels.gaps, 90)
        yield mean("lips.parted", parted)
        yield Measurement("lips.false_open", 100 * open_vowels.false_rate, open_vowels.vowels)
        yield Measurement("lips.false_any", 100 * all_vowels.false_rate, all_vowels.vowels)
        yield Measurement("lips.felt_closures", 100 * emotional.rate, emotional.closers)
        yield Measurement("lips.felt_false_open", 100 * emotional.false_rate, emotional.vowels)
        yield percentile("lips.closing_ms", times_ms, 90)
        yield median("lips.closing_median_ms", times_ms)
        yield mean("lips.jerk", jerks)


class Silence:
    """The mouth without speech: in digital silence, in pauses, in noise."""

    title = "held-out Kokoro voices: rest, in silence and in pink noise"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        clean = [clip.padded(PAUSE_S) for clip in kokoro(folders, max_clips)]
        self._spans = [speech_span(clip.sound) for clip in clean]
        self._clips = {"pauses": clean}
        for snr_db in SNRS_DB:
            noisy = [in_noise(clip, snr_db, number) for number, clip in enumerate(clean)]
            self._clips[f"snr{snr_db}"] = noisy

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield openings in board values."""
        silence = np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        still = predict_face(predictor, Recording("silence", silence, phones=()), lookahead_ms)
        if still is None:
            return
        yield Measurement("silence.digital", float(opening(still).max()), 1)
        for condition, clips in self._clips.items():
            faces = [predict_face(predictor, clip, lookahead_ms) for clip in clips]
            spans = zip(faces, self._spans, strict=True)
            rest = [resting(opening(face), *span) for face, span in spans if face is not None]
            values = np.concatenate([np.zeros(0, dtype=np.float32), *rest]).tolist()
            yield mean(f"silence.{condition}", values)
            if condition == HARDEST:
                yield percentile(f"silence.{condition}_top", values, 95)


LIP_SUITES: dict[str, Callable[[Folders, int], Suite]] = {
    "grid": Grid,
    "facegood": Facegood,
    "ravdess": Ravdess,
    "lips": Lips,
    "silence": Silence,
}
"""The suites that measure lips, by name."""
OTHER_MEASURES = frozenset({"eve", "mve", "fdd", "fdd_size", "region_distance", "true_jerk"})
"""Measures of these suites that are not about the generated lips."""


class AnimatedPredictor:
    """A predictor with procedural animation; each face has another seed."""

    def __init__(self, predictor: Predictor, animation: ProceduralAnimation) -> None:
        self.name = predictor.name
        self._predictor = predictor
        self._animation = animation
        self._made = 0

    def faces(self, sound: Floats, emotions: Floats, lookahead_ms: int) -> Floats:
        """Return an animated face, as `Predictor.faces`.

        As in a run, the animation knows the sound that made a row, one look-ahead after it.
        """
        face = self._predictor.faces(sound, emotions, lookahead_ms)
        self._made += 1
        known = sound[lookahead_ms * SAMPLE_RATE_HZ // 1000 :]
        return np.asarray(
            self._animation(known, emotions, face, self._made).board[:, AUDIO_DRIVEN_COLUMNS]
        )


class AnimatedLips:
    """Measures lips without and with animation; yields the greatest change of any measure."""

    title = "lips with procedural animation beside without: greatest change of any measure"
    source = ""
    is_timed = False

    def __init__(
        self, folders: Folders, max_clips: int, animation: ProceduralAnimation | None
    ) -> None:
        self._animation = required_animation(animation)
        self._suites: dict[str, Suite] = {}
        for name, suite in LIP_SUITES.items():
            with suppress(MissingDataError):
                self._suites[name] = suite(folders, max_clips)
        if not self._suites:
            raise MissingDataError("there are no recordings for any measure of lips")

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield the greatest change of each suite, in percent of the value without animation."""
        if isinstance(predictor, PhonePredictor):
            return
        animated_predictor = AnimatedPredictor(predictor, self._animation)
        for name, suite in self._suites.items():
            still = lip_measures(suite.measure(predictor, lookahead_ms))
            animated = lip_measures(suite.measure(animated_predictor, lookahead_ms))
            changes = [change_percent(value, animated[key]) for key, value in still.items()]
            yield Measurement(f"alive.{name}", max(changes, default=math.nan), len(changes))


def lip_measures(found: Iterable[Measurement]) -> dict[str, float]:
    """Return the values of the measurements that are about lips, by key."""
    return {
        one.key: one.value
        for one in found
        if one.count and one.key.partition(".")[2].removeprefix(UNSEEN) not in OTHER_MEASURES
    }


def change_percent(before: float, after: float) -> float:
    """Return the change of a value in percent: 0 where both are equal or NaN.

    Infinite for a change from 0.
    """
    if before == after or (math.isnan(before) and math.isnan(after)):
        return 0.0
    return 100.0 * abs(after - before) / abs(before) if before else math.inf


SEED = 160
TIMES = 6
LENGTH_S, SETTLED_S = 5.0, 0.5
LEVEL_DBFS = -26.0  # of the whole sound's power: speech at a normal distance


class NoSpeech:
    """The mean gap of each kind, and of all."""

    source = ""
    is_timed = True

    def __init__(
        self,
        folders: Folders,  # noqa: ARG002 - the sounds are synthetic
        max_clips: int,
        head: MeasuredHead | None,
    ) -> None:
        self._head = required_head(head)
        self.title = f"sounds that are no speech, in mm, on {self._head.name}"
        random = np.random.default_rng(SEED)
        samples = round(LENGTH_S * SAMPLE_RATE_HZ)
        self._sounds: dict[str, list[Recording]] = {}
        for kind, make in SOUNDS.items():
            for number in range(min(TIMES, max_clips)):
                sound = make(samples, random)
                power = max(float(np.sqrt(np.square(sound).mean())), 1e-9)
                levelled = sound * 10 ** (LEVEL_DBFS / 20) / power
                played = np.clip(levelled, -1.0, 1.0).astype(np.float32)
                self._sounds.setdefault(kind, []).append(Recording(f"{kind}/{number}", played))

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield mean gaps, and the greatest but for a twentieth of the time."""
        every: list[float] = []
        for kind, sounds in self._sounds.items():
            gaps: list[float] = []
            for sound in sounds:
                face = predict_face(predictor, sound, lookahead_ms)
                if face is None:
                    return
                settled = face[round(SETTLED_S * ROW_RATE_HZ) :]
                gaps += self._head.geometry(self._head.scores(settled)).gap.tolist()
            every += gaps
            yield mean(f"no_speech.{kind}", gaps)
        yield mean("no_speech.all", every)
        yield percentile("no_speech.top", every, 95)
