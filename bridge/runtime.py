"""Builds what runs from the config: the network, and each subject's audio, maps and outputs.

`daemon` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.face.emotion import (
    EmotionState,
    VoiceWeights,
    check_face_settings,
    chosen_weights,
)
from cstalk_bridge.face.networks import (
    live_device,
    load_network,
    open_emotion_estimator,
    ser_notice,
)
from cstalk_bridge.face.procedural.animation import ProceduralAnimation, seed_of
from cstalk_bridge.face.subject import Route, Subject
from cstalk_bridge.face.timeline import AdaptiveBuffer, Delay, FixedBuffer
from cstalk_bridge.face.voice import Voice
from cstalk_bridge.monitor.metrics import Metrics
from cstalk_bridge.outputs.registry import OutputServers, open_link, protocol_of
from cstalk_bridge.preview.server import open_preview
from cstalk_bridge.rig import ARKIT_MAP, ARKIT_TABLE, STOCK_MAP
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.recording.recorder import Recorder
from cstalk_bridge.takes.recording.subject_files import RecordedSubject
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import ExitStack

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.preview.server import Preview
    from cstalk_bridge.rig.rigmap import RigMap


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
    return Subject(
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


def _recording_map(subject: SubjectConfig, maps: dict[str, RigMap]) -> str:
    """Return the map for takes: that of a link of ARKit frames, else another with its curves."""
    links = sorted(subject.links, key=lambda link: protocol_of(link).table != ARKIT_TABLE)
    fitting = (link.rigmap for link in links if maps[link.rigmap].target == ARKIT_TABLE)
    return next(fitting, STOCK_MAP)


def _open_voice(
    subject: SubjectConfig, config: Config, runtime: Runtime, closing: ExitStack
) -> tuple[Voice, str | None]:
    """Return the voice of a subject, and a notice about its sound."""
    source, notice = open_source(subject.audio, now=host_now, wake=runtime.wake)
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
