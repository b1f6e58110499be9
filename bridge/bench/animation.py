"""Section `alive`: the procedural animation compared with what is known of people, and its cost.

Half an hour of talking and half an hour of listening in simulated time, as a run would show
them. Sources of the ranges stand where each is used.
"""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, permutations, repeat
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES, SPEECH_PATH
from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, Keyframe
from cstalk_bridge.face.inference import load_network
from cstalk_bridge.face.procedural.animation import NO_ANIMATION_LEVELS, ProceduralAnimation
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import SILENCE, ProsodyTracker
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.metrics.curves import MICROSACCADE_DEG, runs
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ
from cstalk_bridge.rig.curves import neutral_board
from cstalk_bridge.system.process import prepare_steady_state
from cstalk_bridge.takes.generate import GenerationConfig, generate_take, prosodies
from cstalk_bridge.takes.sound import SampledSound, network_input, open_sound
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.bench.report import BenchConfig
    from cstalk_bridge.face.procedural.prosody import Prosody

    Floats = NDArray[np.float64]

    Lines = list[Figure | Remark]


MOVING_DEG_S = 0.01
"""Gaze that turns faster than this is in a saccade: between them the head is made up for."""


@dataclass(frozen=True, eq=False)
class MotionTrajectory:
    """Motion per tick: closures [time], heads [time, 3] and gaze [time, 2] in degrees."""

    rate_hz: float
    closures: Floats
    head_deg: Floats
    gaze_deg: Floats
    is_mutual: NDArray[np.bool_]

    @property
    def blinks_per_min(self) -> float:
        """How often the lids shut."""
        return 60.0 * self.rate_hz * len(runs(self.closures > 0.0)) / len(self.closures)

    @cached_property
    def blinks_ms(self) -> Floats:
        """How long each whole blink closes and opens, [blinks, 2]."""
        times = []
        for first, last in runs(self.closures > 0.0):
            part = self.closures[first:last]
            shut = np.flatnonzero(part >= part.max() - 1e-9)
            times.append((shut[0] + 1, len(part) - shut[-1] - 1))
        return 1000.0 / self.rate_hz * np.array(times[1:-1], dtype=np.float64).reshape(-1, 2)

    @cached_property
    def saccades(self) -> Floats:
        """Size in degrees and length in ms of each saccade, [saccades, 2]."""
        steps_deg = np.hypot(*np.diff(self.gaze_deg, axis=0).T)
        spans = runs(steps_deg > MOVING_DEG_S / self.rate_hz)
        ways = self.gaze_deg[spans[:, 1]] - self.gaze_deg[spans[:, 0]]
        sizes_deg = np.hypot(*ways.T)
        lengths_ms = (spans[:, 1] - spans[:, 0]) * 1000.0 / self.rate_hz
        is_large = sizes_deg > MICROSACCADE_DEG
        return np.asarray(np.stack((sizes_deg, lengths_ms), axis=1)[is_large])

    def head_share_below(self, limit_hz: float) -> float:
        """Return the share of the power of the head's speed below a frequency, worst axis."""
        speed = np.diff(self.head_deg, axis=0)
        power = np.abs(np.fft.rfft(speed, axis=0)) ** 2
        is_below = np.fft.rfftfreq(len(speed), 1.0 / self.rate_hz) < limit_hz
        return float((power[is_below].sum(axis=0) / power.sum(axis=0)).min())

    @property
    def head_jerk_deg_s3(self) -> float:
        """Root mean square of the head's jerk over all axes."""
        return float(np.sqrt(np.mean(np.diff(self.head_deg, 3, axis=0) ** 2)) * self.rate_hz**3)


def simulated_motion(
    seed: int, voice: Sequence[Prosody], seconds: float, rate_hz: float
) -> MotionTrajectory:
    """Live with a voice, hop by hop and over again, for so many seconds; nobody speaks without."""
    animation, rows = ProceduralAnimation(seed), []
    for tick, prosody in enumerate(_voice_of_ticks(voice, round(seconds * rate_hz), rate_hz)):
        motion = animation.step(tick / rate_hz, Cues(prosody))
        head = motion.head[:3].tolist()
        rows.append((motion.closure, motion.is_mutual, *motion.gaze_deg, *head))
    table = np.array(rows, dtype=np.float64)
    head_deg = np.degrees(table[:, 4:])
    return MotionTrajectory(rate_hz, table[:, 0], head_deg, table[:, 2:4], table[:, 1] > 0.0)


def _voice_of_ticks(voice: Sequence[Prosody], ticks: int, rate_hz: float) -> Iterable[Prosody]:
    if not voice:
        return repeat(SILENCE, ticks)
    return _looped_voice(voice, ticks, rate_hz)


