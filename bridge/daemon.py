"""The whole way: audio in at one end, packets of animated faces out at the other.

    Source -> Preprocessor -> stream.step -> Timeline -> Performer -> RigMap -> Output
     10 ms       16 kHz          50 Hz       any time   procedural    YAML     60 fps
    `------- inference thread --------'      `------------- tick thread ------------'

Two threads work. The inference thread (`face.inference`) sleeps until audio has arrived and
computes rows. The tick thread shows each subject's face of a constant time ago (`face.voice`),
stamped with the time of day that counts (`timecode.time_of_day`), and sends it. The main thread
only watches. Nothing on this way waits for anything beside it: takes, the preview, devices and
clocks have threads of their own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextlib import closing as closing_at_end
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.control.controller import Controller, RunContext
from cstalk_bridge.control.server import ControlService
from cstalk_bridge.dashboard.screen import open_monitor
from cstalk_bridge.face.inference import InferenceLoop, warm_up
from cstalk_bridge.face.subject import show_subjects as show_faces
from cstalk_bridge.monitor.logs import log_metrics
from cstalk_bridge.runtime import open_metrics, open_runtime, open_subjects
from cstalk_bridge.system.priority import Role, lowest_level, priority_summary, with_priorities
from cstalk_bridge.system.process import (
    bound_heap,
    prepare_steady_state,
    quiet_libraries,
    stop_on_signals,
)
from cstalk_bridge.takes.recording.recorder import recover
from cstalk_bridge.timecode.tick import Ticker, host_now
from cstalk_bridge.timecode.time_of_day import open_time_of_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.runtime import Runtime
    from cstalk_bridge.system.priority import Priority
    from cstalk_bridge.timecode.tick import Tick


if TYPE_CHECKING:
    Watch = Callable[[Metrics], AbstractContextManager[object]]

POLL_S = 0.2
"""How often the main thread looks up; Windows delivers Ctrl+C only then."""


def run(
    config: Config,
    *,
    desk: Controller | None = None,
    stop: threading.Event | None = None,
    watch: Watch | None = None,
    is_urgent: bool = True,
) -> int:
    """Run the bridge until `stop`, a signal, or the end of all recordings; return the exit code 0.

    At the `desk` the bridge can be told what to do while it runs. `watch` is entered with the
    metrics meanwhile; by default it is the dashboard.
    `is_urgent` asks the system to wake the threads of ticks and faces first. On every way out each
    link leaves its face at rest, and a take is ended. Raises UserError for what the user can mend:
    weights, files, devices, hosts, and a take that was lost.
    """
    bound_heap()
    stop, wake, now = stop or threading.Event(), threading.Event(), host_now
    desk = desk or Controller()
    with ExitStack() as closing:
        closing.enter_context(quiet_libraries())
        control = ControlService(config, desk, now)
        closing.callback(control.close)
        stage = open_runtime(config, closing, wake, desk)
        subjects = open_subjects(config, stage, closing)
        voices = [subject.voice for subject in subjects]
        stream = stage.model.stream(len(voices))
        metrics = open_metrics(config, subjects, stage)
        generator = InferenceLoop(stream, voices, metrics, wake=wake, now=now)
        ticker = Ticker(config.fps, now=now)
        _recover_takes(config, metrics)
        warm_up(stream, voices)
        _start_serving(stage, metrics)
        prepare_steady_state()
        metrics.time_of_day = time_of_day = open_time_of_day(config.timecode, config.fps, now=now)
        closing.callback(time_of_day.close)

        def show() -> None:
            for tick in ticker:
                if stop.is_set() or all(subject.is_finished(tick.due_s) for subject in subjects):
                    return
                stamped = time_of_day.stamp(tick)
                show_faces(subjects, stamped)
                _measure(metrics, tick, ticker.skipped, now())

        watch = watch or partial(open_monitor, dashboard=config.dashboard, desk=desk)
        running = RunContext(subjects, metrics, stage.model, stage.recorder, stop, now)
        tasks: dict[Role, Callable[[], None]] = {
            Role.FACES: partial(generator.run, stop),
            Role.TICKS: show,
        }
        if is_urgent:
            tasks = with_priorities(tasks, partial(_report_priorities, metrics))
        with (
            stop_on_signals(stop),
            desk.connected(running),
            control.started(),
            watch(metrics),
            log_metrics(metrics),
            closing_at_end(stage.recorder),
        ):
            _run_threads(stop, wake, *tasks.values())
            # While it can still be told what became of the take; it ends as its user ends the run.
            stage.recorder.stop()
    return 0


def _report_priorities(metrics: Metrics, obtained: Mapping[Role, Priority]) -> None:
    metrics.priority = lowest_level(obtained)
    metrics.notice(host_now(), priority_summary(obtained))


def _start_serving(stage: Runtime, metrics: Metrics) -> None:
    """Let in whoever connects to us; what they do is told."""

    def notice(text: str) -> None:
        metrics.notice(host_now(), text)

    if stage.preview is not None:
        notice(f"the faces are at {stage.preview.url}")
        stage.preview.start(notice)
    stage.devices.start(notice)


def _recover_takes(config: Config, metrics: Metrics) -> None:
    """Finish takes during which the bridge was killed, and say so."""
    found, problems = recover(config.recording.folder, time.time())
    for folder in found:
        metrics.notice(host_now(), f"a take that broke off was finished: {folder}")
    for problem in problems:
        metrics.notice(host_now(), str(problem))


def _run_threads(stop: threading.Event, wake: threading.Event, *tasks: Callable[[], None]) -> None:
    """Give each task a thread, until `stop` or one ends; raise what a task raised."""
    with ThreadPoolExecutor(len(tasks), "way") as threads:
        working = [threads.submit(task) for task in tasks]
        for thread in working:
            thread.add_done_callback(lambda _: stop.set())
        while not stop.wait(POLL_S):
            pass
        wake.set()
    for thread in working:
        thread.result()


def _measure(metrics: Metrics, tick: Tick, skipped: int, done_s: float) -> None:
    metrics.tick_lateness.add(tick.lateness_s)
    metrics.send.add(done_s - tick.due_s - tick.lateness_s)
    for subject in metrics.subjects:
        subject.drops["ticks"].read(done_s, skipped)
