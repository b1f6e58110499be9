"""The way of the sound: from the audio input to packets of animated faces, built from the
config.

`daemon` runs it.

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
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.audio.passthrough import Passthrough
from cstalk_bridge.control.controller import Controller, RunContext
from cstalk_bridge.control.server import ControlService
from cstalk_bridge.dashboard.screen import open_monitor
from cstalk_bridge.face.emotion import (
    EmotionState,
    VoiceWeights,
    check_face_settings,
    chosen_weights,
)
from cstalk_bridge.face.inference import (
    InferenceLoop,
    SteppedStream,
    live_device,
    load_network,
    open_emotion_estimator,
    ser_notice,
    warm_up,
)
from cstalk_bridge.face.procedural.animation import ProceduralAnimation, seed_of
from cstalk_bridge.face.subject import Route, Subject, Voice, show_subjects
from cstalk_bridge.face.sync_test import ClapStream
from cstalk_bridge.face.timeline import AdaptiveBuffer, Delay, FixedBuffer
from cstalk_bridge.monitor.logs import log_metrics
from cstalk_bridge.monitor.metrics import Metrics
from cstalk_bridge.outputs.registry import OutputServers, open_link, protocol_of
from cstalk_bridge.preview.server import open_preview
from cstalk_bridge.rig import ARKIT_MAP, ARKIT_TABLE, STOCK_MAP
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.system.priority import Role, lowest_level, priority_summary, with_priorities
from cstalk_bridge.system.process import (
    bound_heap,
    prepare_steady_state,
    quiet_libraries,
    stop_on_signals,
)
from cstalk_bridge.takes.recording.files import RecordedSubject
from cstalk_bridge.takes.recording.recorder import Recorder, recover
from cstalk_bridge.timecode.tick import Ticker, host_now
from cstalk_bridge.timecode.time_of_day import open_time_of_day

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.preview.server import Preview
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.system.priority import Priority
    from cstalk_bridge.timecode.time_of_day import TimeOfDay


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the subjects share. `wake` is set when a sound device has given something."""

    model: Generator
    servers: OutputServers
    recorder: Recorder
    preview: Preview | None
    wake: threading.Event
    rigmaps: dict[str, RigMap] = field(default_factory=dict)

    def rigmap(self, name: str) -> RigMap:
        """Return a rig map by name or path, the same to all; UserError as `load_rigmap`."""
        if name not in self.rigmaps:
            self.rigmaps[name] = load_rigmap(name)
        return self.rigmaps[name]


def open_runtime(
    config: Config, closing: ExitStack, wake: threading.Event, controller: Controller | None = None
) -> Runtime:
    """Open what is shared, closed by `closing`; UserError for what the user can mend."""
    model = load_network(config.weights, live_device(config.device))
    check_face_settings(model, {subject.name: subject for subject in config.subjects})
    preview = _open_preview(config, closing, controller)
    recorder = Recorder(config.recording.folder, config.fps)
    closing.callback(recorder.close)
    servers = OutputServers(recorder)
    closing.callback(servers.close)
    return Runtime(model, servers, recorder, preview, wake)


def _open_preview(
    config: Config, closing: ExitStack, controller: Controller | None
) -> Preview | None:
    """Open the preview that the config asks for; it loads a network of its own, if ever needed."""
    if config.preview is None:
        return None
    opening = open_preview(
        config.preview,
        load=partial(load_network, config.weights, live_device(config.device)),
        subjects=[subject.name for subject in config.subjects],
        rate_hz=config.fps.hz,
        controller=controller,
    )
    return closing.enter_context(opening)


def open_subjects(config: Config, runtime: Runtime, closing: ExitStack) -> list[Subject]:
    """Open the subjects; links and sound are closed by `closing`. Raises UserError."""
    return [
        _open_subject(subject, config, runtime, closing, number)
        for number, subject in enumerate(config.subjects)
    ]


def _open_subject(
    subject: SubjectConfig, config: Config, runtime: Runtime, closing: ExitStack, number: int
) -> Subject:
    maps = {link.rigmap: runtime.rigmap(link.rigmap) for link in subject.links}
    links: dict[str, list[Link]] = {name: [] for name in maps}
    for link_config in subject.links:
        name = link_config.rigmap
        rigmap = maps[name]
        link = open_link(
            link_config, subject.name, rigmap.outputs, config.fps, runtime.servers, rigmap.rest
        )
        closing.callback(link.close)
        links[name].append(link)
    voice, notice = _open_voice(subject, config, runtime, closing)
    recorded = RecordedSubject(
        subject.name, voice.source.rate_hz, voice.sound_at, voice.sound_delay_at
    )
    observers: dict[str, list[Link]] = {
        _recording_map(subject, maps): [runtime.recorder.link(recorded)]
    }
    if runtime.preview is not None:
        observers.setdefault(ARKIT_MAP, []).append(runtime.preview.link(number))
    for name in observers.keys() - maps.keys():
        maps[name] = runtime.rigmap(name)
    routes = [
        Route(rigmap.applier(), tuple(links.get(name, ())), tuple(observers.get(name, ())))
        for name, rigmap in maps.items()
    ]
    opened = Subject(
        subject.name,
        voice,
        ProceduralAnimation(
            seed_of(subject.name) if subject.seed is None else subject.seed, subject.alive
        ),
        routes,
        channels=runtime.model.channels,
        now=host_now,
        policies=subject.rest.policies,
        notice=notice,
    )
    _open_passthrough(subject, opened, closing)
    return opened