def _looped_voice(voice: Sequence[Prosody], ticks: int, rate_hz: float) -> Iterator[Prosody]:
    for tick in range(ticks):
        yield voice[int(tick / rate_hz / HOP_S) % len(voice)]


FADE_S, REST_S = 1.5, 1.5
TICKS_HZ = 60.0
MOST_STEP = 0.06
"""The greatest step of a channel from frame to frame, in board values: its range is 1."""


def emotion_changes() -> list[Figure | Remark]:
    """Change every emotion into every other, with the shipped weights."""
    pairs = list(permutations(EMOTIONS, 2))
    keys = [
        Keyframe(at_s=number * (FADE_S + REST_S), emotion={name: 1.0}, over_s=FADE_S)
        for number, name in enumerate(name for pair in pairs for name in pair)
    ]
    trajectory = EmotionTrajectory(tuple(keys))
    silence = np.zeros(round(len(keys) * (FADE_S + REST_S) * SAMPLE_RATE_HZ), dtype=np.float32)
    take = generate_take(
        load_network(None, "cpu"),
        SampledSound(silence, SAMPLE_RATE_HZ),
        GenerationConfig(trajectory, levels=NO_ANIMATION_LEVELS),
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
        Figure("furthest that a weight goes back", way_back(trajectory, keys), "", maximum=0.0),
        Figure("furthest that a channel goes back", _wandered(board, times_s, keys), ""),
    ]


def way_back(trajectory: EmotionTrajectory, keys: list[Keyframe]) -> float:
    """Return how far any weight of a trajectory goes against its change, tick by tick."""
    times_s = np.arange(0.0, keys[-1].at_s + FADE_S, 1.0 / TICKS_HZ)
    return _wandered(trajectory.weights(times_s).astype(np.float64), times_s, keys)


def _wandered(values: Floats, times_s: Floats, keys: list[Keyframe]) -> float:
    """Return the furthest that values [time, n] go back within any change."""
    furthest = 0.0
    for key in keys:
        is_within = (times_s >= key.at_s) & (times_s <= key.at_s + key.over_s)
        part = values[is_within]
        way = part * np.sign(part[-1] - part[0])
        furthest = max(furthest, float((np.maximum.accumulate(way, axis=0) - way).max()))
    return furthest


SEED = 3
TIMED_TICKS = 10_000
FIRST_TICKS, GROWTH_TICKS = 3000, 20_000
MOST_TICK_MS = 0.5
MOST_GROWTH_KB = 20.0


def animation_costs(voice: Sequence[Prosody]) -> list[Figure | Remark]:
    """Time the work of the tick and the inference thread for procedural animation."""
    tracker, hops = ProsodyTracker(), []
    sound = np.concatenate([*network_input(open_sound(SPEECH_PATH))])
    for hop in sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES):
        start_s = host_now()
        tracker.step(hop)
        hops.append(host_now() - start_s)
    return [
        Remark("cost on one core"),
        *_tick_costs(voice),
        *figures_of("a hop of its voice", spread_of(hops)),
        Figure(
            f"growth of memory in {GROWTH_TICKS:,} ticks",
            _growth_kb(voice),
            "KB",
            maximum=MOST_GROWTH_KB,
        ),
    ]


def _tick_costs(voice: Sequence[Prosody]) -> list[Figure | Remark]:
    """Time ticks by the clock, which other programs of the machine prolong, and by the core."""
    animation, board, ticks_s = ProceduralAnimation(SEED), neutral_board(), []
    voice_hops = voice[:TIMED_TICKS]
    prepare_steady_state()
    begin_s = time.thread_time()
    for tick, prosody in enumerate(voice_hops):
        start_s = host_now()
        animation.frame(tick / TICKS_HZ, Cues(prosody), board)
        ticks_s.append(host_now() - start_s)
    worked_ms = 1e3 * (time.thread_time() - begin_s) / len(voice_hops)
    return [
        *figures_of("a tick of one face", spread_of(ticks_s), median_ms=MOST_TICK_MS),
        Figure("  of which on the processor, mean", worked_ms, "ms", maximum=MOST_TICK_MS),
    ]


def _growth_kb(voice: Sequence[Prosody]) -> float:
    """Return how much more Python and NumPy hold after many ticks of one face than before."""
    animation, board = ProceduralAnimation(SEED), neutral_board()

    def live(ticks: range) -> None:
        for tick in ticks:
            animation.frame(tick / TICKS_HZ, Cues(voice[tick % len(voice)]), board)

    live(range(FIRST_TICKS))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    live(range(FIRST_TICKS, FIRST_TICKS + GROWTH_TICKS))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / 1024


