"""The way of the sound: from the audio input to packets of animated faces.

    Source -> Preprocessor -> Stream.step -> Timeline -> Performer -> RigMap -> Link
     10 ms       16 kHz          50 Hz       any time   procedural    YAML     60 fps
    `------- inference thread --------'      `------------ tick thread ------------'

Two threads work. The inference thread (`face.inference`) sleeps until audio has arrived and
computes rows. The tick thread shows each subject's face of a constant time ago (`face.voice`),
stamped with the time of day (`timecode.time_of_day`), and sends it. The main thread only watches.
Nothing on this way waits for anything beside it: takes, the preview, devices and clocks have
threads of their own.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextlib import closing as closing_at_end
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from cstalk_bridge.control.controller import Controller, RunContext
from cstalk_bridge.control.server import ControlService
from cstalk_bridge.dashboard.screen import open_monitor
from cstalk_bridge.face.inference import InferenceLoop, warm_up
from cstalk_bridge.face.subject import show_subjects
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
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.face.subject import Subject
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.runtime import Runtime
    from cstalk_bridge.system.priority import Priority
    from cstalk_bridge.timecode.time_of_day import TimeOfDay

    Task = Callable[[], None]
    Watch = Callable[[Metrics], AbstractContextManager[object]]

POLL_S = 0.2
"""Poll interval of the main thread; Windows delivers Ctrl+C only at such a wake-up."""


def run(
    config: Config,
    *,
    controller: Controller | None = None,
    stop: Event | None = None,
    watch: Watch | None = None,
    is_urgent: bool = True,
) -> int:
    """Run the bridge until `stop`, a signal, or the end of all recordings; return the exit code 0.

    The `controller` takes commands meanwhile; `watch`, by default the dashboard, is entered with
    the metrics. `is_urgent` raises the priority of both threads. However the run ends, each link
    leaves its face at rest and a take is ended. UserError for what the user can mend.
    """
    stop, wake, controller = stop or Event(), Event(), controller or Controller()
    with _prepared_process(), ExitStack() as closing:
        control = _open_control(config, controller, closing)
        runtime = open_runtime(config, closing, wake, controller)
        subjects = open_subjects(config, runtime, closing)
        metrics = open_metrics(config, subjects, runtime)
        _recover_takes(config, metrics)
        inference = _open_inference(runtime, subjects, metrics, wake)
        notice = partial(_notice, metrics)
        _start_servers(runtime, notice)
        ticks = _open_ticks(config, subjects, metrics, closing)
        context = RunContext(subjects, notice, runtime.model, runtime.recorder, stop, host_now)
        with (
            stop_on_signals(stop),
            controller.connected(context),
            control.started(),
            (watch or _dashboard(config, controller))(metrics),
            log_metrics(metrics),
            closing_at_end(runtime.recorder),
        ):
            tasks = {Role.FACES: partial(inference.run, stop), Role.TICKS: partial(ticks.run, stop)}
            _run_threads(_with_priorities(tasks, metrics) if is_urgent else tasks, stop, wake)
            # The controller is still connected, so that the user is notified of the take's end.
            runtime.recorder.stop()
    return 0


class TickLoop:
    """The work of the tick thread; `run` is its target."""

    def __init__(
        self, ticker: Ticker, subjects: Sequence[Subject], time_of_day: TimeOfDay, metrics: Metrics
    ) -> None:
        self._ticker = ticker
        self._subjects = subjects
        self._time_of_day = time_of_day
        self._metrics = metrics

    def run(self, stop: Event) -> None:
        """Show the faces of every tick until `stop`, or until all recordings have ended."""
        for tick in self._ticker:
            if stop.is_set() or all(each.is_finished(tick.due_s) for each in self._subjects):
                return
            show_subjects(self._subjects, self._time_of_day.stamp(tick))
            self._metrics.record_tick(tick, self._ticker.skipped, host_now())


def _open_inference(
    runtime: Runtime, subjects: Sequence[Subject], metrics: Metrics, wake: Event
) -> InferenceLoop:
    voices = [subject.voice for subject in subjects]
    stream = runtime.model.stream(len(voices))
    warm_up(stream, voices)
    return InferenceLoop(stream, voices, metrics, wake=wake, now=host_now)


def _open_ticks(
    config: Config, subjects: Sequence[Subject], metrics: Metrics, closing: ExitStack
) -> TickLoop:
    ticker = Ticker(config.fps, now=host_now)
    prepare_steady_state()
    time_of_day = open_time_of_day(config.timecode, config.fps, now=host_now)
    metrics.time_of_day = closing.enter_context(closing_at_end(time_of_day))
    return TickLoop(ticker, subjects, time_of_day, metrics)


@contextmanager
def _prepared_process() -> Iterator[None]:
    bound_heap()
    with quiet_libraries():
        yield


def _open_control(config: Config, controller: Controller, closing: ExitStack) -> ControlService:
    keyframes = {subject.name: subject.emotions.root for subject in config.subjects}
    control = ControlService(config.control, keyframes, controller, host_now)
    return closing.enter_context(closing_at_end(control))


def _dashboard(config: Config, controller: Controller) -> Watch:
    return partial(open_monitor, dashboard=config.dashboard, controller=controller)


def _notice(metrics: Metrics, text: str) -> None:
    metrics.notice(host_now(), text)


def _start_servers(runtime: Runtime, notice: Callable[[str], None]) -> None:
    """Accept connections of the preview and of MetaHuman clients; both report by notices."""
    if runtime.preview is not None:
        notice(f"the preview is at {runtime.preview.url}")
        runtime.preview.start(notice)
    runtime.servers.start(notice)


def _recover_takes(config: Config, metrics: Metrics) -> None:
    """Finish takes during which the bridge was killed, and report them."""
    found, problems = recover(config.recording.folder, time.time())
    for folder in found:
        metrics.notice(host_now(), f"an interrupted take was recovered: {folder}")
    for problem in problems:
        metrics.notice(host_now(), str(problem))


def _with_priorities(tasks: Mapping[Role, Task], metrics: Metrics) -> Mapping[Role, Task]:
    def report(obtained: Mapping[Role, Priority]) -> None:
        metrics.priority = lowest_level(obtained)
        metrics.notice(host_now(), priority_summary(obtained))

    return with_priorities(tasks, report)


def _run_threads(tasks: Mapping[Role, Task], stop: Event, wake: Event) -> None:
    """Give each task a thread, until `stop` or one ends; raise what a task raised."""
    with ThreadPoolExecutor(len(tasks), "way") as threads:
        working = [threads.submit(task) for task in tasks.values()]
        for thread in working:
            thread.add_done_callback(lambda _: stop.set())
        while not stop.wait(POLL_S):
            pass
        wake.set()
    for thread in working:
        thread.result()
