"""What a living face costs: time, tick by tick and hop by hop, and memory."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_SAMPLES
from bridge.audio.opening import SPEECH_PATH
from bridge.bench.figures import Figure, Remark, figures_of, spread_of
from bridge.clock.host import host_now
from bridge.face.alive.cues import Cues
from bridge.face.alive.life import Life
from bridge.face.alive.prosody import ProsodyTracker
from bridge.frame import neutral_board
from bridge.process import settle
from bridge.takes.hearing import heard
from bridge.takes.sound import open_sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.face.alive.prosody import Prosody

TICKS_HZ = 60.0
SEED = 3
TIMED_TICKS = 10_000
FIRST_TICKS, GROWTH_TICKS = 3000, 20_000
MOST_TICK_MS = 0.5
MOST_GROWTH_KB = 20.0


def costs(voice: Sequence[Prosody]) -> list[Figure | Remark]:
    """Time what the tick thread and the generator thread do for a living face."""
    tracker, hops = ProsodyTracker(), []
    sound = np.concatenate([*heard(open_sound(SPEECH_PATH))])
    for hop in sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES):
        start_s = host_now()
        tracker.step(hop)
        hops.append(host_now() - start_s)
    return [
        Remark("cost on one core"),
        *_ticks(voice),
        *figures_of("a hop of its voice", spread_of(hops)),
        Figure(
            f"growth of memory in {GROWTH_TICKS:,} ticks",
            _growth_kb(voice),
            "KB",
            maximum=MOST_GROWTH_KB,
        ),
    ]


def _ticks(voice: Sequence[Prosody]) -> list[Figure | Remark]:
    """Time ticks by the clock, which other programs of the machine prolong, and by the core."""
    life, board, ticks_s = Life(SEED), neutral_board(), []
    heard_hops = voice[:TIMED_TICKS]
    settle()
    begin_s = time.thread_time()
    for tick, prosody in enumerate(heard_hops):
        start_s = host_now()
        life.frame(tick / TICKS_HZ, Cues(prosody), board)
        ticks_s.append(host_now() - start_s)
    worked_ms = 1e3 * (time.thread_time() - begin_s) / len(heard_hops)
    return [
        *figures_of("a tick of one face", spread_of(ticks_s), median_ms=MOST_TICK_MS),
        Figure("  of which the core works, mean", worked_ms, "ms", maximum=MOST_TICK_MS),
    ]


def _growth_kb(voice: Sequence[Prosody]) -> float:
    """Return how much more Python and NumPy hold after many ticks of one face than before."""
    life, board = Life(SEED), neutral_board()

    def live(ticks: range) -> None:
        for tick in ticks:
            life.frame(tick / TICKS_HZ, Cues(voice[tick % len(voice)]), board)

    live(range(FIRST_TICKS))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    live(range(FIRST_TICKS, FIRST_TICKS + GROWTH_TICKS))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / 1024
