"""From the config to what runs: the network, and every subject with its sound, maps and links."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bridge.audio.opening import open_source
from bridge.clock.host import host_now
from bridge.face.alive.life import Life, seed_of
from bridge.face.buffer import AdaptiveBuffer, FixedBuffer
from bridge.face.delay import Delay
from bridge.face.emotion import EmotionState
from bridge.face.mix import chosen, shares
from bridge.face.voice import Voice
from bridge.links.metahuman.opening import Devices
from bridge.links.opening import PACKET_TABLE, open_link
from bridge.monitor.metrics import Metrics
from bridge.network import (
    check_guards,
    live_device,
    load_network,
    mood_notice,
    open_feeling,
)
from bridge.preview.opening import open_preview
from bridge.recording.recorder import Recorder
from bridge.recording.subject_files import RecordedSubject
from bridge.rig.load import load_rigmap
from bridge.rig.tables import ARKIT_MAP, STOCK_MAP
from bridge.subject import Outlet, Subject

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import ExitStack

    from bridge.config.schema import Config, SubjectConfig
    from bridge.control.desk import Desk
    from bridge.links.link import Link
    from bridge.preview.opening import Preview
    from bridge.rig.rigmap import RigMap
    from models.generator import Generator


@dataclass(frozen=True, slots=True)
class Stage:
    """What the subjects share. `wake` is set when a sound device has given something."""

    model: Generator
    devices: Devices
    recorder: Recorder
    preview: Preview | None
    wake: threading.Event
    rigmaps: dict[str, RigMap] = field(default_factory=dict)

    def rigmap(self, name: str) -> RigMap:
        """Return a rig map by name or path, the same to all; UserError as `load_rigmap`."""
        if name not in self.rigmaps:
            self.rigmaps[name] = load_rigmap(name)
        return self.rigmaps[name]


def open_stage(
    config: Config, closing: ExitStack, wake: threading.Event, desk: Desk | None = None
) -> Stage:
    """Open what is shared, closed by `closing`; raises UserError for what the user can mend."""
    model = load_network(config.weights, live_device(config.device))
    check_guards(model, {subject.name: subject.mouth_guard for subject in config.subjects})
    preview = _open_preview(config, closing, desk)
    recorder = Recorder(config.recording.folder, config.fps)
    closing.callback(recorder.close)
    devices = Devices(recorder=recorder)
    closing.callback(devices.close)
    return Stage(model, devices, recorder, preview, wake)


def _open_preview(config: Config, closing: ExitStack, desk: Desk | None) -> Preview | None:
    """Open the preview that the config asks for; it loads a network of its own, if ever needed."""
    if config.preview is None:
        return None
    opening = open_preview(
        config.preview,
        load=partial(load_network, config.weights, live_device(config.device)),
        subjects=[subject.name for subject in config.subjects],
        rate_hz=config.fps.hz,
        desk=desk,
    )
    return closing.enter_context(opening)


def open_subjects(config: Config, stage: Stage, closing: ExitStack) -> list[Subject]:
    """Open the subjects; links and sound are closed by `closing`. Raises UserError."""
    return [
        _open_subject(spec, config, stage, closing, number)
        for number, spec in enumerate(config.subjects)
    ]


def _open_subject(
    spec: SubjectConfig, config: Config, stage: Stage, closing: ExitStack, number: int
) -> Subject:
    maps = {link.rigmap: stage.rigmap(link.rigmap) for link in spec.links}
    links: dict[str, list[Link]] = {name: [] for name in maps}
    for link_spec in spec.links:
        name = link_spec.rigmap
        rigmap = maps[name]
        link = open_link(
            link_spec, spec.name, rigmap.outputs, config.fps, stage.devices, rigmap.rest
        )
        closing.callback(link.close)
        links[name].append(link)
    voice, notice = _open_voice(spec, config, stage, closing)
    recorded = RecordedSubject(spec.name, voice.source.rate_hz, voice.sound_at, voice.behind_at)
    watching: dict[str, list[Link]] = {_recorded_map(spec, maps): [stage.recorder.link(recorded)]}
    if stage.preview is not None:
        watching.setdefault(ARKIT_MAP, []).append(stage.preview.link(number))
    for name in watching.keys() - maps.keys():
        maps[name] = stage.rigmap(name)
    outlets = [
        Outlet(rigmap.applier(), tuple(links.get(name, ())), tuple(watching.get(name, ())))
        for name, rigmap in maps.items()
    ]
    return Subject(
        spec.name,
        voice,
        Life(seed_of(spec.name) if spec.seed is None else spec.seed, spec.alive),
        outlets,
        channels=stage.model.channels,
        now=host_now,
        policies=spec.rest.policies,
        notice=notice,
    )


def _recorded_map(spec: SubjectConfig, maps: dict[str, RigMap]) -> str:
    """Return the name of the map for takes: that of Live Link packets, else another for ARKit."""
    links = sorted(spec.links, key=lambda link: link.protocol != "livelink-face")
    fitting = (link.rigmap for link in links if maps[link.rigmap].target == PACKET_TABLE)
    return next(fitting, STOCK_MAP)


def _open_voice(
    spec: SubjectConfig, config: Config, stage: Stage, closing: ExitStack
) -> tuple[Voice, str | None]:
    """Return the voice of a subject, and what to tell the user of its sound."""
    source, notice = open_source(spec.audio, now=host_now, wake=stage.wake)
    closing.callback(source.close)
    fixed_ms = config.buffer_ms
    buffer = AdaptiveBuffer() if fixed_ms is None else FixedBuffer(1e-3 * fixed_ms)
    delay = Delay(1e-3 * config.lookahead_ms, buffer)
    emotion = EmotionState(
        stage.model.emotion_vector(chosen(spec.emotion)),
        mouth_guard=spec.mouth_guard,
        transition_s=1e-3 * spec.transition_ms,
        shares=shares(spec.emotion),
    )
    channels = len(stage.model.channels)
    feeling = open_feeling(emotion.shares)
    voice = Voice(source, spec.audio, delay, emotion, channels=channels, feeling=feeling)
    return voice, notice


def _felt(emotion: EmotionState, names: Sequence[str], now_s: float) -> dict[str, float]:
    return dict(zip(names, emotion.at(now_s).tolist(), strict=True))


def open_metrics(config: Config, subjects: list[Subject], stage: Stage) -> Metrics:
    """Gather what is measured of all subjects, and say what is not as it was asked for."""
    metrics = Metrics(
        [subject.metrics for subject in subjects],
        config.fps,
        buffer_ms=config.buffer_ms,
        device=stage.model.device,
        recorder=stage.recorder,
    )
    if stage.model.engine.notice:
        metrics.notice(host_now(), stage.model.engine.notice)
    if any(subject.voice.emotion.shares.auto for subject in subjects):
        metrics.notice(host_now(), mood_notice())
    for subject in subjects:
        subject.metrics.lookahead_ms = config.lookahead_ms
        subject.metrics.buffer_at = subject.voice.delay.buffer.at
        subject.metrics.emotion_at = partial(_felt, subject.voice.emotion, stage.model.emotions)
        if subject.notice:
            metrics.notice(host_now(), subject.notice, subject.name)
    return metrics
