"""The living face against what is known of people, and what it costs a tick.

Half an hour of talking and half an hour of listening in simulated time, as a run would show them.
Sources of the ranges are told in `face.alive`, where each is used.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.file import AUDIO_SUFFIXES
from bridge.audio.hop import HOP_S, HOP_SAMPLES
from bridge.audio.opening import SPEECH_PATH
from bridge.bench.emotions import changes
from bridge.bench.figures import Figure, Remark
from bridge.bench.life_cost import costs
from bridge.bench.lives import course
from bridge.face.alive.cues import Cues
from bridge.face.alive.life import Life
from bridge.face.alive.prosody import ProsodyTracker
from bridge.takes.hearing import heard
from bridge.takes.living import prosodies
from bridge.takes.sound import open_sound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.bench.lives import Course
    from bridge.bench.options import Options
    from bridge.face.alive.prosody import Prosody

    Lines = list[Figure | Remark]

HALF_AN_HOUR_S = 1800.0
TICKS_HZ = 60.0
FINE_HZ, FINE_S = 500.0, 240.0
"""Blinks and saccades are timed in steps of 2 ms: a tick of a run is as long as some of them."""
PEOPLE, EACH_S = 24, 240.0
"""Characters whose blinks are compared."""
SEED = 3
PAUSE_HOPS = 30
"""Silence between one reading of the speech and the next: the end of a phrase."""
QUIET_JERK_DEG_S3 = 24_000.0
"""Jerk of a head that a phone tracks, in the calmest half second of a real Live Link Face stream;
what is far below it has no jitter that anybody sees."""
MOST_RECORDINGS = 200
LAG_HOPS = 25
"""A head is looked for up to half a second behind its voice."""


def measure(options: Options) -> Lines:
    """Live for an hour in simulated time; with `options.data`, with those recordings as well."""
    voice = _voice()
    talking = course(SEED, voice, HALF_AN_HOUR_S, TICKS_HZ)
    listening = course(SEED, (), HALF_AN_HOUR_S, TICKS_HZ)
    return [
        *_blinks(voice),
        *_gaze(talking, listening, course(SEED, voice, FINE_S, FINE_HZ)),
        *_head(talking, listening),
        *(_together(options.data) if options.data else ()),
        *changes(),
        *costs(voice),
    ]


def _voice() -> list[Prosody]:
    """Return the hops of a voice that has read its text before, and then pauses."""
    sound = np.concatenate([*heard(open_sound(SPEECH_PATH))])
    pause = np.zeros(PAUSE_HOPS * HOP_SAMPLES, dtype=np.float32)
    return list(prosodies([sound, pause] * 40))


def _blinks(voice: Sequence[Prosody]) -> Lines:
    talking, listening = (
        np.array([course(seed, heard, EACH_S, TICKS_HZ).blinks_per_min for seed in range(PEOPLE)])
        for heard in (voice, ())
    )
    close_ms, open_ms = course(SEED, voice, FINE_S, FINE_HZ).blinks_ms.T
    spread = float(np.log(talking).std())
    return [
        Remark(f"blinks of {PEOPLE} characters, {EACH_S:g} s each"),
        Figure("blinks talking, median", float(np.median(talking)), "/min", 15.0, 30.0),
        Figure("blinks listening, median", float(np.median(listening)), "/min", 8.0, 26.0),
        Figure("  log-normal spread over characters", spread, "", 0.1, 0.532),
        Figure("lids close, shortest", float(close_ms.min()), "ms", 70.0),
        Figure("lids close, longest", float(close_ms.max()), "ms", maximum=110.0),
        Figure("lids open, shortest", float(open_ms.min()), "ms", 150.0),
        Figure("lids open, longest", float(open_ms.max()), "ms", maximum=300.0),
    ]


def _gaze(talking: Course, listening: Course, fine: Course) -> Lines:
    per_deg, at_none = np.polyfit(fine.saccades[:, 0], fine.saccades[:, 1], 1).tolist()
    sizes = np.concatenate([whole.saccades[:, 0] for whole in (talking, listening)])
    return [
        Remark("half an hour of talking and half an hour of listening, 60 ticks a second"),
        Figure("saccades, at no size", at_none, "ms", 20.0, 30.0),
        Figure("saccades, longer by", per_deg, "ms/degree", 2.2, 2.7),
        Figure("saccades below 15 degrees", float(np.mean(sizes < 15.0)), "", 0.9),
        Figure("mutual gaze talking", float(talking.is_mutual.mean()), "", 0.35, 0.47),
        Figure("mutual gaze listening", float(listening.is_mutual.mean()), "", 0.69, 0.81),
    ]


def _head(talking: Course, listening: Course) -> Lines:
    return [
        Figure("head, share below 5 Hz talking", talking.head_share_below(5.0), "", 0.95),
        Figure("head, share below 5 Hz listening", listening.head_share_below(5.0), "", 0.95),
        Figure(
            "head, jerk listening",
            listening.head_jerk_deg_s3,
            "deg/s3",
            maximum=QUIET_JERK_DEG_S3,
        ),
        Figure("head, jerk talking", talking.head_jerk_deg_s3, "deg/s3"),
    ]


def _together(folder: Path) -> Lines:
    """Read recordings one after the other: does the head go with loudness and melody?"""
    life, tracker, now_s = Life(SEED), ProsodyTracker(), 0.0
    recordings = (path for path in sorted(folder.rglob("*")) if path.suffix in AUDIO_SUFFIXES)
    found = []
    for path in islice(recordings, MOST_RECORDINGS):
        sound = np.concatenate([*heard(open_sound(path))])
        whole = sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES]
        rows = []
        for prosody in tracker.hear(whole):
            pitch = float(life.step(now_s, Cues(prosody)).head[1])
            rows.append((pitch, prosody.level, prosody.melody))
            now_s += HOP_S
        if len(rows) > 2 * LAG_HOPS:
            found.append(_multiple_r(np.array(rows)))
    if not found:
        return [Remark(f"no recordings in {folder}")]
    return [
        Remark(f"{len(found)} recordings of {folder}"),
        Figure("head with loudness and F0, median r", float(np.median(found)), "", 0.4),
    ]


def _multiple_r(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """Return the multiple correlation of pitch, column 0, with the others, at the best lag."""
    best = 0.0
    for lag in range(0, LAG_HOPS, 2):
        head = rows[lag:, 0] - rows[lag:, 0].mean()
        voice = rows[: len(rows) - lag, 1:]
        voice = voice - voice.mean(axis=0)
        fitted = voice @ np.linalg.lstsq(voice, head, rcond=None)[0]
        best = max(best, float(np.sqrt((fitted @ fitted) / max(float(head @ head), 1e-12))))
    return best
