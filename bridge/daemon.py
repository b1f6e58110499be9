"""The data path of a run, from audio input to packets of animated faces, built from the config and
run by `daemon.run`.

    Source -> Preprocessor -> Stream.step -> Timeline -> Performer -> RigMap -> Link
     10 ms       16 kHz          50 Hz       any time   procedural    YAML     60 fps
    `------- inference thread --------'      `------------ tick thread ------------'

Two threads do the work. The inference thread (`face.inference`) sleeps until audio has arrived and
computes rows. The tick thread shows each subject's face of a constant time ago (`face.subject`),
stamped with the time of day (`timecode.time_of_day`), and sends it. The main thread only watches.
Neither waits for anything outside of this path: takes, the preview, devices and clocks have threads
of their own.
"""

from __future__ import annotations

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from cstalk_bridge.control.controller import Controller, RunContext
from cstalk_bridge.control.hotkeys import HotkeyService
from cstalk_bridge.control.server import ControlService
from cstalk_bridge.dashboard.screen import open_monitor
from cstalk_bridge.face.inference import (
    InferenceLoop,
    SteppedStream,
    ser_notice,
    warm_up,
)
from cstalk_bridge.face.subject import Subject
from cstalk_bridge.face.sync_test import ClapStream
from cstalk_bridge.live_config import LiveConfig, RunParts
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.logs import log_metrics
from cstalk_bridge.monitor.metrics import Metrics
from cstalk_bridge.runtime import TickLoop, open_runtime
from cstalk_bridge.subjects import open_subjects
from cstalk_bridge.system.priority import Role, lowest_level, priority_summary, with_priorities
from cstalk_bridge.system.process import (
    bound_heap,
    prepare_steady_state,
    quiet_libraries,
    stop_on_signals,
)
from cstalk_bridge.takes.recording.recorder import recovery_lines
from cstalk_bridge.timecode.tick import Ticker, host_now
from cstalk_bridge.timecode.time_of_day import open_time_of_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cstalk_bridge.config.load import ConfigFile
    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.face.subject import Subject
    from cstalk_bridge.runtime import Runtime
    from cstalk_bridge.system.priority import Priority


def open_metrics(config: Config, subjects: Sequence[Subject], runtime: Runtime) -> Metrics:
    """Return the metrics of all subjects, with notices of what differs from the config."""
    metrics = Metrics(
        [subject.metrics for subject in subjects],
        config.fps,
        buffer_ms=config.buffer_ms,
        device=runtime.model.device,
        recorder=runtime.recorder,
    )
    if runtime.model.engine.notice:
        metrics.notice(host_now(), runtime.model.engine.notice)
    if any(subject.voice.emotion.voice_weights.auto for subject in subjects):
        metrics.notice(host_now(), ser_notice())
    for subject in subjects:
        if subject.notice:
            metrics.notice(host_now(), subject.notice, subject.name)
    return metrics


if TYPE_CHECKING:
    Task = Callable[[], None]


