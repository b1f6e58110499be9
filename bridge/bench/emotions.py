"""A changed emotion: does any channel of a face jump, and does the mix ever go back?

Silence, so that all that moves is the change; every emotion into every other within the time that
a director would give it, at the frame rate of a run.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from bridge.bench.figures import Figure, Remark
from bridge.face.alive.levels import AS_GENERATED
from bridge.network import load_network
from bridge.takes.emotions import EmotionCourse, Key
from bridge.takes.generate import generate_take
from bridge.takes.settings import Settings
from bridge.takes.sound import SampledSound
from models.emotions import EMOTIONS
from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FADE_S, REST_S = 1.5, 1.5
TICKS_HZ = 60.0
MOST_STEP = 0.06
"""The greatest step of a channel from frame to frame, in board values: its range is 1."""


def changes() -> list[Figure | Remark]:
    """Change every emotion into every other, with the shipped weights."""
    pairs = list(permutations(EMOTIONS, 2))
    keys = [
        Key(at_s=number * (FADE_S + REST_S), emotion={name: 1.0}, over_s=FADE_S)
        for number, name in enumerate(name for pair in pairs for name in pair)
    ]
    course = EmotionCourse(tuple(keys))
    silence = np.zeros(round(len(keys) * (FADE_S + REST_S) * SAMPLE_RATE_HZ), dtype=np.float32)
    take = generate_take(
        load_network(None, "cpu"),
        SampledSound(silence, SAMPLE_RATE_HZ),
        Settings(course, levels=AS_GENERATED),
        slate="emotions",
    )
    times_s = np.arange(0.0, take.duration_s, 1.0 / TICKS_HZ)
    rows_s = np.arange(take.rows) / take.rate.hz
    board = np.stack([np.interp(times_s, rows_s, curve) for curve in take.board.T], axis=1)
    steps = np.abs(np.diff(board, axis=0)).max(axis=0)
    worst = take.channels[int(steps.argmax())].removeprefix("CTRL_")
    return [
        Remark(f"{len(pairs)} changes of emotion of {FADE_S:g} s, at {TICKS_HZ:g} frames a second"),
        Figure(f"greatest step, {worst}", float(steps.max()), "", maximum=MOST_STEP),
        Figure("furthest that a weight goes back", way_back(course, keys), "", maximum=0.0),
        Figure("furthest that a channel goes back", _wandered(board, times_s, keys), ""),
    ]


def way_back(course: EmotionCourse, keys: list[Key]) -> float:
    """Return how far any weight of a course goes against its change, tick by tick."""
    times_s = np.arange(0.0, keys[-1].at_s + FADE_S, 1.0 / TICKS_HZ)
    return _wandered(course.weights(times_s).astype(np.float64), times_s, keys)


def _wandered(values: Floats, times_s: Floats, keys: list[Key]) -> float:
    """Return the furthest that values [time, n] go back within any change."""
    furthest = 0.0
    for key in keys:
        is_within = (times_s >= key.at_s) & (times_s <= key.at_s + key.over_s)
        part = values[is_within]
        way = part * np.sign(part[-1] - part[0])
        furthest = max(furthest, float((np.maximum.accumulate(way, axis=0) - way).max()))
    return furthest
