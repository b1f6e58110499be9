import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cstalk_bridge.face.performer import (
    MAX_HELD_S,
    SILENCE_S,
    Fallback,
    FallbackMode,
    FallbackPolicies,
    FallbackPolicy,
    Performer,
    Situation,
)
from cstalk_bridge.face.procedural.animation import (
    NO_ANIMATION_LEVELS,
    ProceduralAnimation,
    compose_poses,
)
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import Prosody
from cstalk_bridge.face.timeline import ReadTiming, TimelineReading
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.rig.curves import Showing, neutral_board

LIVE, SILENCE, LATE, LOST, PAUSE = Situation
TICK_S = 1 / 60


def row(value: float) -> NDArray[np.float32]:
    return np.array([value], dtype=np.float32)


def settled(policies: FallbackPolicies, value: float = 0.8) -> Fallback:
    """A face shown live for a second, until time 0."""
    settling = Fallback(1, policies)
    for tick in range(-60, 1):
        settling.step(tick * TICK_S, LIVE, row(value))
    return settling


def at(settling: Fallback, now_s: float, situation: Situation) -> float:
    return float(settling.step(now_s, situation, None)[0])


def test_a_live_face_is_followed_exactly() -> None:
    settling = settled(FallbackPolicies())
    assert settling.step(1.0, LIVE, row(0.3))[0] == np.float32(0.3)


def test_each_fallback_mode_does_as_its_name_states() -> None:
    hold = settled(FallbackPolicies(lost=FallbackPolicy(FallbackMode.HOLD)))
    assert at(hold, 0.1, LOST) == at(hold, 100.0, LOST) == np.float32(0.8)
    decay = settled(
        FallbackPolicies(lost=FallbackPolicy(FallbackMode.DECAY, decay_s=0.5, hold_s=1.0))
    )
    at(decay, 0.0, LOST)
    assert at(decay, 0.99, LOST) == np.float32(0.8)
    assert at(decay, 1.5, LOST) == pytest.approx(0.8 * math.exp(-1.0))
    neutral = settled(
        FallbackPolicies(lost=FallbackPolicy(FallbackMode.NEUTRAL, decay_s=0.5, hold_s=1.0))
    )
    at(neutral, 0.0, LOST)
    assert at(neutral, 0.5, LOST) == pytest.approx(0.8 * math.exp(-1.0))
    assert at(neutral, 30.0, LOST) == pytest.approx(0.0, abs=1e-6)


def test_in_silence_the_generated_face_is_followed_or_faded_out() -> None:
    follow = settled(FallbackPolicies())
    follow.step(0.0, SILENCE, row(0.1))
    assert follow.step(1.0, SILENCE, row(0.1))[0] == np.float32(0.1)
    neutral = settled(FallbackPolicies(silence=FallbackPolicy(FallbackMode.NEUTRAL, decay_s=0.2)))
    neutral.step(0.0, SILENCE, row(0.1))
    assert neutral.step(2.0, SILENCE, row(0.1))[0] == pytest.approx(0.0, abs=1e-3)


def test_one_missed_tick_is_recovered_within_a_tick() -> None:
    settling = settled(FallbackPolicies())
    assert at(settling, TICK_S, LOST) == np.float32(0.8)
    settling.step(2 * TICK_S, LIVE, row(0.6))
    assert settling.step(3.1 * TICK_S, LIVE, row(0.5))[0] == np.float32(0.5)


def test_each_situation_has_a_policy_of_its_own() -> None:
    policies = FallbackPolicies(
        silence=FallbackPolicy(FallbackMode.NEUTRAL),
        late=FallbackPolicy(FallbackMode.FOLLOW),
        lost=FallbackPolicy(FallbackMode.DECAY),
        pause=FallbackPolicy(FallbackMode.HOLD),
    )
    assert [policies.of(situation).mode for situation in (SILENCE, LATE, LOST, PAUSE)] == [
        FallbackMode.NEUTRAL,
        FallbackMode.FOLLOW,
        FallbackMode.DECAY,
        FallbackMode.HOLD,
    ]
    assert policies.of(LIVE).mode is FallbackMode.FOLLOW


