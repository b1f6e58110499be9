import numpy as np
from numpy.typing import NDArray

from bridge.face.alive.cues import Cues
from bridge.face.alive.levels import AS_GENERATED
from bridge.face.alive.life import Life
from bridge.face.alive.prosody import Prosody
from bridge.face.alive.settling import Policies, Policy, Rest
from bridge.face.perform import SILENCE_S, Performer
from bridge.face.timeline import Reach, Reading
from models.board import INDEX

CHANNELS = ("CTRL_C_jaw.ty", "CTRL_L_brow_down.ty")
JAW = INDEX["CTRL_C_jaw.ty"]
TICK_S = 1 / 60
SPEAKING = Cues(Prosody(pause_s=0.0))


def still(policies: Policies | None = None) -> Performer:
    """A performer whose face does nothing by itself."""
    return Performer(CHANNELS, Life(1, AS_GENERATED), policies)


def face(jaw: float, brow: float = 0.0) -> NDArray[np.float32]:
    return np.array([jaw, brow], dtype=np.float32)


def live(performer: Performer, start_s: float, jaw: float, seconds: float) -> float:
    """Show a face for a while; return the time of the last frame."""
    ticks = round(seconds / TICK_S)
    for tick in range(ticks + 1):
        performer.frame(Reading(face(jaw), Reach.LIVE), SPEAKING, start_s + tick * TICK_S)
    return start_s + ticks * TICK_S


def test_a_row_stands_at_its_board_places_and_the_rest_is_neutral() -> None:
    performer = still()
    live(performer, 0.0, 0.5, 0.5)
    frame = performer.frame(Reading(face(0.5, 0.25), Reach.LIVE), SPEAKING, 1.0)
    assert frame.time_s == 1.0
    assert frame.board.shape == (174,)
    assert frame.board[JAW] == np.float32(0.5)
    assert frame.board[INDEX["CTRL_L_brow_down.ty"]] == np.float32(0.25)
    assert np.count_nonzero(frame.board) == 2
    assert not frame.head.any()


def test_without_a_face_yet_the_frame_is_neutral() -> None:
    assert not still().frame(None, SPEAKING, 5.0).board.any()


def test_a_gap_holds_the_face_then_lets_it_fall() -> None:
    performer = still(Policies(lost=Policy(Rest.DECAY, hold_s=0.25, decay_s=0.3)))
    end_s = live(performer, 0.0, 0.8, 0.5)
    gap_s = end_s + TICK_S
    held = performer.frame(Reading(face(0.1), Reach.LATE), SPEAKING, gap_s).board[JAW]
    assert held == np.float32(0.8)
    assert performer.frame(None, SPEAKING, gap_s + 0.24).board[JAW] == held
    fallen = performer.frame(None, SPEAKING, gap_s + 0.25 + 0.3).board[JAW]
    np.testing.assert_allclose(fallen, 0.8 * np.exp(-1.0), rtol=1e-5)
    assert performer.frame(None, SPEAKING, gap_s + 5.0).board[JAW] < 1e-6


def test_after_a_gap_the_face_comes_back_without_a_pop() -> None:
    performer = still(Policies(lost=Policy(Rest.DECAY, return_s=0.15)))
    gap_s = live(performer, 0.0, 0.8, 0.5) + TICK_S
    performer.frame(None, SPEAKING, gap_s)
    before = performer.frame(None, SPEAKING, gap_s + 1.0).board[JAW]
    times_s = [gap_s + 1.0 + tick * TICK_S for tick in range(1, 13)]
    back = [
        performer.frame(Reading(face(1.0), Reach.LIVE), SPEAKING, at_s).board[JAW]
        for at_s in times_s
    ]
    shown = [before, *back]
    steps = np.diff(shown)
    assert steps.min() > -1e-6
    assert steps.max() < 0.2
    assert shown[-1] == np.float32(1.0)


def test_one_late_read_is_made_good_within_a_tick() -> None:
    performer = still()
    late_s = live(performer, 0.0, 0.8, 0.5) + TICK_S
    performer.frame(Reading(face(0.8), Reach.LATE), SPEAKING, late_s)
    performer.frame(Reading(face(0.6), Reach.LIVE), SPEAKING, late_s + TICK_S)
    exact = performer.frame(Reading(face(0.5), Reach.LIVE), SPEAKING, late_s + 2.1 * TICK_S).board[
        JAW
    ]
    assert exact == np.float32(0.5)


def test_each_situation_is_told_from_the_others() -> None:
    gone = Policy(Rest.NEUTRAL, decay_s=0.01)
    quiet = Cues(Prosody(pause_s=SILENCE_S))
    jaws = []
    for policies in (Policies(silence=gone), Policies(lost=gone), Policies(pause=gone)):
        for reading, cues, is_paused in (
            (Reading(face(0.8), Reach.LIVE), quiet, False),
            (Reading(face(0.8), Reach.LATE), SPEAKING, False),
            (Reading(face(0.8), Reach.LIVE), SPEAKING, True),
        ):
            performer = still(policies)
            end_s = live(performer, 0.0, 0.8, 0.5)
            for after_s in (0.02, 1.0):
                frame = performer.frame(reading, cues, end_s + after_s, is_paused=is_paused)
            jaws.append(float(frame.board[JAW]))
    fell = np.reshape(jaws, (3, 3)) < 1e-6
    # A lost face decays after its hold where nothing else is said.
    np.testing.assert_array_equal(fell, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_a_face_without_words_goes_on_living() -> None:
    performer = Performer(CHANNELS, Life(3))
    frames = [performer.frame(None, Cues(), tick * TICK_S, is_paused=True) for tick in range(900)]
    boards = np.array([frame.board for frame in frames])
    moved = np.ptp(boards, axis=0)
    assert moved[INDEX["CTRL_L_eye_blink.ty"]] > 0.9
    assert moved[INDEX["CTRL_L_eye.tx"]] > 0.02
    assert moved[JAW] == 0.0
    assert np.ptp([frame.head for frame in frames], axis=0)[:3].min() > 0.001
