"""The whole way: voices in at one end, packets of living faces out at the other.

    Source -> Listener -> stream.step -> Timeline -> Performer -> RigMap -> Link
     10 ms     16 kHz       50 Hz        any time     life         YAML     60 fps
    `------ generator thread ---------' `------------- tick thread -------------'

Two threads work. The generator thread (`face.generate`) sleeps until sound is there and makes rows.
The tick thread shows each subject's face of a constant time ago (`face.voice`), stamped with the
time of day that counts (`clock.opening`), and sends it. The main thread only watches. Nothing on
the way waits for anything beside it: takes, the preview, devices and clocks have threads of their
own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextlib import closing as closing_at_end
from functools import partial
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from bridge.clock.opening import open_time_of_day
from bridge.clock.tick import Ticker
from bridge.control.desk import Desk, Running
from bridge.control.opening import Control
from bridge.face.generate import GeneratorLoop, warm_up
from bridge.monitor.dashboard import open_monitor
from bridge.monitor.logs import logged
from bridge.opening import open_metrics, open_stage, open_subjects
from bridge.priority import Role, lowest, raised, sentence
from bridge.process import bound_heap, quiet_libraries, settle, stop_on_signals
from bridge.recording.recovery import recover
from bridge.subject import show as show_faces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from bridge.clock.tick import Tick
    from bridge.config.schema import Config
    from bridge.monitor.metrics import Metrics
    from bridge.opening import Stage
    from bridge.priority import Priority

    Watch = Callable[[Metrics], AbstractContextManager[object]]

GLANCE_S = 0.2
"""How often the main thread looks up; Windows delivers Ctrl+C only then."""


def run(
    config: Config,
    *,
    desk: Desk | None = None,
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
    desk = desk or Desk()
    with ExitStack() as closing:
        closing.enter_context(quiet_libraries())
        control = Control(config, desk, now)
        closing.callback(control.close)
        stage = open_stage(config, closing, wake, desk)
        subjects = open_subjects(config, stage, closing)
        voices = [subject.voice for subject in subjects]
        stream = stage.model.stream(len(voices))
        metrics = open_metrics(config, subjects, stage)
        generator = GeneratorLoop(stream, voices, metrics, wake=wake, now=now)
        ticker = Ticker(config.fps, now=now)
        _recover_takes(config, metrics)
        warm_up(stream, voices)
        _start_serving(stage, metrics)
        settle()
        metrics.time_of_day = time_of_day = open_time_of_day(config.timecode, config.fps, now=now)
        closing.callback(time_of_day.close)

        def show() -> None:
            for tick in ticker:
                if stop.is_set() or all(subject.is_over(tick.due_s) for subject in subjects):
                    return
                stamped = time_of_day.stamp(tick)
                show_faces(subjects, stamped)
                _measure(metrics, tick, ticker.skipped, now())

        watch = watch or partial(open_monitor, dashboard=config.dashboard, desk=desk)
        running = Running(subjects, metrics, stage.model, stage.recorder, stop, now)
        tasks: dict[Role, Callable[[], None]] = {
            Role.FACES: partial(generator.run, stop),
            Role.TICKS: show,
        }
        if is_urgent:
            tasks = raised(tasks, partial(_tell_priorities, metrics))
        with (
            stop_on_signals(stop),
            desk.connected(running),
            control.started(),
            watch(metrics),
            logged(metrics),
            closing_at_end(stage.recorder),
        ):
            _work(stop, wake, *tasks.values())
            # While it can still be told what became of the take; it ends as its user ends the run.
            stage.recorder.stop()
    return 0


def _tell_priorities(metrics: Metrics, obtained: Mapping[Role, Priority]) -> None:
    metrics.priority = lowest(obtained)
    metrics.notice(host_now(), sentence(obtained))


def _start_serving(stage: Stage, metrics: Metrics) -> None:
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


def _work(stop: threading.Event, wake: threading.Event, *tasks: Callable[[], None]) -> None:
    """Give each task a thread, until `stop` or one ends; raise what a task raised."""
    with ThreadPoolExecutor(len(tasks), "way") as threads:
        working = [threads.submit(task) for task in tasks]
        for thread in working:
            thread.add_done_callback(lambda _: stop.set())
        while not stop.wait(GLANCE_S):
            pass
        wake.set()
    for thread in working:
        thread.result()


def _measure(metrics: Metrics, tick: Tick, skipped: int, done_s: float) -> None:
    metrics.tick_lateness.add(tick.lateness_s)
    metrics.send.add(done_s - tick.due_s - tick.lateness_s)
    for subject in metrics.subjects:
        subject.drops["ticks"].read(done_s, skipped)