@given(st.lists(st.tuples(st.sampled_from(list(Situation)), st.integers(1, 30)), max_size=12))
def test_no_change_of_situation_makes_the_face_jump(turns: list[tuple[Situation, int]]) -> None:
    settling = settled(FallbackPolicies(silence=FallbackPolicy(FallbackMode.NEUTRAL)))
    shown = [0.8]
    tick = 0
    for situation, ticks in turns:
        for _ in range(ticks):
            tick += 1
            given_row = None if situation in {LATE, LOST} else row(0.8)
            shown.append(float(settling.step(tick * TICK_S, situation, given_row)[0]))
    assert 0.0 <= min(shown) <= max(shown) <= np.float32(0.8) + 1e-6
    assert np.abs(np.diff(shown)).max(initial=0.0) < 0.25


@pytest.mark.parametrize("times", [{"decay_s": 0.0}, {"hold_s": -1.0}, {"return_s": -0.1}])
def test_an_invalid_policy_is_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="decay_s must be above 0"):
        FallbackPolicy(FallbackMode.DECAY, **times)


CHANNELS = ("CTRL_C_jaw.ty", "CTRL_L_brow_down.ty")
JAW = CHANNEL_INDEX["CTRL_C_jaw.ty"]


SPEAKING = Cues(Prosody(pause_s=0.0))


def still(policies: FallbackPolicies | None = None) -> Performer:
    """A performer without procedural animation."""
    return Performer(CHANNELS, ProceduralAnimation(1, NO_ANIMATION_LEVELS), policies)


@dataclass(frozen=True)
class Shown:
    """A face with all curves, of one character."""

    board: NDArray[np.float32]
    head: NDArray[np.float32]
    showing: Showing


def played(
    performer: Performer, reading: TimelineReading | None, cues: Cues, now_s: float, **flags: bool
) -> Shown:
    pose = performer.pose(reading, cues, now_s, **flags)
    (board,) = compose_poses([pose])
    return Shown(board, pose.motion.head, pose.showing)


def face(jaw: float, brow: float = 0.0) -> NDArray[np.float32]:
    return np.array([jaw, brow], dtype=np.float32)


def live(performer: Performer, start_s: float, jaw: float, seconds: float) -> float:
    """Show a face for a while; return the time of the last frame."""
    ticks = round(seconds / TICK_S)
    for tick in range(ticks + 1):
        played(
            performer,
            TimelineReading(face(jaw), ReadTiming.LIVE),
            SPEAKING,
            start_s + tick * TICK_S,
        )
    return start_s + ticks * TICK_S


def test_a_row_fills_its_board_channels_and_the_rest_is_neutral() -> None:
    performer = still()
    live(performer, 0.0, 0.5, 0.5)
    frame = played(performer, TimelineReading(face(0.5, 0.25), ReadTiming.LIVE), SPEAKING, 1.0)
    assert frame.board.shape == (174,)
    assert frame.board[JAW] == np.float32(0.5)
    assert frame.board[CHANNEL_INDEX["CTRL_L_brow_down.ty"]] == np.float32(0.25)
    assert np.count_nonzero(frame.board - neutral_board()) == 2
    assert not frame.head.any()


def test_before_the_first_face_the_frame_is_neutral() -> None:
    np.testing.assert_array_equal(played(still(), None, SPEAKING, 5.0).board, neutral_board())


def test_a_gap_holds_the_face_then_fades_it_out() -> None:
    performer = still(
        FallbackPolicies(lost=FallbackPolicy(FallbackMode.DECAY, hold_s=0.25, decay_s=0.3))
    )
    end_s = live(performer, 0.0, 0.8, 0.5)
    gap_s = end_s + TICK_S
    starved = TimelineReading(face(0.1), ReadTiming.LATE, ready_s=end_s, late_s=0.3)
    held = played(performer, starved, SPEAKING, gap_s, is_starved=True).board[JAW]
    assert held == np.float32(0.8)
    assert played(performer, None, SPEAKING, gap_s + 0.24).board[JAW] == held
    fallen = played(performer, None, SPEAKING, gap_s + 0.25 + 0.3).board[JAW]
    np.testing.assert_allclose(fallen, 0.8 * np.exp(-1.0), rtol=1e-5)
    assert played(performer, None, SPEAKING, gap_s + 5.0).board[JAW] < 1e-6