HALF_AN_HOUR_S = 1800.0


FINE_HZ, FINE_S = 500.0, 240.0
"""Blinks and saccades are timed in steps of 2 ms: a tick of a run is as long as some of them."""
PEOPLE, EACH_S = 24, 240.0
"""Characters whose blinks are compared."""


PAUSE_HOPS = 30
"""Silence between one reading of the speech and the next: the end of a phrase."""
QUIET_JERK_DEG_S3 = 24_000.0
"""Jerk of a head that a phone tracks, in the calmest half second of a real Live Link Face stream;
what is far below it has no jitter that anybody sees."""
MOST_RECORDINGS = 200
LAG_HOPS = 25
"""A head is looked for up to half a second behind its voice."""


def measure_alive(config: BenchConfig) -> Lines:
    """Live for an hour in simulated time; with `config.data`, with those recordings as well."""
    voice = _voice()
    talking = simulated_motion(SEED, voice, HALF_AN_HOUR_S, TICKS_HZ)
    listening = simulated_motion(SEED, (), HALF_AN_HOUR_S, TICKS_HZ)
    return [
        *_blinks(voice),
        *_gaze(talking, listening, simulated_motion(SEED, voice, FINE_S, FINE_HZ)),
        *_head(talking, listening),
        *(_together(config.data) if config.data else ()),
        *emotion_changes(),
        *animation_costs(voice),
    ]


def _voice() -> list[Prosody]:
    """Return the hops of a voice that has read its text before, and then pauses."""
    sound = np.concatenate([*network_input(open_sound(SPEECH_PATH))])
    pause = np.zeros(PAUSE_HOPS * HOP_SAMPLES, dtype=np.float32)
    return list(prosodies([sound, pause] * 40))


def _blinks(voice: Sequence[Prosody]) -> Lines:
    talking, listening = (
        np.array(
            [
                simulated_motion(seed, speech, EACH_S, TICKS_HZ).blinks_per_min
                for seed in range(PEOPLE)
            ]
        )
        for speech in (voice, ())
    )
    close_ms, open_ms = simulated_motion(SEED, voice, FINE_S, FINE_HZ).blinks_ms.T
    spread = float(np.log(talking).std())
    in_range = float(np.mean((talking >= 15.0) & (talking <= 30.0)))
    return [
        Remark(f"blinks of {PEOPLE} characters, {EACH_S:g} s each"),
        Figure("blinks talking, median", float(np.median(talking)), "/min", 15.0, 30.0),
        Figure("  characters between 15 and 30", in_range, "", 0.9),
        Figure("blinks listening, median", float(np.median(listening)), "/min", 8.0, 26.0),
        Figure("  log-normal spread over characters", spread, "", 0.1, 0.532),
        Figure("lids close, shortest", float(close_ms.min()), "ms", 70.0),
        Figure("lids close, longest", float(close_ms.max()), "ms", maximum=110.0),
        Figure("lids open, shortest", float(open_ms.min()), "ms", 150.0),
        Figure("lids open, longest", float(open_ms.max()), "ms", maximum=300.0),
    ]


def _gaze(talking: MotionTrajectory, listening: MotionTrajectory, fine: MotionTrajectory) -> Lines:
    per_deg, at_none = np.polyfit(fine.saccades[:, 0], fine.saccades[:, 1], 1).tolist()
    sizes = np.concatenate([whole.saccades[:, 0] for whole in (talking, listening)])
    return [
        Remark("half an hour of talking and half an hour of listening, 60 ticks a second"),
        Figure("saccades, minimum", at_none, "ms", 20.0, 30.0),
        Figure("saccades, longer by", per_deg, "ms/degree", 2.2, 2.7),
        Figure("saccades below 15 degrees", float(np.mean(sizes < 15.0)), "", 0.9),
        Figure("mutual gaze talking", float(talking.is_mutual.mean()), "", 0.35, 0.47),
        Figure("mutual gaze listening", float(listening.is_mutual.mean()), "", 0.69, 0.81),
    ]


def _head(talking: MotionTrajectory, listening: MotionTrajectory) -> Lines:
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
    animation, tracker, now_s = ProceduralAnimation(SEED), ProsodyTracker(), 0.0
    recordings = (path for path in sorted(folder.rglob("*")) if path.suffix in AUDIO_SUFFIXES)
    found = []
    for path in islice(recordings, MOST_RECORDINGS):
        sound = np.concatenate([*network_input(open_sound(path))])
        whole = sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES]
        rows = []
        for prosody in tracker.process(whole):
            pitch = float(animation.step(now_s, Cues(prosody)).head[1])
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
