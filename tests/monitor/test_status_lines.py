"""Status lines and one-time lines of a run without a dashboard."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.dashboard.picture import draw
from cstalk_bridge.monitor.metrics import MAX_NOTICES
from cstalk_bridge.monitor.status_lines import (
    CLIPPING_PAUSE_S,
    PlainMonitor,
    StatusReport,
    status_line,
)
from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.timecode.chase import Chase, ChaseMode
from cstalk_bridge.timecode.system_clock import UNKNOWN_DISCIPLINE, SystemSource
from cstalk_bridge.timecode.time_of_day import TimeOfDay
from tests.monitor.faces import CountedLink, metrics, play, subject
from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from pathlib import Path


def test_a_status_line_shows_the_state_of_every_subject() -> None:
    running = metrics(subject("Anna"), subject("Bruno"))
    now_s = play(running)
    link = running.subjects[1].links[0].counters
    assert isinstance(link, CountedLink)
    link.delivery = LinkStatus(Delivery.NO_RECEIVER, "nobody listens; start Unreal")
    assert status_line(running, now_s) == (
        "17:00:02:59 | Anna OK  -24 dB  60.0 packets/s  36 ms (p99 36)  lost nothing"
        "  livelink-face://127.0.0.1:11111 listening"
        " | Bruno NO RECEIVER  -24 dB  60.0 packets/s  36 ms (p99 36)  lost nothing"
        "  livelink-face://127.0.0.1:11111 NO RECEIVER"
    )


def test_notices_and_changes_are_printed_once_when_they_happen() -> None:
    running = metrics()
    report = StatusReport(running)
    running.notice(0.0, "ready")
    assert report.lines(0.0) == ["ready"]
    now_s = play(running)
    assert report.lines(now_s) == ["CSTalk: OK"]
    running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
    assert report.lines(now_s) == [
        "CSTalk: NO INPUT: USB Microphone is disconnected; plug it in again"
    ]
    assert report.lines(now_s) == []


def test_a_switched_lamp_is_printed_once_in_any_state(tmp_path: Path) -> None:
    running = metrics(subject("Anna"), subject("Bruno"))
    report = StatusReport(running)
    now_s = play(running)
    assert report.lines(now_s) == ["Anna: OK", "Bruno: OK"]
    anna, bruno = running.subjects
    anna.is_muted = True
    assert report.lines(now_s) == ["Anna: MUTED on"]
    assert report.lines(now_s) == []
    anna.set_input(SourceState.LOST, "USB Microphone")
    anna.is_paused = bruno.is_paused = True
    assert report.lines(now_s) == [
        "Anna: NO INPUT: USB Microphone is disconnected; plug it in again",
        "Anna: PAUSED on",
        "Bruno: PAUSED on",
    ]
    anna.is_muted = anna.is_paused = False
    assert report.lines(now_s) == ["Anna: MUTED off", "Anna: PAUSED off"]
    stage = RecorderHarness(tmp_path)
    running.recorder = stage.recorder
    stage.recorder.start("MySlate", 3)
    assert report.lines(now_s) == ["Anna: REC on", "Bruno: REC on"]
    stage.step(1)
    stage.recorder.stop()
    assert report.lines(now_s) == ["Anna: REC off", "Bruno: REC off"]


def test_clipping_is_printed_when_it_starts_and_again_after_a_pause() -> None:
    running = metrics()
    report, one = StatusReport(running), running.subjects[0]
    now_s = play(running)
    report.lines(now_s)
    one.record_level(now_s, level_db=-3.0, peak_db=-0.5, gate_open=True)
    (event,) = report.events(now_s)
    assert (event.text, event.is_warning) == ("CSTalk: the input clips; lower gain_db", True)
    assert report.lines(now_s + 0.25) == []
    one.record_level(now_s, level_db=-23.0, peak_db=-13.0, gate_open=True)
    assert report.lines(now_s + 0.5) == []
    one.record_level(now_s, level_db=-3.0, peak_db=-0.5, gate_open=True)
    assert report.lines(now_s + 1.0) == []
    later_s = now_s + 1.25 + CLIPPING_PAUSE_S
    one.record_level(later_s, level_db=-3.0, peak_db=-0.5, gate_open=True)
    assert "CSTalk: the input clips; lower gain_db" in report.lines(later_s)


def test_notices_that_were_dropped_unread_are_counted() -> None:
    running = metrics()
    report = StatusReport(running)
    for number in range(MAX_NOTICES + 5):
        running.notice(0.0, f"event {number}")
    lines = report.lines(0.0)
    assert lines[:2] == ["5 notices were dropped", "event 5"]
    assert len(lines) == MAX_NOTICES + 1


def test_dropped_log_records_are_printed_once_and_shown_from_then_on() -> None:
    running = metrics()
    report, lost = StatusReport(running), [0]
    running.lost_log_records = lambda: lost[0]
    now_s = play(running)
    assert report.lines(now_s) == ["CSTalk: OK"]
    assert "log" not in status_line(running, now_s)
    lost[0] = 12
    assert report.lines(now_s) == ["log: 12 records lost; check the disk"]
    lost[0] = 13
    assert report.lines(now_s) == []
    assert " | log: 13 records lost | CSTalk OK" in status_line(running, now_s)
    assert "log: 13 records lost" in draw(running, now_s, 80, 24).plain


def test_a_status_line_shows_lamps_beside_the_state() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].is_muted = running.subjects[0].is_paused = True
    assert " | CSTalk OK MUTED PAUSED  -24 dB  " in status_line(running, now_s)
    running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
    assert " | CSTalk NO INPUT MUTED PAUSED  -24 dB  " in status_line(running, now_s)


def test_a_status_line_comes_every_five_seconds() -> None:
    running = metrics()
    report = StatusReport(running)
    for second in range(21):
        play(running, seconds=1.0, start_s=float(second))
    counts = [len(report.lines(20.0 + tenths / 10)) for tenths in range(101)]
    assert sum(counts[1:100]) in {1, 2}


def test_a_status_line_shows_the_time_source_and_the_recorded_take(tmp_path: Path) -> None:
    running = metrics()
    now_s = play(running)
    chase = Chase(running.rate, ChaseMode.CHASE)
    running.time_of_day = TimeOfDay(
        chase, SystemSource(chase, discipline=lambda: UNKNOWN_DISCIPLINE)
    )
    running.time_of_day.close()
    assert " | system clock lost | CSTalk OK" in status_line(running, now_s)
    stage = RecorderHarness(tmp_path)
    running.recorder = stage.recorder
    assert "REC" not in status_line(running, now_s)
    stage.recorder.start("MySlate", 3)
    assert " | REC MySlate 3 0:00 | CSTalk OK" in status_line(running, now_s)
    assert "REC MySlate 3 0:00" in draw(running, now_s, 80, 24).plain
    stage.step(2)
    stage.recorder.stop()
    assert "REC" not in status_line(running, now_s)


def test_plain_lines_end_with_a_last_status() -> None:
    running = metrics()
    now_s = play(running)
    stream = io.StringIO()
    running.notice(now_s, "ready")
    with PlainMonitor(running, lambda: now_s, stream):
        pass
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["ready", "CSTalk: OK"]
    assert lines[-1].startswith("17:00:02:59 | CSTalk OK")


def test_a_closed_stream_stops_only_the_monitor() -> None:
    running = metrics()
    stream = io.StringIO()
    stream.close()
    with PlainMonitor(running, time.monotonic, stream):
        running.notice(0.0, "ready")
    assert "the display failed" in running.notices()[-1].text
