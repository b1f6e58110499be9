"""Opens the subjects of a config, and gives a running one other links and rig maps.

A link that stays keeps its socket and counters; one that is replaced leaves its targets to the new
one, or leaves them at rest.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.devices import prepare_renewal
from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.audio.passthrough import Passthrough
from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.face.emotion import EmotionState, VoiceWeights, chosen_weights
from cstalk_bridge.face.inference import open_emotion_estimator
from cstalk_bridge.face.procedural.animation import ProceduralAnimation, seed_of
from cstalk_bridge.face.subject import Route, Subject, Voice
from cstalk_bridge.face.timeline import AdaptiveBuffer, Delay, FixedBuffer
from cstalk_bridge.outputs.link import UdpLink
from cstalk_bridge.outputs.protocol import ListeningConfig
from cstalk_bridge.outputs.registry import open_link, protocol_of
from cstalk_bridge.rig import ARKIT_MAP, ARKIT_TABLE, STOCK_MAP
from cstalk_bridge.takes.recording.files import RecordedSubject
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cstalk_bridge.audio.inputs import OpenedSource
    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.outputs.protocol import LinkConfig
    from cstalk_bridge.preview.hub import PreviewLink
    from cstalk_bridge.rig.rigmap import Applier, RigMap
    from cstalk_bridge.runtime import Runtime
    from cstalk_bridge.takes.recording.recorder import Recorder


@dataclass(frozen=True, slots=True, eq=False)
class OpenLink:
    """A link, its config, and the rig map for whose outputs it was opened."""

    config: LinkConfig
    link: Link
    rigmap: RigMap

    def fits(self, config: LinkConfig, rigmap: RigMap) -> bool:
        """Whether it can go on as the link of that config, with that map."""
        if config != self.config or rigmap.outputs != self.rigmap.outputs:
            return False
        # Its receivers would have to connect again, only for another face at rest.
        is_kept = isinstance(config, ListeningConfig)
        return is_kept or np.array_equal(rigmap.rest, self.rigmap.rest)


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Where the curves of a subject go: its links, and the applier of each rig map by its name.

    `rigmaps` are the maps as files have them; an applier may have been given another one since.
    """

    links: tuple[OpenLink, ...]
    rigmaps: Mapping[str, RigMap]
    appliers: Mapping[str, Applier]
    recording_map: str
    """The map whose curves takes get."""

    def retired(self, after: Outputs) -> tuple[OpenLink, ...]:
        """Return the links that others have replaced."""
        return tuple(each for each in self.links if each not in after.links)


class OutputFactory:
    """Opens the outputs of subjects, of one run and at one frame rate."""

    def __init__(self, config: Config, runtime: Runtime) -> None:
        self._rate = config.fps
        self._runtime = runtime

    def open(
        self,
        name: str,
        configs: Sequence[LinkConfig],
        rigmaps: Mapping[str, RigMap],
        before: Outputs | None = None,
    ) -> Outputs:
        """Return the outputs of a subject with these links, those it had `before` where they fit.

        `rigmaps` holds the maps of the links. UserError; then no link was opened.
        """
        kept = list(before.links) if before else []
        links: list[OpenLink] = []
        with ExitStack() as undoing:
            for config in configs:
                rigmap = rigmaps[config.rigmap]
                found = next((each for each in kept if each.fits(config, rigmap)), None)
                if found is None:
                    link = self._opened(config, name, rigmap)
                    undoing.callback(link.close)
                    found = OpenLink(config, link, rigmap)
                else:
                    kept.remove(found)
                links.append(found)
            undoing.pop_all()
        maps = {config.rigmap: rigmaps[config.rigmap] for config in configs}
        recording_map = _recording_map(configs, maps)
        for other in (recording_map, ARKIT_MAP):
            if other not in maps:
                maps[other] = self._runtime.rigmap(other)
        return Outputs(tuple(links), maps, _appliers(maps, before), recording_map)

    def _opened(self, config: LinkConfig, name: str, rigmap: RigMap) -> Link:
        servers = self._runtime.servers
        return open_link(config, name, rigmap.outputs, self._rate, servers, rigmap.rest)


