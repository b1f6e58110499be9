"""How fast a maker is, on one core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.makers import Hopper, perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.pace import percentile_ms, real_time_factor
from models.evaluation.recordings import Recording
from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

OFFLINE_S = 30.0
STREAMED_S = 10.5
NOISE = 0.1


class Speed:
    """Real-time factor, and the time of each streamed hop; noise is as good as speech."""

    title = "speed on one core of this machine, and size"
    source = ""
    is_timed = False

    def __init__(self, folders: Folders, most: int) -> None:
        del folders, most
        random = np.random.default_rng(0)
        samples = round(OFFLINE_S * SAMPLE_RATE_HZ)
        self._sound = NOISE * random.standard_normal(samples, dtype=np.float32)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield size in millions, the factor, and percentiles of hops in milliseconds."""
        if parameters := getattr(maker, "parameters", 0):
            yield Finding("speed.parameters", parameters / 1e6, 1)
        recording = Recording("noise", self._sound, phones=())
        start_s = time.perf_counter()
        perform(maker, recording, lookahead_ms)
        took_s = time.perf_counter() - start_s
        yield Finding("speed.real_time_factor", real_time_factor(took_s, recording.seconds), 1)
        if isinstance(maker, Hopper):
            sound = self._sound[: round(STREAMED_S * SAMPLE_RATE_HZ)]
            hops_s = maker.hop_durations_s(sound, lookahead_ms, time.perf_counter)
            for percent in (50, 99) if hops_s else ():
                value = percentile_ms(hops_s, percent)
                yield Finding(f"speed.hop_p{percent}_ms", value, len(hops_s))
