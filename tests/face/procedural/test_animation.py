"""Half an hour of talking and half an hour of listening, against the published statistics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.document import FieldError
from cstalk_bridge.face.procedural.animation import (
    CHEEK_SHARE,
    LEVEL_NAMES,
    LID_LOWER_LIMIT,
    MOST_PARTED,
    MOTION_VALUES,
    NO_ANIMATION_LEVELS,
    SQUINT_SHARE,
    Expression,
    Levels,
    ProceduralAnimation,
    ProceduralMotion,
    apply_levels,
    couple_expression,
    overlay,
    read_levels,
)
from cstalk_bridge.face.procedural.cues import Cues, CueTracker
from cstalk_bridge.face.procedural.muscles import (
    GAIN_COUNT,
    GROUP_COUNT,
    GROUP_NAMES,
    SHIFT_COUNT,
    SMALL_NAMES,
)
from cstalk_bridge.face.procedural.prosody import Prosody, ProsodyTracker
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS, MOUTH_REGIONS, UPPER_FACE_REGIONS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.rig.curves import neutral_board, neutral_head
from tests.face.procedural.conversation import TICK_S, silence, speech, talk


@pytest.mark.parametrize("name", [field.name for field in fields(Levels)])
@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan")])
def test_a_level_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Levels(**{name: value})


def test_levels_go_from_off_to_twice_and_shares_to_one() -> None:
    names = [field.name for field in fields(Levels)]
    shares = ("symmetry", "resting_lips")
    Levels(**dict.fromkeys(names, 0.0))
    Levels(**{name: 1.0 if name in shares else 2.0 for name in names})
    for name in shares:
        with pytest.raises(ValueError, match=name):
            Levels(**{name: 1.5})


def test_levels_at_0_add_nothing_to_the_generated_face() -> None:
    assert NO_ANIMATION_LEVELS.liveliness == 0.0
    for name in ("blink", "acting", "emphasis"):
        assert replace(NO_ANIMATION_LEVELS, **{name: 0.5}).liveliness == 0.5
    assert Levels(gaze=2.0).liveliness == 1.0


def test_levels_are_parsed_as_on_the_command_line() -> None:
    assert read_levels(" gaze:0.5, head : 0,") == {"gaze": "0.5", "head": "0"}
    assert read_levels("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gaze", "'gaze' is not a level"),
        ("ears:1", "ears:1"),
        ("head:1,head:0", "head is given twice"),
    ],
)
def test_an_invalid_list_of_levels_is_reported_with_the_known_parts(
    text: str, message: str
) -> None:
    with pytest.raises(FieldError) as caught:
        read_levels(text)
    assert message in caught.value.what
    assert all(part in (caught.value.remedy or "") for part in LEVEL_NAMES)


LOW = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
HIGH = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


@pytest.fixture
def board() -> NDArray[np.float32]:
    fractions = np.random.default_rng(1).uniform(0.2, 0.8, len(CHANNELS)).astype(np.float32)
    return LOW + fractions * (HIGH - LOW)


def test_default_levels_change_nothing(board: NDArray[np.float32]) -> None:
    assert apply_levels(board, Levels()) is board


@pytest.mark.parametrize(
    ("levels", "regions"),
    [(Levels(mouth=0.5), MOUTH_REGIONS), (Levels(upper_face=0.5), UPPER_FACE_REGIONS)],
)
def test_a_gain_scales_its_regions_only(
    board: NDArray[np.float32], levels: Levels, regions: frozenset[str]
) -> None:
    scaled = apply_levels(board, levels)
    for channel in CHANNELS:
        share = 0.5 if channel.region in regions and not channel.rest else 1.0
        assert scaled[channel.index] == pytest.approx(share * board[channel.index])


def test_no_gain_leaves_the_range(board: NDArray[np.float32]) -> None:
    strong = apply_levels(board, Levels(mouth=2.0, upper_face=2.0))
    assert np.all((strong >= LOW) & (strong <= HIGH))
    assert strong[CHANNEL_INDEX["CTRL_C_jaw.ty"]] > board[CHANNEL_INDEX["CTRL_C_jaw.ty"]]


def test_full_symmetry_mirrors_a_face(board: NDArray[np.float32]) -> None:
    for symmetry, left in ((1.0, 0.0), (0.5, 0.5)):
        shown = apply_levels(board, Levels(symmetry=symmetry))
        for channel in CHANNELS:
            other = CHANNEL_INDEX[channel.mirror]
            before = board[channel.index] - channel.mirror_sign * board[other]
            after = shown[channel.index] - channel.mirror_sign * shown[other]
            assert after == pytest.approx(left * before, abs=1e-6)


def motion(
    *,
    eyes_deg: tuple[float, float] = (0.0, 0.0),
    closure: float = 0.0,
    brow_raise: float = 0.0,
    expression_drift: float = 0.0,
    gains: NDArray[np.float64] | None = None,
    shifts: NDArray[np.float64] | None = None,
    lip_closing: float = 0.0,
) -> ProceduralMotion:
    return ProceduralMotion(
        eyes_deg,
        closure,
        brow_raise,
        expression_drift,
        neutral_head(),
        eyes_deg,
        is_mutual=True,
        gains=np.zeros(GAIN_COUNT) if gains is None else gains,
        shifts=np.zeros(SHIFT_COUNT) if shifts is None else shifts,
        lip_closing=lip_closing,
    )


def test_gaze_turns_the_eyes_in_proportion_to_their_travel() -> None:
    board = motion(eyes_deg=(20.0, 15.0)).apply_to(neutral_board())
    for side in "LR":
        assert board[CHANNEL_INDEX[f"CTRL_{side}_eye.tx"]] == 0.5
        assert board[CHANNEL_INDEX[f"CTRL_{side}_eye.ty"]] == 0.5
    board = motion(eyes_deg=(-20.0, -20.0)).apply_to(neutral_board())
    assert board[CHANNEL_INDEX["CTRL_L_eye.tx"]] == board[CHANNEL_INDEX["CTRL_L_eye.ty"]] == -0.5


def test_lids_follow_the_eyes_up_and_down() -> None:
    lids = [
        motion(eyes_deg=(0.0, pitch)).apply_to(neutral_board())[
            CHANNEL_INDEX["CTRL_R_eye_blink.ty"]
        ]
        for pitch in (6.0, 0.0, -10.0, -90.0)
    ]
    assert lids[0] < lids[1] == 0.0 < lids[2] < lids[3]
    assert lids[3] == np.float32(LID_LOWER_LIMIT)


def test_many_rows_are_overlaid_as_one_by_one() -> None:
    random = np.random.default_rng(4)
    boards = random.uniform(LOW, HIGH, (20, len(CHANNELS))).astype(np.float32)
    more = GAIN_COUNT + SHIFT_COUNT
    low = (-50, -50, 0, 0, -0.5, *[-0.5] * more, 0)
    high = (50, 50, 1, 1, 0.5, *[0.5] * more, 1)
    values = random.uniform(low, high, (20, MOTION_VALUES)).astype(np.float32)
    one_by_one = [
        motion(
            eyes_deg=(yaw, pitch),
            closure=shut,
            brow_raise=up,
            expression_drift=expression_drift,
            gains=np.array(rest[:GAIN_COUNT]),
            shifts=np.array(rest[GAIN_COUNT:-1]),
            lip_closing=rest[-1],
        ).apply_to(board)
        for board, (yaw, pitch, shut, up, expression_drift, *rest) in zip(
            boards, values.tolist(), strict=True
        )
    ]
    np.testing.assert_allclose(overlay(boards, values), one_by_one, atol=1e-6)


@pytest.mark.parametrize("open_", [-0.4, 0.0, 0.3])
def test_a_blink_closes_a_lid_from_any_opening(open_: float) -> None:
    blink = CHANNEL_INDEX["CTRL_L_eye_blink.ty"]
    board = neutral_board()
    board[blink] = open_
    assert motion(closure=1.0).apply_to(board)[blink] == pytest.approx(1.0)
    assert motion(closure=0.5).apply_to(board)[blink] == pytest.approx((1.0 + open_) / 2)
    assert motion().apply_to(board)[blink] == np.float32(open_)


def test_raised_brows_rise_on_both_sides() -> None:
    board = motion(brow_raise=0.2).apply_to(neutral_board())
    assert board[CHANNEL_INDEX["CTRL_L_brow_raiseOut.ty"]] == np.float32(0.2)
    assert board[CHANNEL_INDEX["CTRL_R_brow_raiseOut.ty"]] == np.float32(0.2)
    assert 0.0 < board[CHANNEL_INDEX["CTRL_L_brow_raiseIn.ty"]] < 0.2


def test_held_expressions_above_the_mouth_vary_and_lids_do_not() -> None:
    board = np.full(len(CHANNELS), 0.5, dtype=np.float32)
    stronger = motion(expression_drift=0.1).apply_to(board)
    for channel in CHANNELS:
        is_lid = channel.name.endswith("eye_blink.ty")
        varies = channel.region in UPPER_FACE_REGIONS and not is_lid and not channel.rest
        expected = 0.55 if varies else 0.5
        assert stronger[channel.index] == pytest.approx(expected), channel.name


def test_values_that_are_left_out_move_nothing() -> None:
    board = np.full(len(CHANNELS), 0.5, dtype=np.float32)
    values = motion(eyes_deg=(4.0, -3.0), closure=0.3, brow_raise=0.2, expression_drift=0.1).values
    np.testing.assert_array_equal(overlay(board, values[:5]), overlay(board, values))


def test_a_gain_scales_its_group_on_its_side_and_a_shift_adds_to_it() -> None:
    board = np.full(len(CHANNELS), 0.4, dtype=np.float32)
    gains, shifts = np.zeros(GAIN_COUNT), np.zeros(SHIFT_COUNT)
    gains[GROUP_NAMES.index("cheek")] = 0.5
    shifts[GROUP_COUNT + GROUP_NAMES.index("nose")] = 0.2
    shifts[GAIN_COUNT + SMALL_NAMES.index("jaw_forward")] = 0.1
    changed = motion(gains=gains, shifts=shifts).apply_to(board) - board
    found = {CHANNELS[i].name: float(changed[i]) for i in np.flatnonzero(np.abs(changed) > 1e-6)}
    assert found == pytest.approx(
        {
            "CTRL_L_eye_cheekRaise.ty": 0.2,
            "CTRL_R_nose.ty": 0.2,
            "CTRL_R_nose_nasolabialDeepen.ty": 0.1,
            "CTRL_C_jaw_fwdBack.ty": -0.1,
        }
    )


def test_closing_lips_takes_back_what_an_expression_parts_and_not_what_speech_opens() -> None:
    for open_ in (0.08, 0.4):
        board = np.full(len(CHANNELS), open_, dtype=np.float32)
        closed = motion(lip_closing=1.0).apply_to(board)
        taken = {
            CHANNELS[i].name.split("_", 2)[2]: float(board[i] - closed[i])
            for i in np.flatnonzero(board != closed)
        }
        assert taken == pytest.approx(
            {name: min(open_, most) for name, most in MOST_PARTED.items()}
        )


@given(
    arrays(np.float32, len(CHANNELS), elements=st.floats(0, 1, width=32)),
    st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    st.floats(0, 1),
    st.floats(0, 2),
    st.floats(-2, 2),
)
def test_no_overlay_leaves_the_range_of_the_board_or_writes_to_it(
    fractions: NDArray[np.float32],
    eyes_deg: tuple[float, float],
    closure: float,
    brow_raise: float,
    expression_drift: float,
) -> None:
    board = LOW + fractions * (HIGH - LOW)
    before = board.copy()
    composed = motion(
        eyes_deg=eyes_deg, closure=closure, brow_raise=brow_raise, expression_drift=expression_drift
    ).apply_to(board)
    np.testing.assert_array_equal(board, before)
    assert composed.dtype == np.float32
    assert np.all((composed >= LOW) & (composed <= HIGH))


def test_eyes_take_part_in_a_smile_on_its_side() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    board[CHANNEL_INDEX["CTRL_R_eye_cheekRaise.ty"]] = 0.3
    joined = couple_expression(board)
    assert joined[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]] == pytest.approx(0.8 * CHEEK_SHARE)
    assert joined[CHANNEL_INDEX["CTRL_L_eye_squintInner.ty"]] == pytest.approx(0.8 * SQUINT_SHARE)
    assert joined[CHANNEL_INDEX["CTRL_R_eye_cheekRaise.ty"]] == np.float32(0.3)
    assert joined[CHANNEL_INDEX["CTRL_R_eye_squintInner.ty"]] == 0.0
    assert np.count_nonzero(board - neutral_board()) == 2


def test_an_expression_that_already_involves_the_eyes_is_unchanged() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.4
    board[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]] = 0.6
    board[CHANNEL_INDEX["CTRL_L_eye_squintInner.ty"]] = 0.5
    np.testing.assert_array_equal(couple_expression(board), board)


def test_gain_scales_the_eye_part_of_a_smile_and_0_adds_nothing() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    np.testing.assert_array_equal(couple_expression(board, 0.0), board)
    half = couple_expression(board, 0.5)[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert half == pytest.approx(0.4 * CHEEK_SHARE)
    most = couple_expression(board, 2.0)[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert most == pytest.approx(CHEEK_SHARE)


HALF_AN_HOUR_S = 1800.0
EYE = CHANNEL_INDEX["CTRL_L_eye.tx"]
BLINK = CHANNEL_INDEX["CTRL_L_eye_blink.ty"]


@dataclass
class Trajectory:
    """Animation tick by tick: closures [time], heads [time, 6] and gaze [time, 2] in degrees."""

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


def test_blink_rates_are_those_of_people(talking: Trajectory, listening: Trajectory) -> None:
    assert 15.0 <= np.median(talking.blinks_per_min) <= 30.0
    assert 0.1 < np.log(talking.blinks_per_min).std() < 0.532
    assert 8.0 <= np.median(listening.blinks_per_min) <= 26.0
    assert listening.blinks_per_min.mean() < talking.blinks_per_min.mean()


def test_mutual_gaze_has_the_published_proportions(
    talking: Trajectory, listening: Trajectory
) -> None:
    assert talking.is_mutual.mean() == pytest.approx(0.41, abs=0.06)
    assert listening.is_mutual.mean() == pytest.approx(0.75, abs=0.06)
    for whole in (talking, listening):
        is_on_face = np.hypot(*whole.gaze.T) < 4.6
        assert np.mean(is_on_face == whole.is_mutual) > 0.97


def test_gaze_is_stabilised_while_the_head_moves(talking: Trajectory) -> None:
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


def test_the_head_of_a_listener_is_calmer_and_never_still(
    talking: Trajectory, listening: Trajectory
) -> None:
    def speed(whole: Trajectory) -> NDArray[np.float64]:
        turned = np.abs(np.diff(whole.head[:, :3], axis=0)).sum(axis=1)
        return np.array(np.degrees(turned) / TICK_S)

    assert speed(talking).mean() > 2 * speed(listening).mean()
    seconds = speed(listening)[: 60 * 1700].reshape(-1, 60).mean(axis=1)
    assert seconds.min() > 0.02


def test_animation_is_reproducible_by_seed_and_voice() -> None:
    one, same, other = (
        [
            motion.apply_to(neutral_board())
            for motion in motions_of(ProceduralAnimation(seed), talk(1, 20.0))
        ]
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_levels_disable_parts() -> None:
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


def test_only_blinks_and_saccades_move_far_in_a_tick() -> None:
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


LIPS = (
    "jaw.ty", "mouth_upperLipRaise.ty", "mouth_lowerLipDepress.ty", "mouth_lipsTogetherU.ty",
    "mouth_lipsTogetherD.ty", "mouth_towardsU.ty", "mouth_towardsD.ty", "mouth_lipBiteU.ty",
    "mouth_lipBiteD.ty", "mouth_lipsRollU.ty", "mouth_lipsRollD.ty",
)  # fmt: skip
"""What opens, closes and tucks the lips."""


@pytest.mark.parametrize("name", ["neutral", "happy", "surprised"])
def test_procedural_animation_leaves_the_lips_to_speech(name: str) -> None:
    emotion = np.zeros(len(EMOTIONS), dtype=np.float32)
    emotion[EMOTIONS.index(name)] = 1.0
    animation = ProceduralAnimation(14)
    board = np.full(len(CHANNELS), 0.3, dtype=np.float32)
    lips = [channel.index for channel in CHANNELS if channel.name.split("_", 2)[2] in LIPS]
    tongue = [channel.index for channel in CHANNELS if channel.region in ("tongue", "teeth")]
    speaking_s = 0.0
    for tick, prosody in enumerate(talk(14, 60.0)):
        motion = animation.step(tick * TICK_S, Cues(prosody, emotion))
        changed = motion.apply_to(board) != board
        assert not changed[tongue].any()
        speaking_s = speaking_s + TICK_S if prosody.is_speaking else 0.0
        if speaking_s > 0.2 or name != "happy":
            assert not changed[lips].any()


def test_a_frame_is_the_generated_face_at_its_levels_plus_procedural_animation() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] = 0.4
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    levels = replace(NO_ANIMATION_LEVELS, mouth=0.5, head=1.0)
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


def test_lids_follow_the_eyes() -> None:
    pairs = [
        motion.apply_to(neutral_board())[[CHANNEL_INDEX["CTRL_L_eye.ty"], BLINK]]
        for motion in motions_of(ProceduralAnimation(10), silence(300.0))
        if motion.closure == 0.0
    ]
    upward, lids = np.array(pairs).T
    assert np.corrcoef(upward, lids)[0, 1] < -0.9
    assert lids.max() > 0.1


def test_repeated_times_change_nothing_and_a_gap_does_not_jump() -> None:
    animation = ProceduralAnimation(11)
    last = list(motions_of(animation, talk(11, 10.0)))[-1]
    again = animation.step(10.0 - TICK_S, Cues())
    assert again.eyes_deg == last.eyes_deg
    np.testing.assert_array_equal(animation.step(3.0, Cues()).head, last.head)
    after = animation.step(5000.0, Cues())
    assert np.abs(after.head - last.head).max() < 0.1


def test_emotions_blend_into_procedural_animation_without_a_jump() -> None:
    animation = ProceduralAnimation(12)
    heads = []
    for tick, prosody in enumerate(talk(12, 20.0)):
        emotion = np.zeros(len(EMOTIONS), dtype=np.float32)
        emotion[EMOTIONS.index("sad" if tick % 300 < 150 else "happy")] = 1.0
        heads.append(animation.step(tick * TICK_S, Cues(prosody, emotion)).head)
    assert np.abs(np.diff(heads, axis=0)).max() < 0.05


def test_memory_does_not_grow() -> None:
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


@pytest.mark.parametrize("tick_s", [0.01, 1 / 60, 1 / 24, 0.1])
def test_an_expression_is_the_same_at_any_tick_rate(tick_s: float) -> None:
    emotion = np.zeros(len(EMOTIONS), dtype=np.float32)
    emotion[EMOTIONS.index("angry")] = 1.0

    def shown(every_s: float) -> NDArray[np.float64]:
        expression, tracker, found = Expression(3), CueTracker(), []
        for tick in range(round(12.0 / every_s)):
            is_speaking = (tick * every_s) % 4.0 < 3.0
            cues = Cues(Prosody(level=0.5, pause_s=0.0 if is_speaking else 1.0), emotion)
            gains, shifts, _ = expression.step(tracker.step(cues, every_s), Levels())
            found.append(np.concatenate((gains, shifts)))
        return np.array(found)

    each, reference = shown(tick_s), shown(0.02)
    assert np.isfinite(each).all()
    at = np.arange(1, 12)
    differences = each[np.rint(at / tick_s).astype(int)] - reference[50 * at]
    assert np.abs(differences).max() < 0.25
    assert np.abs(np.diff(each, axis=0)).max() < 10.0 * max(tick_s, 0.04)
