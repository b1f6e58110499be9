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

SUBJECTS = (1, 4, 64)
HOPS = 500
"""Hops measured for each number of subjects: ten seconds."""
OFFLINE_S = 60.0
ONE_SUBJECT_MEDIAN_MS, MANY_SUBJECTS_MEDIAN_MS = 0.5, 4.0
LEAST_RATIO = 6.0
"""How many times cheaper a hop is than with torch."""
LOOKAHEAD_MS = 80.0
FIRST_HOPS = 25
"""Hops before the measured ones, while memory is laid out."""


def measure(_options: Options) -> list[Figure | Remark]:
    """Step noise hop by hop at the pace of live sound, with one thread, then a minute offline.

    The same with torch on the CPU, in the same run.
    """
    import torch

    from models.generator import Generator
    from models.loading import cpu_engine, torch_engine
    from models.shipped import DEFAULT_PATH
    from models.weights_file import read_weights

    torch.set_num_threads(1)
    weights = read_weights(DEFAULT_PATH)
    shipped = Generator(cpu_engine(*weights), weights[1])
    with_torch = Generator(torch_engine(*weights, device="cpu"), weights[1])
    settle()
    limits_ms = {1: ONE_SUBJECT_MEDIAN_MS, SUBJECTS[-1]: MANY_SUBJECTS_MEDIAN_MS}
    lines: list[Figure | Remark] = [Remark(f"{shipped.engine.name}, {with_torch.engine.name}")]
    for subjects in SUBJECTS:
        name = f"hop of {subjects} subject{'s' * (subjects > 1)}"
        spread = spread_of(hop_times(shipped, subjects))
        lines += figures_of(name, spread, median_ms=limits_ms.get(subjects, float("inf")))
    for name, is_paced in (("at the pace of sound", True), ("back to back", False)):
        ours, theirs = (
            float(np.median(hop_times(each, 1, is_paced=is_paced)))
            for each in (shipped, with_torch)
        )
        lines += [
            Figure(f"hop {name}, median", 1e3 * ours, "ms"),
            Figure(f"hop {name} with torch, median", 1e3 * theirs, "ms"),
            Figure(f"{name}, how many times cheaper", theirs / ours, "x", LEAST_RATIO),
        ]
    return [
        *lines,
        Figure("offline, times faster than real time", offline_pace(shipped), "x"),
        Figure("the same with torch", offline_pace(with_torch), "x"),
    ]


def offline_pace(generator: Generator) -> float:
    """Return how many times faster than real time a minute of noise becomes a face."""
    noise = _noise(1, round(OFFLINE_S * HOP_RATE_HZ))[0]
    start_s = host_now()
    generator.generate(noise, HOP_RATE_HZ, lookahead_ms=LOOKAHEAD_MS)
    return OFFLINE_S / (host_now() - start_s)


def hop_times(
    generator: Generator, subjects: int, hops: int = HOPS, *, is_paced: bool = True
) -> list[float]:
    """Return how long each hop took, in seconds. Live sound is slow enough for caches to cool."""
    stream = generator.stream(subjects)
    hop = _noise(subjects, HOP_SAMPLES)
    emotion = np.zeros((subjects, len(generator.emotions)), dtype=np.float32)
    lookahead_ms = np.full(subjects, LOOKAHEAD_MS, dtype=np.float32)
    durations_s = []
    due_s = host_now()
    for _ in range(FIRST_HOPS + hops):
        if is_paced:
            due_s = max(due_s + HOP_S, host_now())
            time.sleep(max(0.0, due_s - host_now()))
        start_s = host_now()
        stream.step(hop, emotion, lookahead_ms, range(subjects))
        durations_s.append(host_now() - start_s)
    return durations_s[FIRST_HOPS:]


def _noise(subjects: int, samples: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((subjects, samples), dtype=np.float32)
