import math

from bridge.face.alive.cues import TURN_S, Cues, Hearing
from bridge.face.alive.prosody import SILENCE, Prosody


def test_what_was_counted_since_the_last_moment_is_an_event_once() -> None:
    hearing = Hearing()
    moment = hearing.step(Cues(Prosody(pause_s=0.0, stress=0.8, stresses=1)), 0.01)
    assert (moment.stressed, moment.began, moment.phrase_ended) == (0.8, True, False)
    moment = hearing.step(Cues(Prosody(pause_s=0.0, stress=0.8, stresses=1)), 0.01)
    assert (moment.stressed, moment.began) == (0.0, False)
    moment = hearing.step(Cues(Prosody(pause_s=0.3, stress=0.8, stresses=3, phrases=1)), 0.01)
    assert (moment.stressed, moment.phrase_ended) == (0.8, True)


def test_a_new_voice_that_counts_anew_is_no_event() -> None:
    hearing = Hearing()
    hearing.step(Cues(Prosody(pause_s=0.0, stress=0.9, stresses=50, phrases=9)), 0.01)
    moment = hearing.step(Cues(SILENCE), 0.01)
    assert (moment.stressed, moment.phrase_ended) == (0.0, False)
    assert hearing.step(Cues(Prosody(pause_s=0.0, stress=0.7, stresses=1)), 0.01).stressed == 0.7


def test_a_turn_lasts_through_short_pauses_and_ends_in_a_long_one() -> None:
    hearing = Hearing()
    for pause_s, is_talking in ((math.inf, False), (0.0, True), (0.5, True), (TURN_S, False)):
        assert hearing.step(Cues(Prosody(pause_s=pause_s)), 0.01).is_talking is is_talking