def _appliers(maps: Mapping[str, RigMap], before: Outputs | None) -> dict[str, Applier]:
    """Return an applier of each map; those of maps that are the same go on."""
    return {
        name: before.appliers[name]
        if before and before.rigmaps.get(name) is rigmap
        else rigmap.applier()
        for name, rigmap in maps.items()
    }


def _recording_map(links: Sequence[LinkConfig], maps: Mapping[str, RigMap]) -> str:
    """Return the map for takes: that of a link of ARKit frames, else another with its curves."""
    in_order = sorted(links, key=lambda link: protocol_of(link).table != ARKIT_TABLE)
    fitting = (link.rigmap for link in in_order if maps[link.rigmap].target == ARKIT_TABLE)
    return next(fitting, STOCK_MAP)


class OpenSubject:
    """A subject of a run, with its outputs and observers, until it is closed.

    `recorder` records its frames, `preview` takes them to the page, if there is one. What takes get
    stays as it is while one `is_recorded`.
    """

    def __init__(
        self,
        subject: Subject,
        outputs: Outputs,
        recorder: Recorder,
        preview: PreviewLink | None,
    ) -> None:
        self.subject = subject
        self.preview = preview
        self.outputs = outputs
        self._recorded = outputs.appliers[outputs.recording_map]
        self.recording = recorder.link(self._recorded_subject)
        subject.change_routes(tuple(self._routes()))

    @property
    def is_behind(self) -> bool:
        """Whether takes get curves by another map than its outputs say."""
        return self._recorded is not self.outputs.appliers[self.outputs.recording_map]

    def change_outputs(self, outputs: Outputs, *, is_recorded: bool) -> None:
        """Send by other outputs from the next tick on; for the tick thread."""
        self.outputs = outputs
        if not is_recorded:
            self._recorded = outputs.appliers[outputs.recording_map]
        self.subject.change_routes(tuple(self._routes()))

    def close(self) -> None:
        """Close its sound, and its links, which leave the face at rest."""
        with ExitStack() as closing:
            for each in self.outputs.links:
                closing.callback(each.link.close)
            closing.callback(self.subject.voice.source.close)
            if self.subject.passthrough is not None:
                closing.callback(self.subject.passthrough.close)

    def _recorded_subject(self) -> RecordedSubject:
        """Return it for a take that starts now; a device that is waited for has 16 kHz."""
        voice, rigmap = self.subject.voice, self._recorded.rigmap
        rate_hz = voice.source.rate_hz
        return RecordedSubject(
            self.subject.name,
            rate_hz,
            partial(voice.sound_at, rate_hz=rate_hz),
            voice.sound_delay_at,
            rigmap.reference or rigmap.name,
        )

    def _routes(self) -> Iterator[Route]:
        outputs = self.outputs
        for name, applier in outputs.appliers.items():
            links = tuple(each.link for each in outputs.links if each.config.rigmap == name)
            viewers = (self.preview,) if self.preview is not None else ()
            observers: tuple[Link, ...] = viewers if name == ARKIT_MAP else ()
            recorder = self.recording if applier is self._recorded else None
            if links or observers or recorder:
                yield Route(applier, links, observers, recorder)
        if self._recorded not in outputs.appliers.values():
            yield Route(self._recorded, (), (), self.recording)


def retire(links: Sequence[OpenLink], successors: Sequence[OpenLink]) -> None:
    """Close links that no thread sends by any more; targets of their successors get no last face.

    The others are left at rest.
    """
    for each in links:
        taken = {
            target
            for other in successors
            if other.config.protocol == each.config.protocol
            for target in other.config.targets
        }
        if isinstance(each.link, UdpLink) and taken:
            each.link.hand_over(taken)
        each.link.close()


def open_subjects(config: Config, runtime: Runtime, closing: ExitStack) -> list[OpenSubject]:
    """Open the subjects, a list whose members are closed by `closing`. Raises UserError."""
    opened: list[OpenSubject] = []
    closing.callback(_close_all, opened)
    for number, subject in enumerate(config.subjects):
        opened.append(open_subject(subject, config, runtime, number))
    if any(each.subject.voice.state is SourceState.WAITING for each in opened):
        prepare_renewal()
    return opened


