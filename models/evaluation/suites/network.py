"""Measures of the network rather than its faces.

The phones that its encoder decodes for unknown voices, its size, and its speed on one core.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.evaluation.measures import Measurement
from cstalk_bridge.models.evaluation.predictors import (
    PhoneDecoder,
    StreamingPredictor,
    predict_face,
)
from cstalk_bridge.models.evaluation.recordings import MissingDataError, Recording, kathleen, kokoro
from cstalk_bridge.models.evaluation.voices import ravdess_spoken
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