def test_after_a_gap_the_face_returns_without_a_pop() -> None:
    performer = still(FallbackPolicies(lost=FallbackPolicy(FallbackMode.DECAY, return_s=0.15)))
    gap_s = live(performer, 0.0, 0.8, 0.5) + TICK_S
    played(performer, None, SPEAKING, gap_s)
    before = played(performer, None, SPEAKING, gap_s + 1.0).board[JAW]
    times_s = [gap_s + 1.0 + tick * TICK_S for tick in range(1, 13)]
    back = [
        played(performer, TimelineReading(face(1.0), ReadTiming.LIVE), SPEAKING, at_s).board[JAW]
        for at_s in times_s
    ]
    shown = [before, *back]
    steps = np.diff(shown)
    assert steps.min() > -1e-6
    assert steps.max() < 0.2
    assert shown[-1] == np.float32(1.0)


def test_one_late_read_is_recovered_within_a_tick() -> None:
    performer = still()
    late_s = live(performer, 0.0, 0.8, 0.5) + TICK_S
    late = TimelineReading(face(0.7), ReadTiming.LATE, ready_s=late_s - 0.02, late_s=0.01)
    held = played(performer, late, SPEAKING, late_s)
    assert (held.board[JAW], held.showing) == (np.float32(0.7), Showing.HELD)
    fresh = played(
        performer, TimelineReading(face(0.6), ReadTiming.LIVE), SPEAKING, late_s + TICK_S
    )
    assert fresh.showing is Showing.LIVE
    exact = played(
        performer, TimelineReading(face(0.5), ReadTiming.LIVE), SPEAKING, late_s + 2.1 * TICK_S
    ).board[JAW]
    assert exact == np.float32(0.5)


def test_the_situations_are_distinguished() -> None:
    gone = FallbackPolicy(FallbackMode.NEUTRAL, decay_s=0.01)
    quiet = Cues(Prosody(pause_s=SILENCE_S))
    jaws = []
    old = TimelineReading(face(0.8), ReadTiming.LATE, ready_s=-MAX_HELD_S, late_s=0.5)
    fresh = TimelineReading(face(0.8), ReadTiming.LIVE)
    for policies in (
        FallbackPolicies(silence=gone),
        FallbackPolicies(late=gone),
        FallbackPolicies(lost=gone),
        FallbackPolicies(pause=gone),
    ):
        for reading, cues, is_paused, is_starved in (
            (fresh, quiet, False, False),
            (old, SPEAKING, False, False),
            (old, SPEAKING, False, True),
            (fresh, SPEAKING, True, False),
        ):
            performer = still(policies)
            end_s = live(performer, 0.0, 0.8, 0.5)
            for after_s in (0.02, 1.0):
                frame = played(
                    performer,
                    reading,
                    cues,
                    end_s + after_s,
                    is_paused=is_paused,
                    is_starved=is_starved,
                )
            jaws.append(float(frame.board[JAW]))
    fell = np.reshape(jaws, (4, 4)) < 1e-6
    # By default a late face fades out at once, and a lost one after its hold, slower.
    np.testing.assert_array_equal(fell, np.eye(4, dtype=bool))


def test_the_newest_row_is_shown_while_rows_are_late_and_rests_when_none_follows() -> None:
    performer = still()
    end_s = live(performer, 0.0, 0.8, 0.5)
    jaws: dict[Showing, list[float]] = {Showing.HELD: [], Showing.RESTING: []}
    for tick in range(1, 180):
        now_s = end_s + tick * TICK_S
        late = TimelineReading(face(0.6), ReadTiming.LATE, ready_s=end_s, late_s=now_s - end_s)
        frame = played(performer, late, SPEAKING, now_s)
        jaws[frame.showing].append(float(frame.board[JAW]))
    held, resting = jaws[Showing.HELD], jaws[Showing.RESTING]
    assert len(held) == pytest.approx(MAX_HELD_S / TICK_S, abs=1)
    np.testing.assert_allclose(held, 0.6, rtol=1e-6)
    steps = np.diff([held[-1], *resting])
    assert steps.max() <= 0.0, "it eases down"
    assert steps.min() > -0.05, "and does not fall shut"
    assert resting[-1] < 0.01


