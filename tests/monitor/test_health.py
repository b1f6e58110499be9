"""The health of a subject and the advice to its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.monitor.health import HealthState, Lamp, health, lamps
from cstalk_bridge.monitor.metrics import DROP_CAUSES, RATE_WINDOW_S
from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.rig.curves import Showing
from tests.monitor.faces import CountedLink, Target, metrics, play, subject
from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.monitor.health import Health
    from cstalk_bridge.monitor.metrics import Metrics


TICK_S = 1 / 60


def health_of(running: Metrics, now_s: float) -> Health:
    return health(running, running.subjects[0], now_s)


def hold(running: Metrics, after_s: float, ticks: int, late_s: float = 0.014) -> float:
    """Record ticks that show an older face; return the host time of the last."""
    now_s = after_s
    for tick in range(1, ticks + 1):
        now_s = after_s + tick * TICK_S
        for one in running.subjects:
            one.record_shown(Showing.HELD, late_s, now_s)
    return now_s


def steps(running: Metrics, duration_s: float) -> None:
    for _ in range(100):
        running.record_step(duration_s, 1)


def test_sent_speech_is_ok() -> None:
    running = metrics()
    now_s = play(running)
    found = health_of(running, now_s)
    assert (found.state, found.advice) == (HealthState.OK, "")


def test_before_the_first_sound_the_state_is_starting() -> None:
    waiting = metrics()
    assert health_of(waiting, 0.0).state is HealthState.STARTING
    waiting.subjects[0].set_input(SourceState.RUNNING, "Microphone")
    assert health_of(waiting, 0.0).state is HealthState.STARTING


@pytest.mark.parametrize(("level_db", "advice"), [(-110.0, "unmute"), (-65.0, "raise gain_db")])
def test_a_long_silence_is_reported_with_its_likely_cause(level_db: float, advice: str) -> None:
    running = metrics()
    now_s = play(running, seconds=6.0, level_db=level_db)
    found = health_of(running, now_s)
    assert found.state is HealthState.SILENT
    assert advice in found.advice


def test_a_muted_or_paused_voice_is_a_lamp_and_not_reported_as_unplugged() -> None:
    running = metrics()
    now_s = play(running, seconds=6.0, level_db=-110.0)
    one = running.subjects[0]
    one.is_muted = True
    assert lamps(running, one) == (Lamp.MUTED,)
    assert (health_of(running, now_s).state, health_of(running, now_s).advice) == (
        HealthState.OK,
        "",
    )
    one.is_muted, one.is_paused = False, True
    assert lamps(running, one) == (Lamp.PAUSED,)
    assert health_of(running, now_s).state is HealthState.OK


def in_state(state: HealthState) -> tuple[Metrics, float]:
    """Return metrics of a subject in that state, and the time."""
    running = metrics()
    one = running.subjects[0]
    if state is HealthState.STARTING:
        return running, 0.0
    now_s = play(running, seconds=6.0, level_db=-110.0 if state is HealthState.SILENT else -24.0)
    counters = one.links[0].counters
    assert isinstance(counters, CountedLink)
    match state:
        case HealthState.ENDED:
            one.set_input(SourceState.ENDED, "take.wav")
        case HealthState.BEHIND:
            now_s = hold(running, now_s, 10)
        case HealthState.NO_RECEIVER:
            counters.delivery = LinkStatus(Delivery.NO_RECEIVER, "nobody listens")
        case HealthState.NOT_SENT:
            counters.failed, counters.receivers = 4, [Target(4, last_error="refused")]
            one.read_links(now_s)
        case HealthState.NO_INPUT:
            one.set_input(SourceState.LOST, "USB Microphone")
        case HealthState.WAITING:
            one.set_input(SourceState.WAITING, "USB Microphone")
            one.input_fault = "no input device was found"
    return running, now_s


@pytest.mark.parametrize("state", HealthState)
@pytest.mark.parametrize("is_muted", [True, False])
@pytest.mark.parametrize("is_paused", [True, False])
@pytest.mark.parametrize("is_recorded", [True, False])
def test_switched_features_are_lamps_beside_every_state(
    tmp_path: Path, state: HealthState, *, is_muted: bool, is_paused: bool, is_recorded: bool
) -> None:
    running, now_s = in_state(state)
    assert health_of(running, now_s).state is state
    one = running.subjects[0]
    one.is_muted, one.is_paused = is_muted, is_paused
    stage = RecorderHarness(tmp_path)
    running.recorder = stage.recorder
    if is_recorded:
        stage.recorder.start("MySlate", 3)
    lit = {Lamp.MUTED: is_muted, Lamp.PAUSED: is_paused, Lamp.REC: is_recorded}
    assert lamps(running, one) == tuple(lamp for lamp in Lamp if lit[lamp])
    is_wanted_silence = state is HealthState.SILENT and (is_muted or is_paused)
    assert health_of(running, now_s).state is (HealthState.OK if is_wanted_silence else state)
    if is_recorded:
        stage.step(1)
        stage.recorder.stop()
        assert Lamp.REC not in lamps(running, one)


def test_a_pause_in_speech_is_not_silence() -> None:
    running = metrics()
    paused_s = play(running)
    now_s = play(running, level_db=-70.0, start_s=paused_s)
    assert health_of(running, now_s).state is HealthState.OK


def test_a_disconnected_or_stalled_device_is_no_input() -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    one.starved_since_s = now_s
    stalled = health_of(running, now_s + 2.0)
    assert stalled.state is HealthState.NO_INPUT
    assert stalled.advice == "no sound from Built-in Microphone for 2 s; check its cable"
    one.starved_since_s = None
    assert health_of(running, now_s).state is HealthState.OK
    one.set_input(SourceState.LOST, "USB Microphone")
    lost = health_of(running, now_s)
    assert (lost.state, "USB Microphone is disconnected" in lost.advice) == (
        HealthState.NO_INPUT,
        True,
    )


def test_a_stopped_generator_is_not_reported_as_a_cable_problem() -> None:
    running = metrics()
    now_s = play(running)
    one = running.subjects[0]
    for tick in range(1, 240):
        now_s += TICK_S
        one.record_shown(Showing.HELD if tick < 30 else Showing.RESTING, tick * TICK_S, now_s)
    found = health_of(running, now_s)
    assert found.state is HealthState.BEHIND
    assert found.advice.startswith("no new frames, the face is at rest: ")
    assert "cable" not in found.advice


@pytest.mark.parametrize("state", [SourceState.RUNNING, SourceState.ENDED])
def test_a_file_never_leads_to_advice_about_cables(state: SourceState) -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    one.set_input(state, "take.wav", is_device=False)
    one.starved_since_s = now_s
    for later_s in (0.0, 1.0, 3600.0):
        found = health_of(running, now_s + later_s)
        assert found.state is not HealthState.NO_INPUT
        assert "cable" not in found.advice


def test_a_finished_recording_has_ended() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].set_input(SourceState.ENDED, "take.wav")
    assert health_of(running, now_s + 9).state is HealthState.ENDED


def test_late_faces_are_reported_with_percentage_and_lateness() -> None:
    running = metrics()
    now_s = hold(running, play(running), 30, late_s=0.014)
    found = health_of(running, now_s)
    assert found.state is HealthState.BEHIND
    # 30 of the 120 ticks of two seconds.
    assert found.advice.startswith("25% of frames late by 14 ms: ")
    assert health_of(running, now_s + 1.5).state is HealthState.BEHIND
    assert health_of(running, now_s + RATE_WINDOW_S).state is HealthState.OK


@pytest.mark.parametrize(
    ("buffer_ms", "device", "others", "step_s", "cause"),
    [
        (
            12,
            "cpu",
            0,
            0.002,
            "frames are ready too late for a buffer of 8 ms; set buffer_ms: auto",
        ),
        (None, "cpu", 0, 0.002, "the machine is busy, the buffer is at 8 ms; close other programs"),
        (None, "cpu", 0, 0.026, "inference takes 26 ms per hop of 20 ms; close other programs"),
        (
            12,
            "cpu",
            3,
            0.026,
            "inference takes 26 ms per hop of 20 ms; close other programs, or use fewer subjects",
        ),
        (
            None,
            "cuda",
            3,
            0.026,
            "inference takes 26 ms per hop of 20 ms; set device: cpu, or free the GPU",
        ),
        (None, "cuda", 0, 0.0199, "the machine is busy, the buffer is at 8 ms"),
    ],
)
def test_each_cause_has_its_advice(
    buffer_ms: float | None, device: str, others: int, step_s: float, cause: str
) -> None:
    subjects = [subject(name) for name in ("Anna", "Bruno", "Clara", "Dora")[: 1 + others]]
    running = metrics(*subjects, buffer_ms=buffer_ms, device=device)
    now_s = hold(running, play(running), 30)
    steps(running, step_s)
    for one in running.subjects:
        assert cause in health(running, one, now_s).advice


def test_a_slow_start_that_is_over_is_not_reported() -> None:
    running = metrics(buffer_ms=None)
    steps(running, 0.1)
    now_s = hold(running, play(running), 30)
    assert "inference takes" not in health_of(running, now_s).advice


@pytest.mark.parametrize("cause", ["hops", "blocks", "ticks"])
def test_losses_are_reported_by_kind(cause: str) -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].record_drop(cause, now_s, 7)
    found = health_of(running, now_s)
    assert found.state is HealthState.BEHIND
    assert found.advice.startswith(f"7 {cause} lost in 2 s: ")


def test_two_late_faces_are_not_reported() -> None:
    running = metrics()
    now_s = hold(running, play(running), 2)
    assert health_of(running, now_s).state is HealthState.OK
    assert health_of(running, hold(running, now_s, 1)).state is HealthState.BEHIND


def test_before_the_first_face_and_after_the_last_no_tick_is_late() -> None:
    running = metrics()
    now_s = play(running)
    for _ in range(120):
        now_s += TICK_S
        running.subjects[0].record_shown(Showing.RESTING, 0.0, now_s)
    assert health_of(running, now_s).state is HealthState.OK
    assert running.subjects[0].drops["late"].total == 0


def test_ticks_without_sound_are_not_late() -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    one.starved_since_s = now_s
    for tick in range(120):
        now_s += TICK_S
        one.record_shown(Showing.RESTING, 0.3 + tick * TICK_S, now_s)
    assert one.drops["late"].total == 0
    one.starved_since_s = None
    assert health_of(running, now_s).state is HealthState.OK


TICKS = st.lists(
    st.sampled_from([(Showing.LIVE, 0.0), (Showing.HELD, 0.01), (Showing.RESTING, 0.6)]),
    min_size=1,
    max_size=400,
)


@given(
    TICKS, st.sampled_from([24.0, 60.0]), st.sampled_from(sorted(DROP_CAUSES)), st.integers(0, 5)
)
def test_it_is_never_ok_after_more_than_two_missed_ticks_in_two_seconds(
    shown: list[tuple[Showing, float]], rate_hz: float, cause: str, lost: int
) -> None:
    running = metrics()
    one = running.subjects[0]
    one.set_input(SourceState.RUNNING, "Microphone")
    times_s = 10.0 + np.arange(len(shown)) / rate_hz
    for now_s, (showing, late_s) in zip(times_s, shown, strict=True):
        one.record_level(now_s, level_db=-24.0, peak_db=-14.0, gate_open=True)
        one.record_shown(showing, late_s, now_s)
        recent = times_s[times_s <= now_s] > now_s - RATE_WINDOW_S
        missed = sum(
            showing is not Showing.LIVE
            for (showing, _), is_recent in zip(shown, recent.tolist(), strict=False)
            if is_recent
        )
        found = health_of(running, float(now_s))
        assert (found.state is HealthState.BEHIND) is (missed > 2)
        assert bool(found.advice) is (found.state is not HealthState.OK)
    one.record_drop(cause, float(now_s), lost)
    if cause in {"hops", "blocks", "ticks"} and lost > 2:
        assert health_of(running, float(now_s)).state is HealthState.BEHIND


def test_refused_packets_are_reported_with_link_and_reason() -> None:
    running = metrics()
    one = running.subjects[0]
    now_s = play(running)
    counters = one.links[0].counters
    assert isinstance(counters, CountedLink)
    counters.failed, counters.receivers = 4, [Target(4, last_error="Network is unreachable")]
    one.read_links(now_s)
    found = health_of(running, now_s)
    assert found.state is HealthState.NOT_SENT
    assert "livelink-face://127.0.0.1:11111: Network is unreachable" in found.advice