if TYPE_CHECKING:
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
    is_sync_test: bool = False,
    file: ConfigFile | None = None,
) -> int:
    """Run the bridge until `stop`, a signal, or the end of all recordings; return the exit code 0.

    Changes of the config's `file` are applied. The `controller` takes commands meanwhile; `watch`,
    by default the dashboard, is entered with the metrics. `is_urgent` raises the priority of both
    threads; with `is_sync_test` mouths open at claps instead of speaking. However the run ends,
    each link leaves its face at rest and a take is ended. UserError for what the user can fix.
    """
    stop, wake, controller = stop or Event(), Event(), controller or Controller()
    with _prepared_process(), ExitStack() as closing:
        recovered = closing.enter_context(recovered_takes(config.recording.folder))
        control = _open_control(config, controller, closing)
        hotkeys = HotkeyService(config.hotkeys, controller)
        runtime = open_runtime(config, closing, wake, controller)
        opened = open_subjects(config, runtime, closing)
        subjects = [each.subject for each in opened]
        metrics = open_metrics(config, subjects, runtime)
        for line in recovered:
            _notice(metrics, line)
        inference = _open_inference(runtime, subjects, metrics, wake, is_sync_test=is_sync_test)
        notice = partial(_notice, metrics)
        _start_servers(runtime, notice)
        for subject in subjects:
            if subject.passthrough is not None:
                subject.passthrough.start(partial(_notice, metrics, subject=subject.name))
        ticks = _open_ticks(config, subjects, metrics, closing)
        parts = RunParts(runtime, opened, inference, ticks, metrics, controller, control)
        context = RunContext(
            subjects=subjects,
            notice=notice,
            model=runtime.model,
            recorder=runtime.recorder,
            stop=stop,
            now=host_now,
            metrics=metrics,
            change_input=parts.change_input,
        )
        with (
            stop_on_signals(stop),
            controller.connected(context),
            control.started(),
            hotkeys,
            (watch or _dashboard(config, controller))(metrics),
            log_metrics(metrics),
            contextlib.closing(runtime.recorder),
            _live_config(file, config, parts),
        ):
            tasks = {Role.FACES: partial(inference.run, stop), Role.TICKS: partial(ticks.run, stop)}
            _run_threads(_with_priorities(tasks, metrics) if is_urgent else tasks, stop, wake)
            # The controller is still connected, so that the user is notified of the take's end.
            runtime.recorder.stop()
    return 0


def _open_inference(
    runtime: Runtime,
    subjects: Sequence[Subject],
    metrics: Metrics,
    wake: Event,
    *,
    is_sync_test: bool,
) -> InferenceLoop:
    voices = [subject.voice for subject in subjects]
    stream: SteppedStream = runtime.model.stream(len(voices))
    if is_sync_test:
        stream = ClapStream(stream, runtime.model.channels)
    warm_up(stream, voices)
    return InferenceLoop(stream, voices, metrics, wake=wake, now=host_now)


def _open_ticks(
    config: Config, subjects: Sequence[Subject], metrics: Metrics, closing: ExitStack
) -> TickLoop:
    ticker = Ticker(config.fps, now=host_now)
    prepare_steady_state()
    time_of_day = open_time_of_day(config.timecode, config.fps, now=host_now)
    metrics.time_of_day = closing.enter_context(contextlib.closing(time_of_day))
    if time_of_day.notice:
        metrics.notice(host_now(), f"timecode: {time_of_day.notice}")
    return TickLoop(ticker, subjects, time_of_day, metrics)


@contextmanager
def _prepared_process() -> Iterator[None]:
    bound_heap()
    with quiet_libraries():
        yield


def _open_control(config: Config, controller: Controller, closing: ExitStack) -> ControlService:
    keyframes = {subject.name: subject.emotions.root for subject in config.subjects}
    control = ControlService(config.control, keyframes, controller, host_now)
    return closing.enter_context(contextlib.closing(control))


def _dashboard(config: Config, controller: Controller) -> Watch:
    return partial(open_monitor, dashboard=config.dashboard, controller=controller)


def _notice(metrics: Metrics, text: str, subject: str = "") -> None:
    metrics.notice(host_now(), text, subject)


def _start_servers(runtime: Runtime, notice: Callable[[str], None]) -> None:
    """Accept connections of preview, health and MetaHuman clients; all report by notices."""
    if runtime.preview is not None:
        notice(f"the preview is at {runtime.preview.url}")
        runtime.preview.start(notice)
    if runtime.health is not None:
        notice(f"health is at {runtime.health.url}")
        runtime.health.start(notice)
    runtime.servers.start(notice)


@contextmanager
def recovered_takes(folder: Path) -> Iterator[list[str]]:
    """Finish takes during which the bridge was killed; yield lines about them for the user.

    Where the start fails they are printed, since nobody shows notices then.
    """
    lines = recovery_lines(folder)
    try:
        yield lines
    except UserError:
        for line in lines:
            print(line, file=sys.stderr)
        raise


def _live_config(
    file: ConfigFile | None, config: Config, parts: RunParts
) -> AbstractContextManager[object]:
    """Follow the config file, unless there is none or the config forbids it."""
    return LiveConfig(file, config, parts) if file and config.watch else nullcontext()


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
