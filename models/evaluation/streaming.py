"""A whole recording through the live path: one hop after the other, as the daemon does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_SAMPLES, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.generator import Generator

FIRST_HOPS = 25
"""Hops before the measured ones, while memory is laid out."""


def streamed(
    generator: Generator,
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    lookahead_ms: int,
) -> NDArray[np.float32]:
    """Return the face of a recording, [rows, channels], heard hop by hop by one stream.

    Row i is the face of audio time i/50 s, as offline; `emotions` is [rows, emotions].
    """
    rows, delay = rows_of(len(sound)), generator.delay_hops(lookahead_ms)
    # After hop k the stream has heard k + 1 hops and answers for row k + 1 - delay.
    first = min(0, delay - 1)
    heard = np.zeros((rows + delay - first, HOP_SAMPLES), dtype=np.float32)
    heard.reshape(-1)[-first * HOP_SAMPLES :][: len(sound)] = sound
    stream = generator.stream(1)
    lookahead = np.array([lookahead_ms], dtype=np.float32)
    made = np.zeros((rows, len(generator.channels)), dtype=np.float32)
    for number, hop in enumerate(heard):
        row = number + first + 1 - delay
        if row >= rows or not rows:
            break
        face = stream.step(hop[None], emotions[max(0, row)][None], lookahead, [0])
        if row >= 0:
            made[row] = face[0, -1]
    return made


def hop_durations_s(
    generator: Generator,
    sound: NDArray[np.float32],
    lookahead_ms: int,
    clock: Callable[[], float],
) -> list[float]:
    """Return how long each whole hop of `sound` took, without the first `FIRST_HOPS`."""
    stream = generator.stream(1)
    emotion = np.zeros((1, len(generator.emotions)), dtype=np.float32)
    lookahead = np.array([lookahead_ms], dtype=np.float32)
    durations_s = []
    for hop in sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES):
        start_s = clock()
        stream.step(hop[None], emotion, lookahead, [0])
        durations_s.append(clock() - start_s)
    return durations_s[FIRST_HOPS:]
