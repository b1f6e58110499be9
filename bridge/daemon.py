"""The whole way: voices in at one end, packets of living faces out at the other.

    Source -> Listener -> stream.step -> Timeline -> Performer -> RigMap -> Link
     10 ms     16 kHz       50 Hz        any time     gaps         YAML     60 fps
    `------ generator thread ---------' `------------- tick thread -------------'

Two threads work. The generator thread (`face.generate`) sleeps until sound is there and makes rows.
The tick thread shows each subject's face of a constant time ago (`face.voice`) and sends it. The
main thread only watches. Nothing on the way waits for anything beside it.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bridge.audio.opening import open_source
from bridge.clock.host import host_now
from bridge.clock.tick import Ticker, raise_priority
from bridge.face.emotion import EmotionState
from bridge.face.generate import GeneratorLoop, warm_up
from bridge.face.voice import Timing, Voice
from bridge.links.metahuman.opening import Devices
from bridge.links.opening import PACKET_TABLE, open_link
from bridge.monitor.dashboard import open_monitor
from bridge.monitor.metrics import Metrics
from bridge.network import check_guards, load_network
from bridge.preview.opening import open_preview
from bridge.process import quiet_libraries, settle, stop_on_signals
from bridge.rig.load import load_rigmap
from bridge.subject import Outlet, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from bridge.clock.tick import Tick
    from bridge.config.schema import Config, SubjectConfig
    from bridge.links.link import Link
    from bridge.preview.opening import Preview
    from models.generator import Generator

    Watch = Callable[[Metrics], AbstractContextManager[object]]

GLANCE_S = 0.2
"""How often the main thread looks up; Windows delivers Ctrl+C only then."""


def run(
    config: Config,
    *,
    stop: threading.Event | None = None,
    watch: Watch | None = None,
    is_urgent: bool = True,
) -> int:
    """Run the bridge until `stop`, a signal, or the end of all recordings; return the exit code 0.

    `watch` is entered with the metrics while the bridge runs; by default it is the dashboard.
    `is_urgent` asks the system for ticks at real-time priority. On every way out each link leaves
    its face at rest. Raises UserError for what the user can mend: weights, files, devices, hosts.
    """
    stop, wake, now = stop or threading.Event(), threading.Event(), host_now
    with ExitStack() as closing:
        closing.enter_context(quiet_libraries())
        model = load_network(config.weights, config.device)
        check_guards(model, {subject.name: subject.mouth_guard for subject in config.subjects})
        preview = _open_preview(config, closing)
        devices = Devices()
        closing.callback(devices.close)
        subjects = [
            _open_subject(
                spec,
                config,
                model,
                wake,
                closing,
                devices,
                preview.link(number) if preview else None,
            )
            for number, spec in enumerate(config.subjects)
        ]
        voices = [subject.voice for subject in subjects]
        stream = model.stream(len(voices))
        metrics = _open_metrics(config, subjects, str(model.device))
        generator = GeneratorLoop(stream, voices, metrics, wake=wake, now=now)
        ticker = Ticker(config.fps, now=now)
        warm_up(stream, voices)
        if preview:
            metrics.notice(now(), f"the faces are at {preview.url}")
            preview.start(lambda text: metrics.notice(now(), text))
        devices.start(lambda text: metrics.notice(now(), text))
        settle()

        def show() -> None:
            if is_urgent:
                metrics.notice(now(), raise_priority())
            for tick in ticker:
                if stop.is_set() or all(subject.is_over(tick.due_s) for subject in subjects):
                    return
                for subject in subjects:
                    subject.show(tick)
                _measure(metrics, tick, ticker.skipped, now())

        monitor = watch(metrics) if watch else open_monitor(metrics, dashboard=config.dashboard)
        with stop_on_signals(stop), monitor:
            _work(stop, wake, partial(generator.run, stop), show)
    return 0


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


def _open_preview(config: Config, closing: ExitStack) -> Preview | None:
    """Open the preview that the config asks for; it loads a network of its own, if ever needed."""
    if config.preview is None:
        return None
    opening = open_preview(
        config.preview,
        load=partial(load_network, config.weights, config.device),
        subjects=[subject.name for subject in config.subjects],
        rate_hz=config.fps.hz,
    )
    return closing.enter_context(opening)


def _open_subject(
    spec: SubjectConfig,
    config: Config,
    model: Generator,
    wake: threading.Event,
    closing: ExitStack,
    devices: Devices,
    watched: Link | None,
) -> Subject:
    """Open the sound, the rig maps and the links of one subject; links of one map share it."""
    now = host_now
    maps = {link.rigmap: load_rigmap(link.rigmap) for link in spec.links}
    links: dict[str, list[Link]] = {name: [] for name in maps}
    if watched is not None:
        name = next((name for name in maps if maps[name].target == PACKET_TABLE), PACKET_TABLE)
        maps.setdefault(name, load_rigmap(name))
        links.setdefault(name, []).append(watched)
    for link_spec in spec.links:
        name = link_spec.rigmap
        link = open_link(link_spec, spec.name, maps[name].outputs, config.fps, devices)
        closing.callback(link.close)
        links[name].append(link)
    source, notice = open_source(spec.audio, now=now, wake=wake)
    closing.callback(source.close)
    timing = Timing(1e-3 * config.lookahead_ms, 1e-3 * config.buffer_ms)
    emotion = EmotionState(
        model.emotion_vector(spec.emotion),
        mouth_guard=spec.mouth_guard,
        transition_s=1e-3 * spec.transition_ms,
    )
    voice = Voice(source, spec.audio, timing, emotion, channels=len(model.channels))
    outlets = [Outlet(rigmap.applier(), tuple(links[name])) for name, rigmap in maps.items()]
    return Subject(spec.name, voice, outlets, channels=model.channels, now=now, notice=notice)


def _open_metrics(config: Config, subjects: Sequence[Subject], device: str) -> Metrics:
    """Gather what is measured of all subjects, and say what is not as it was asked for."""
    metrics = Metrics(
        [subject.metrics for subject in subjects],
        config.fps,
        lookahead_ms=config.lookahead_ms,
        buffer_ms=config.buffer_ms,
        device=device,
    )
    for subject, spec in zip(subjects, config.subjects, strict=True):
        subject.metrics.emotion = spec.emotion
        if subject.notice:
            metrics.notice(host_now(), subject.notice, subject.name)
    return metrics


def _measure(metrics: Metrics, tick: Tick, skipped: int, done_s: float) -> None:
    metrics.tick_lateness.add(tick.lateness_s)
    metrics.send.add(done_s - tick.due_s - tick.lateness_s)
    for subject in metrics.subjects:
        subject.drops["ticks"].read(done_s, skipped)
