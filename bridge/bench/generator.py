"""The generator on one core: how long does a hop take, and how fast is a whole recording?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ, HOP_S, HOP_SAMPLES
from bridge.bench.figures import Figure, Remark, figures_of, spread_of
from bridge.clock.host import host_now
from bridge.process import settle

if TYPE_CHECKING:
    from bridge.bench.options import Options
    from models.generator import Generator

SUBJECTS = (1, 2, 4)
HOPS = 500
"""Hops measured for each number of subjects: ten seconds."""
OFFLINE_S = 60.0
ONE_SUBJECT_P99_MS = 5.0
LOOKAHEAD_MS = 80.0
FIRST_HOPS = 25
"""Hops before the measured ones, while memory is laid out."""


def measure(_options: Options) -> list[Figure | Remark]:
    """Step noise hop by hop at the pace of live sound, with one thread, then a minute offline."""
    import torch

    from models import load_generator

    torch.set_num_threads(1)
    generator = load_generator(device="cpu")
    settle()
    lines: list[Figure | Remark] = []
    for subjects in SUBJECTS:
        limit_ms = ONE_SUBJECT_P99_MS if subjects == 1 else float("inf")
        name = f"hop of {subjects} subject{'s' * (subjects > 1)}"
        lines += figures_of(name, spread_of(hop_times(generator, subjects)), p99_ms=limit_ms)
    noise = _noise(1, round(OFFLINE_S * HOP_RATE_HZ))[0]
    start_s = host_now()
    generator.generate(noise, HOP_RATE_HZ, lookahead_ms=LOOKAHEAD_MS)
    factor = OFFLINE_S / (host_now() - start_s)
    return [*lines, Figure("offline, times faster than real time", factor, "x")]


def hop_times(generator: Generator, subjects: int, hops: int = HOPS) -> list[float]:
    """Return how long each hop took, in seconds. Live sound is slow enough for caches to cool."""
    stream = generator.stream(subjects)
    hop = _noise(subjects, HOP_SAMPLES)
    emotion = np.zeros((subjects, len(generator.emotions)), dtype=np.float32)
    lookahead_ms = np.full(subjects, LOOKAHEAD_MS, dtype=np.float32)
    durations_s = []
    due_s = host_now()
    for _ in range(FIRST_HOPS + hops):
        due_s = max(due_s + HOP_S, host_now())
        time.sleep(max(0.0, due_s - host_now()))
        start_s = host_now()
        stream.step(hop, emotion, lookahead_ms, range(subjects))
        durations_s.append(host_now() - start_s)
    return durations_s[FIRST_HOPS:]


def _noise(subjects: int, samples: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((subjects, samples), dtype=np.float32)
