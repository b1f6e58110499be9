"""The word for a subject, and the remedy."""

from __future__ import annotations

import pytest

from bridge.audio.source import SourceState
from bridge.monitor.health import State, health
from tests.monitor.faces import CountedLink, Target, metrics, play


def test_speech_that_is_sent_is_ok() -> None:
    running = metrics()
    now_s = play(running)
    found = health(running, running.subjects[0], now_s)
    assert (found.state, found.advice) == (State.OK, "")


def test_before_the_first_sound_it_is_starting() -> None:
    waiting = metrics()
    assert health(waiting, waiting.subjects[0], 0.0).state is State.STARTING
    waiting.subjects[0].set_input(SourceState.RUNNING, "Microphone")
    assert health(waiting, waiting.subjects[0], 0.0).state is State.STARTING


@pytest.mark.parametrize(("level_db", "words"), [(-110.0, "unmute"), (-65.0, "raise gain_db")])
def test_a_long_silence_is_named_with_its_likely_cause(level_db: float, words: str) -> None:
    running = metrics()
    now_s = play(running, seconds=6.0, level_db=level_db)
    found = health(running, running.subjects[0], now_s)
    assert found.state is State.SILENT
    assert words in found.advice


def test_a_muted_voice_is_told_so_and_not_to_be_unplugged() -> None:
    running = metrics()
    now_s = play(running, seconds=6.0, level_db=-110.0)
    running.subjects[0].is_muted = True
    found = health(running, running.subjects[0], now_s)
    assert (found.state, found.advice) == (State.MUTED, "its voice is not heard")
    running.subjects[0].is_paused = True
    assert health(running, running.subjects[0], now_s).state is State.PAUSED


def test_a_pause_of_a_speaker_is_no_silence() -> None:
    running = metrics()
    paused_s = play(running)
    now_s = play(running, level_db=-70.0, start_s=paused_s)
    assert health(running, running.subjects[0], now_s).state is State.OK


def test_a_vanished_device_and_a_stalled_one_are_no_input() -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    stalled = health(running, one, now_s + 2.0)
    assert (stalled.state, "for 2 s" in stalled.advice) == (State.NO_INPUT, True)
    one.set_input(SourceState.LOST, "USB Microphone")
    lost = health(running, one, now_s)
    assert (lost.state, "USB Microphone is gone" in lost.advice) == (State.NO_INPUT, True)


def test_a_recording_that_is_over_has_ended() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].set_input(SourceState.ENDED, "take.wav")
    assert health(running, running.subjects[0], now_s + 9).state is State.ENDED


def test_late_faces_say_to_raise_the_buffer() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].dropped("late", now_s, 3)
    found = health(running, running.subjects[0], now_s)
    assert (found.state, "raise buffer_ms, now 12" in found.advice) == (State.LATE, True)
    assert health(running, running.subjects[0], now_s + 0.5).state is State.LATE


def test_one_late_face_is_not_worth_a_word() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].dropped("late", now_s)
    assert health(running, running.subjects[0], now_s).state is State.OK


def test_slow_inference_is_told_with_its_time() -> None:
    running = metrics()
    now_s = play(running)
    for _ in range(1000):
        running.inference.add(0.031)
    running.subjects[0].dropped("hops", now_s, 10)
    found = health(running, running.subjects[0], now_s)
    assert (found.state, "31 of 20 ms" in found.advice) == (State.LATE, True)


def test_refused_packets_name_link_and_reason() -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    counters = one.links[0].counters
    assert isinstance(counters, CountedLink)
    counters.failed, counters.receivers = 4, [Target(4, "Network is unreachable")]
    one.sent(now_s)
    found = health(running, one, now_s)
    assert found.state is State.NOT_SENT
    assert "livelink-face://127.0.0.1:11111: Network is unreachable" in found.advice
