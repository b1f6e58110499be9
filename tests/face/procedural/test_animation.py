"""Half an hour of talking and half an hour of listening, against the published statistics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.face.procedural.animation import ProceduralAnimation
from cstalk_bridge.face.procedural.compose import NO_ANIMATION_LEVELS, Levels, ProceduralMotion
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import Prosody, ProsodyTracker
from cstalk_bridge.frame import neutral_board
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from tests.face.procedural.conversation import TICK_S, silence, speech, talk

HALF_AN_HOUR_S = 1800.0
EYE = CHANNEL_INDEX["CTRL_L_eye.tx"]
BLINK = CHANNEL_INDEX["CTRL_L_eye_blink.ty"]


@dataclass
class Trajectory:
    """A life tick by tick: closures [time], heads [time, 6] and gaze [time, 2] in degrees."""

    closure: NDArray[np.float64]
    head: NDArray[np.float64]
    gaze: NDArray[np.float64]
    is_mutual: NDArray[np.bool_]

    @property
    def blinks_per_min(self) -> NDArray[np.float64]:
        """Blinks in each minute."""
        starts = (self.closure[1:] > 0.0) & (self.closure[:-1] == 0.0)
        a_minute = round(60 / TICK_S)
        whole = len(starts) // a_minute
        return np.array(starts[: whole * a_minute].reshape(whole, a_minute).sum(axis=1), float)


def motions_of(
    animation: ProceduralAnimation, voice: Iterable[Prosody], start_s: float = 0.0
) -> Iterator[ProceduralMotion]:
    for tick, prosody in enumerate(voice):
        yield animation.step(start_s + tick * TICK_S, Cues(prosody))


def trajectory_of(seed: int, voice: Iterable[Prosody]) -> Trajectory:
    rows = [
        (motion.closure, motion.is_mutual, *motion.gaze_deg, *motion.head.tolist())
        for motion in motions_of(ProceduralAnimation(seed), voice)
    ]
    table = np.array(rows)
    return Trajectory(table[:, 0], table[:, 4:], table[:, 2:4], table[:, 1] > 0.5)


@pytest.fixture(scope="module")
def talking() -> Trajectory:
    return trajectory_of(3, talk(3, HALF_AN_HOUR_S))


@pytest.fixture(scope="module")
def listening() -> Trajectory:
    return trajectory_of(3, silence(HALF_AN_HOUR_S))


def test_eyes_blink_as_often_as_people_do(talking: Trajectory, listening: Trajectory) -> None:
    assert 15.0 <= np.median(talking.blinks_per_min) <= 30.0
    assert 0.1 < np.log(talking.blinks_per_min).std() < 0.532
    assert 8.0 <= np.median(listening.blinks_per_min) <= 26.0
    assert listening.blinks_per_min.mean() < talking.blinks_per_min.mean()


def test_mutual_gaze_has_the_published_shares(talking: Trajectory, listening: Trajectory) -> None:
    assert talking.is_mutual.mean() == pytest.approx(0.41, abs=0.06)
    assert listening.is_mutual.mean() == pytest.approx(0.75, abs=0.06)
    for whole in (talking, listening):
        is_on_face = np.hypot(*whole.gaze.T) < 4.6
        assert np.mean(is_on_face == whole.is_mutual) > 0.97


def test_gaze_is_held_while_the_head_moves(talking: Trajectory) -> None:
    still = np.abs(np.diff(talking.gaze, axis=0)).max(axis=1) < 1e-6
    turning = np.abs(np.diff(talking.head[:, :2], axis=0)).max(axis=1) > np.radians(2.0) * TICK_S
    assert np.mean(still[turning]) > 0.7


def test_the_head_moves_below_five_hertz_without_jitter(
    talking: Trajectory, listening: Trajectory
) -> None:
    for whole in (talking, listening):
        speed = np.diff(whole.head, axis=0)
        power = np.abs(np.fft.rfft(speed, axis=0)) ** 2
        hertz = np.fft.rfftfreq(len(speed), TICK_S)
        moving = power.sum(axis=0) > 0.0
        below = power[hertz < 5.0].sum(axis=0)[moving] / power.sum(axis=0)[moving]
        assert below.min() >= 0.95
        assert np.degrees(np.abs(speed[:, :3]).max()) < 40.0 * TICK_S


def test_the_head_of_a_listener_is_calmer_and_never_frozen(
    talking: Trajectory, listening: Trajectory
) -> None:
    def speed(whole: Trajectory) -> NDArray[np.float64]:
        turned = np.abs(np.diff(whole.head[:, :3], axis=0)).sum(axis=1)
        return np.array(np.degrees(turned) / TICK_S)

    assert speed(talking).mean() > 2 * speed(listening).mean()
    seconds = speed(listening)[: 60 * 1700].reshape(-1, 60).mean(axis=1)
    assert seconds.min() > 0.02


def test_the_same_seed_and_voice_give_the_same_life_and_another_seed_another() -> None:
    one, same, other = (
        [
            motion.apply_to(neutral_board())
            for motion in motions_of(ProceduralAnimation(seed), talk(1, 20.0))
        ]
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_levels_switch_parts_off() -> None:
    smiling = neutral_board()
    smiling[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    off = ProceduralAnimation(5, NO_ANIMATION_LEVELS)
    for tick, prosody in enumerate(talk(5, 60.0)):
        frame = off.frame(tick * TICK_S, Cues(prosody), smiling)
        np.testing.assert_array_equal(frame.board, smiling)
        assert not frame.head.any()


def test_a_level_changed_while_running_does_not_pop() -> None:
    animation = ProceduralAnimation(6)
    voice = talk(6, 60.0)
    heads = [motion.head for motion in motions_of(animation, islice(voice, 1800))]
    animation.levels = Levels(head=0.0)
    heads += [motion.head for motion in motions_of(animation, voice, 1800 * TICK_S)]
    assert np.abs(np.diff(heads, axis=0)).max() < 0.012 * 2
    assert np.abs(heads[-600:]).max() < 1e-4
    assert animation.eased_levels.head < 1e-3


def test_only_a_blink_and_a_saccade_step_far_in_a_tick() -> None:
    before, steps = None, []
    for motion in motions_of(ProceduralAnimation(9), talk(9, 120.0)):
        board = motion.apply_to(neutral_board())
        if before is not None:
            steps.append(np.abs(board - before))
        before = board
    largest = dict(zip([channel.name for channel in CHANNELS], np.max(steps, axis=0), strict=True))
    assert largest["CTRL_L_eye_blink.ty"] < 0.5
    assert largest["CTRL_L_eye.tx"] < 0.4
    for name, step in largest.items():
        if "_eye" not in name:
            assert step < 0.06, name


def test_life_leaves_the_mouth_to_the_words() -> None:
    touched = np.zeros(len(CHANNELS), dtype=bool)
    for motion in motions_of(ProceduralAnimation(14), talk(14, 120.0)):
        touched |= motion.apply_to(neutral_board()) != neutral_board()
    regions = {channel.region for channel in CHANNELS if touched[channel.index]}
    assert regions == {"gaze", "eyelid", "brow"}


def test_a_frame_is_the_generated_face_at_its_levels_with_life_on_top() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] = 0.4
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    levels = Levels(mouth=0.5, gaze=0.0, brows=0.0, blink=0.0, idle=0.0)
    frame = ProceduralAnimation(15, levels).frame(2.0, Cues(), board)
    motion = ProceduralAnimation(15, levels).step(2.0, Cues())
    assert frame.time_s == 2.0
    assert frame.board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] == np.float32(0.2)
    assert frame.board[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]] == pytest.approx(0.2)
    np.testing.assert_array_equal(frame.head, motion.head)
    assert board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] == np.float32(0.4)


def test_a_head_moves_with_real_speech() -> None:
    tracker, animation, sound = ProsodyTracker(), ProceduralAnimation(16), np.tile(speech(), 6)
    levels, heads = [], []
    for hop in range(len(sound) // HOP_SAMPLES):
        prosody = tracker.step(sound[hop * HOP_SAMPLES : (hop + 1) * HOP_SAMPLES])
        levels.append(prosody.level)
        heads.append(animation.step(hop * HOP_S, Cues(prosody)).head[:3])
    speed = np.sqrt((np.diff(np.array(heads, float), axis=0) ** 2).sum(axis=1))
    window = np.ones(10) / 10
    loudness, moved = np.convolve(levels[1:], window, "same"), np.convolve(speed, window, "same")
    together = [
        np.corrcoef(loudness[: len(loudness) - lag], moved[lag:])[0, 1] for lag in range(15)
    ]
    assert max(together) >= 0.4


def test_lids_go_with_the_eyes() -> None:
    pairs = [
        motion.apply_to(neutral_board())[[CHANNEL_INDEX["CTRL_L_eye.ty"], BLINK]]
        for motion in motions_of(ProceduralAnimation(10), silence(300.0))
        if motion.closure == 0.0
    ]
    upward, lids = np.array(pairs).T
    assert np.corrcoef(upward, lids)[0, 1] < -0.9
    assert lids.max() > 0.1


def test_a_time_that_stands_still_changes_nothing_and_a_gap_does_not_jump() -> None:
    animation = ProceduralAnimation(11)
    last = list(motions_of(animation, talk(11, 10.0)))[-1]
    again = animation.step(10.0 - TICK_S, Cues())
    assert again.eyes_deg == last.eyes_deg
    np.testing.assert_array_equal(animation.step(3.0, Cues()).head, last.head)
    after = animation.step(5000.0, Cues())
    assert np.abs(after.head - last.head).max() < 0.1


def test_moods_blend_into_life_without_a_jump() -> None:
    animation = ProceduralAnimation(12)
    heads = []
    for tick, prosody in enumerate(talk(12, 20.0)):
        emotion = np.zeros(len(EMOTIONS), dtype=np.float32)
        emotion[EMOTIONS.index("sad" if tick % 300 < 150 else "happy")] = 1.0
        heads.append(animation.step(tick * TICK_S, Cues(prosody, emotion)).head)
    assert np.abs(np.diff(heads, axis=0)).max() < 0.05


def test_what_is_kept_does_not_grow() -> None:
    import tracemalloc

    animation = ProceduralAnimation(13)
    voice = talk(13, 130.0)
    for _ in motions_of(animation, islice(voice, 3000)):
        pass
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in motions_of(animation, islice(voice, 3000), 3000 * TICK_S):
        pass
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
