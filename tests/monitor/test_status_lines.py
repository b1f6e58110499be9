"""Plain lines: each thing once."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.dashboard.picture import draw
from cstalk_bridge.monitor.status_lines import PlainMonitor, StatusReport, status_line
from cstalk_bridge.timecode.chase import Chase, ChaseMode
from cstalk_bridge.timecode.system_clock import UNKNOWN_DISCIPLINE, SystemSource
from cstalk_bridge.timecode.time_of_day import TimeOfDay
from tests.monitor.faces import metrics, play, subject
from tests.takes.recording.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_status_line_says_how_everyone_is() -> None:
    running = metrics(subject("Anna"), subject("Bruno"))
    now_s = play(running)
    assert status_line(running, now_s) == (
        "17:00:02:59"
        " | Anna OK  -24 dB  60.0 packets/s  36 ms (p99 36)  lost nothing"
        " | Bruno OK  -24 dB  60.0 packets/s  36 ms (p99 36)  lost nothing"
    )


def test_notices_and_changes_are_told_when_they_happen_and_once() -> None:
    running = metrics()
    report = StatusReport(running)
    running.notice(0.0, "ready")
    assert report.lines(0.0) == ["ready"]
    now_s = play(running)
    assert report.lines(now_s) == ["CSTalk: OK"]
    running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
    assert report.lines(now_s) == ["CSTalk: NO INPUT: USB Microphone is gone; plug it in again"]
    assert report.lines(now_s) == []


def test_a_lamp_that_is_switched_is_told_once_whatever_the_state(tmp_path: Path) -> None:
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
        "Anna: NO INPUT: USB Microphone is gone; plug it in again",
        "Anna: PAUSED on",
        "Bruno: PAUSED on",
    ]
    anna.is_muted = anna.is_paused = False
    assert report.lines(now_s) == ["Anna: MUTED off", "Anna: PAUSED off"]
    stage = Stage(tmp_path)
    running.recorder = stage.recorder
    stage.recorder.start("MySlate", 3)
    assert report.lines(now_s) == ["Anna: REC on", "Bruno: REC on"]
    stage.step(1)
    stage.recorder.stop()
    assert report.lines(now_s) == ["Anna: REC off", "Bruno: REC off"]


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


def test_it_says_whose_time_it_is_and_which_take_is_recorded(tmp_path: Path) -> None:
    running = metrics()
    now_s = play(running)
    chase = Chase(running.rate, ChaseMode.CHASE)
    running.time_of_day = TimeOfDay(
        chase, SystemSource(chase, discipline=lambda: UNKNOWN_DISCIPLINE)
    )
    running.time_of_day.close()
    assert " | system clock lost | CSTalk OK" in status_line(running, now_s)
    stage = Stage(tmp_path)
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
    told = stream.getvalue().splitlines()
    assert told[:2] == ["ready", "CSTalk: OK"]
    assert told[-1].startswith("17:00:02:59 | CSTalk OK")


def test_a_closed_stream_stops_only_the_monitor() -> None:
    running = metrics()
    stream = io.StringIO()
    stream.close()
    with PlainMonitor(running, time.monotonic, stream):
        running.notice(0.0, "ready")
    assert "nothing can be shown" in running.notices()[-1].text