def test_a_late_row_that_follows_is_shown_however_long_rows_have_been_late() -> None:
    performer = still()
    end_s = live(performer, 0.0, 0.8, 0.5)
    for tick in range(1, 300):
        now_s = end_s + tick * TICK_S
        jaw = 0.4 + 0.3 * np.sin(tick / 10)
        late = TimelineReading(
            face(jaw), ReadTiming.LATE, ready_s=now_s - 0.1, late_s=tick * TICK_S
        )
        frame = played(performer, late, SPEAKING, now_s)
        assert frame.board[JAW] == pytest.approx(jaw, abs=1e-6)
        assert frame.showing is Showing.HELD


def test_a_starved_face_follows_the_policy_of_lost_input_at_once() -> None:
    performer = still(FallbackPolicies(lost=FallbackPolicy(FallbackMode.HOLD)))
    end_s = live(performer, 0.0, 0.8, 0.5)
    for tick in range(1, 120):
        now_s = end_s + tick * TICK_S
        late = TimelineReading(face(0.6), ReadTiming.LATE, ready_s=end_s, late_s=0.3)
        frame = played(performer, late, SPEAKING, now_s, is_starved=True)
        assert frame.showing is Showing.RESTING
        assert frame.board[JAW] == np.float32(0.8)


def test_before_its_first_row_a_face_rests() -> None:
    performer = still()
    frame = played(performer, TimelineReading(None, ReadTiming.EARLY), SPEAKING, 3.0)
    assert frame.showing is Showing.RESTING
    np.testing.assert_array_equal(frame.board, neutral_board())


def test_a_pause_hides_no_late_row() -> None:
    performer = still()
    end_s = live(performer, 0.0, 0.8, 0.5)
    late = TimelineReading(face(0.6), ReadTiming.LATE, ready_s=end_s, late_s=0.1)
    frame = played(performer, late, SPEAKING, end_s + 0.1, is_paused=True)
    assert frame.showing is Showing.HELD
    assert frame.board[JAW] == np.float32(0.8)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans(), st.integers(1, 60)), max_size=8))
def test_no_row_that_arrives_or_is_late_makes_the_face_jump(
    turns: list[tuple[float, bool, int]],
) -> None:
    performer = still()
    now_s = live(performer, 0.0, 0.8, 0.5)
    ready_s, shown = now_s, [0.8]
    for age_s, is_starved, ticks in turns:
        ready_s = max(ready_s, now_s - age_s)
        for _ in range(ticks):
            now_s += TICK_S
            late = TimelineReading(
                face(0.8), ReadTiming.LATE, ready_s=ready_s, late_s=now_s - ready_s
            )
            frame = played(performer, late, SPEAKING, now_s, is_starved=is_starved)
            shown.append(float(frame.board[JAW]))
    assert 0.0 <= min(shown) <= max(shown) <= np.float32(0.8) + 1e-6
    assert np.abs(np.diff(shown)).max(initial=0.0) < 0.25


def test_faces_composed_together_equal_faces_composed_alone() -> None:
    performers = [Performer(CHANNELS, ProceduralAnimation(seed)) for seed in (1, 2, 3)]
    alone = [Performer(CHANNELS, ProceduralAnimation(seed)) for seed in (1, 2, 3)]
    for tick in range(300):
        now_s = tick * TICK_S
        readings = [TimelineReading(face(0.1 * n, 0.2), ReadTiming.LIVE) for n in range(3)]
        both = list(zip(performers, readings, strict=True))
        poses = [performer.pose(reading, SPEAKING, now_s) for performer, reading in both]
        boards = compose_poses(poses)
        for performer, reading, board in zip(alone, readings, boards, strict=True):
            np.testing.assert_array_equal(played(performer, reading, SPEAKING, now_s).board, board)


def test_in_silence_procedural_animation_continues() -> None:
    performer = Performer(CHANNELS, ProceduralAnimation(3))
    frames = [played(performer, None, Cues(), tick * TICK_S, is_paused=True) for tick in range(900)]
    boards = np.array([frame.board for frame in frames])
    moved = np.ptp(boards, axis=0)
    assert moved[CHANNEL_INDEX["CTRL_L_eye_blink.ty"]] > 0.9
    assert moved[CHANNEL_INDEX["CTRL_L_eye.tx"]] > 0.02
    assert moved[JAW] == 0.0
    assert np.ptp([frame.head for frame in frames], axis=0)[:3].min() > 0.001