def _open_passthrough(subject: SubjectConfig, opened: Subject, closing: ExitStack) -> None:
    """Give a subject the audio passthrough that its config asks for; it is not started yet."""
    if subject.passthrough.device is None:
        return
    voice, ticks = opened.voice, opened.metrics.latency["tick"]

    def tick_s() -> float:
        spread = ticks.spread()
        return 0.0 if spread is None else spread.median_s

    opened.passthrough = Passthrough(
        subject.passthrough, voice.sound_at, voice.sound_delay_at, now=host_now, tick_s=tick_s
    )
    opened.metrics.passthrough = opened.passthrough
    closing.callback(opened.passthrough.close)


def _recording_map(subject: SubjectConfig, maps: dict[str, RigMap]) -> str:
    """Return the map for takes: that of a link of ARKit frames, else another with its curves."""
    links = sorted(subject.links, key=lambda link: protocol_of(link).table != ARKIT_TABLE)
    fitting = (link.rigmap for link in links if maps[link.rigmap].target == ARKIT_TABLE)
    return next(fitting, STOCK_MAP)


def _open_voice(
    subject: SubjectConfig, config: Config, runtime: Runtime, closing: ExitStack
) -> tuple[Voice, str | None]:
    """Return the voice of a subject, and a notice about its sound."""
    source, notice = open_source(
        subject.audio,
        now=host_now,
        wake=runtime.wake,
        is_full_band=subject.passthrough.device is not None,
    )
    closing.callback(source.close)
    fixed_ms = config.buffer_ms
    buffer = AdaptiveBuffer() if fixed_ms is None else FixedBuffer(1e-3 * fixed_ms)
    delay = Delay(1e-3 * config.lookahead_ms, buffer)
    weights = runtime.model.emotion_vector(chosen_weights(subject.emotion))
    emotion = EmotionState.of(weights, subject, VoiceWeights.of(subject.emotion))
    channels = len(runtime.model.channels)
    emotion_estimator = open_emotion_estimator(emotion.voice_weights)
    voice = Voice(
        source,
        subject.audio,
        delay,
        emotion,
        channels=channels,
        emotion_estimator=emotion_estimator,
    )
    return voice, notice


def _emotion_weights(emotion: EmotionState, names: Sequence[str], now_s: float) -> dict[str, float]:
    return dict(zip(names, emotion.at(now_s).tolist(), strict=True))


def open_metrics(config: Config, subjects: list[Subject], runtime: Runtime) -> Metrics:
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
        subject.metrics.lookahead_ms = config.lookahead_ms
        subject.metrics.buffer_at = subject.voice.delay.buffer.at
        subject.metrics.emotion_at = partial(
            _emotion_weights, subject.voice.emotion, runtime.model.emotions
        )
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
) -> int:
    """Run the bridge until `stop`, a signal, or the end of all recordings; return the exit code 0.

    The `controller` takes commands meanwhile; `watch`, by default the dashboard, is entered with
    the metrics. `is_urgent` raises the priority of both threads; with `is_sync_test` mouths open
    at claps instead of speaking. However the run ends, each link leaves its face at rest and a take
    is ended. UserError for what the user can mend.
    """
    stop, wake, controller = stop or Event(), Event(), controller or Controller()
    with _prepared_process(), ExitStack() as closing:
        control = _open_control(config, controller, closing)
        runtime = open_runtime(config, closing, wake, controller)
        subjects = open_subjects(config, runtime, closing)
        metrics = open_metrics(config, subjects, runtime)
        _recover_takes(config, metrics)
        inference = _open_inference(runtime, subjects, metrics, wake, is_sync_test=is_sync_test)
        notice = partial(_notice, metrics)
        _start_servers(runtime, notice)
        for subject in subjects:
            if subject.passthrough is not None:
                subject.passthrough.start(partial(_notice, metrics, subject=subject.name))
        ticks = _open_ticks(config, subjects, metrics, closing)
        context = RunContext(
            subjects, notice, runtime.model, runtime.recorder, stop, host_now, metrics
        )
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


def _notice(metrics: Metrics, text: str, subject: str = "") -> None:
    metrics.notice(host_now(), text, subject)


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