def _close_all(subjects: Sequence[OpenSubject]) -> None:
    with ExitStack() as closing:
        for each in subjects:
            closing.callback(each.close)


def open_subject(
    subject: SubjectConfig,
    config: Config,
    runtime: Runtime,
    number: int,
    rigmaps: Mapping[str, RigMap] | None = None,
) -> OpenSubject:
    """Open one subject, the preview's of that number. UserError; then nothing is left open.

    `rigmaps` holds the maps of its links, by default those of the run.
    """
    maps = {
        link.rigmap: rigmaps[link.rigmap] if rigmaps else runtime.rigmap(link.rigmap)
        for link in subject.links
    }
    with ExitStack() as undoing:
        outputs = OutputFactory(config, runtime).open(subject.name, subject.links, maps)
        for each in outputs.links:
            undoing.callback(each.link.close)
        voice, notice = _open_voice(subject, config, runtime, undoing)
        made = Subject(
            subject.name,
            voice,
            ProceduralAnimation(
                seed_of(subject.name) if subject.seed is None else subject.seed, subject.alive
            ),
            (),
            channels=runtime.model.channels,
            now=host_now,
            policies=subject.rest.policies,
            notice=notice,
        )
        _open_passthrough(subject, made, undoing)
        preview = None if runtime.preview is None else runtime.preview.link(number)
        undoing.pop_all()
    prepare_metrics(made, config, runtime)
    return OpenSubject(made, outputs, runtime.recorder, preview)


RECENT_TICKS = 1000
"""Ticks whose median time until a packet leaves delays the sound: those of 17 s at 60 fps."""


def _open_passthrough(subject: SubjectConfig, opened: Subject, undoing: ExitStack) -> None:
    """Give a subject the audio passthrough that its config asks for; it is not started yet."""
    if subject.passthrough.device is None:
        return
    voice = opened.voice

    def tick_s() -> float:
        spread = opened.metrics.latency["tick"].spread(RECENT_TICKS)
        return 0.0 if spread is None else spread.median_s

    opened.passthrough = Passthrough(
        subject.passthrough, voice.sound_at, voice.sound_delay_at, now=host_now, tick_s=tick_s
    )
    opened.metrics.passthrough = opened.passthrough
    undoing.callback(opened.passthrough.close)


def open_subject_source(subject: SubjectConfig, runtime: Runtime) -> OpenedSource:
    """Open the audio input of a subject, or wait for its device. UserError."""
    return open_source(
        subject.audio,
        now=host_now,
        wake=runtime.wake,
        is_full_band=subject.passthrough.device is not None,
        may_wait=True,
        may_join=lambda: runtime.recorder.take is None,
    )


def _open_voice(
    subject: SubjectConfig, config: Config, runtime: Runtime, undoing: ExitStack
) -> tuple[Voice, str | None]:
    """Return the voice of a subject, and a notice about its sound."""
    source, notice = open_subject_source(subject, runtime)
    undoing.callback(source.close)
    fixed_ms = config.buffer_ms
    buffer = AdaptiveBuffer() if fixed_ms is None else FixedBuffer(1e-3 * fixed_ms)
    delay = Delay(1e-3 * config.lookahead_ms, buffer, subject.audio.gate.lead_s)
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


def prepare_metrics(subject: Subject, config: Config, runtime: Runtime) -> None:
    """Let the metrics of a subject read its look-ahead, buffer and emotion."""
    metrics, voice = subject.metrics, subject.voice
    metrics.lookahead_ms = config.lookahead_ms
    metrics.buffer_at = voice.delay.buffer.at
    metrics.emotion_at = partial(_emotion_weights, voice.emotion, runtime.model.emotions)


def _emotion_weights(emotion: EmotionState, names: Sequence[str], now_s: float) -> dict[str, float]:
    return dict(zip(names, emotion.at(now_s).tolist(), strict=True))
