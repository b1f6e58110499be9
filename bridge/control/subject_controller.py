"""The controller of one subject (emotion, levels, sound, look-ahead, rig maps), and the reported
state of subjects and bridge.

The state is sent as messages of this form, most of which are commands with their current value:

    /cstalk/record 1                    while a take is recorded
    /cstalk/CSTalk/weight/happy 0.8     for each emotion; so for the faders of a controller
    /cstalk/CSTalk/health STATE ADVICE  as the dashboard shows it
    /cstalk/CSTalk/fault 1              while the state is a fault: an LED
    /cstalk/CSTalk/link NAME SENT FAILED ERROR LAMP ADVICE
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cstalk_bridge.audio.source import GateConfig
from cstalk_bridge.control.commands import (
    AROUSAL,
    AUTO,
    COMMANDS,
    EMOTION,
    FACTOR,
    FADER_S,
    GAIN_DB,
    IS_MUTED,
    IS_PAUSED,
    LEVEL,
    LOOKAHEAD_MS,
    MAX_INT32,
    OVER_S,
    PART,
    PREFIX,
    SOUND_DELAY_MS,
    SOUND_LEVEL_DB,
    TRANSITION_MS,
    WEIGHT,
)
from cstalk_bridge.document import nearest, validation_problems
from cstalk_bridge.face.inference import open_emotion_estimator, ser_notice
from cstalk_bridge.face.procedural.animation import max_level
from cstalk_bridge.models.emotions import MAX_WEIGHT
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import HOP_MS
from cstalk_bridge.monitor.health import health
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceLink
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.settings.table import command_settings
from cstalk_bridge.takes.generate import weights_id

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from cstalk_bridge.audio.passthrough import Passthrough
    from cstalk_bridge.audio.source import SourceState
    from cstalk_bridge.face.emotion import VoiceWeights
    from cstalk_bridge.face.procedural.animation import Levels
    from cstalk_bridge.face.subject import Route, Subject, Voice
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.monitor.health import Health
    from cstalk_bridge.monitor.metrics import LinkMetrics, Metrics

    OscWords = tuple[str, *tuple[str | int | float, ...]]

    """An address and its arguments."""


UNFIT_FOR_ADDRESS = re.compile(r"[^!-~]|[#*,/?\[\]{}]")
"""Characters that an OSC address may not hold."""

SILENT_DB = -120.0
"""Level reported of a subject without sound so far."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """Datagrams sent and failed since the start, the last error, or "", and the lamp.

    The lamp is a value of `Delivery`; `advice` is its cause and remedy, "" if all is well.
    """

    name: str
    sent: int
    failed: int
    error: str
    lamp: str
    advice: str


@dataclass(frozen=True, slots=True)
class PassthroughReport:
    """Settings and state of an audio passthrough; `fault` is "" while it plays."""

    device: str
    delay_ms: float
    level_db: float
    total_delay_ms: float
    gaps: int
    fault: str


@dataclass(frozen=True, slots=True)
class SubjectState:
    """Settings of a subject, and the state of its audio input and links.

    `weights` are those of all emotions without `factor`, `level_db` is in dBFS, -inf for none.
    """

    name: str
    weights: Mapping[str, float]
    factor: float
    settings: Mapping[str, float]
    voice_weights: VoiceWeights
    levels: Levels
    gain_db: float
    is_muted: bool
    is_paused: bool
    lookahead_ms: int
    input_state: SourceState | None
    level_db: float
    links: tuple[LinkState, ...]
    passthrough: PassthroughReport | None = None
    health: Health | None = None
    """None where the run has no metrics."""

    @property
    def lamps(self) -> tuple[str, ...]:
        """What its lamps show: the state of its health and of each link."""
        own = () if self.health is None else (self.health.state.value,)
        return (*own, *(f"{link.name} {link.lamp}" for link in self.links))

    def messages(self) -> Iterator[OscWords]:
        """Yield the messages that report it."""
        root = f"/{PREFIX}/{UNFIT_FOR_ADDRESS.sub('_', self.name)}"
        for emotion, weight in self.weights.items():
            yield f"{root}/weight/{emotion}", weight
        yield f"{root}/intensity", self.factor
        for name, value in self.settings.items():
            yield f"{root}/{name}", value
        yield f"{root}/auto", self.voice_weights.auto
        yield f"{root}/arousal", self.voice_weights.arousal
        for part, level in asdict(self.levels).items():
            yield f"{root}/level/{part}", float(level)
        yield f"{root}/gain", float(self.gain_db)
        yield f"{root}/mute", int(self.is_muted)
        yield f"{root}/pause", int(self.is_paused)
        yield f"{root}/lookahead", float(self.lookahead_ms)
        sound = self.input_state.value if self.input_state else "none"
        level_db = max(self.level_db, SILENT_DB) if math.isfinite(self.level_db) else SILENT_DB
        yield f"{root}/sound", sound, float(level_db)
        if (played := self.passthrough) is not None:
            yield f"{root}/passthrough_delay", played.delay_ms
            yield f"{root}/passthrough_level", played.level_db
            gaps = min(played.gaps, MAX_INT32)
            state = played.device, played.total_delay_ms, gaps, played.fault
            yield f"{root}/passthrough", *state
        yield from self.lamp_messages()

    def lamp_messages(self) -> Iterator[OscWords]:
        """Yield the messages that report health and links."""
        root = f"/{PREFIX}/{UNFIT_FOR_ADDRESS.sub('_', self.name)}"
        if self.health is not None:
            yield f"{root}/health", self.health.state.value, self.health.advice
            yield f"{root}/fault", int(self.health.state.is_fault)
        for link in self.links:
            counts = min(link.sent, MAX_INT32), min(link.failed, MAX_INT32)
            yield f"{root}/link", link.name, *counts, link.error, link.lamp, link.advice


@dataclass(frozen=True, slots=True)
class BridgeState:
    """State of the whole bridge."""

    is_recording: bool
    subjects: tuple[SubjectState, ...]

    def messages(self) -> Iterator[OscWords]:
        """Yield the messages that report it."""
        yield record_message(is_on=self.is_recording)
        for subject in self.subjects:
            yield from subject.messages()


def record_message(*, is_on: bool) -> OscWords:
    """Return the message that reports whether a take is being recorded."""
    return f"/{PREFIX}/record", int(is_on)


def _passthrough_report(played: Passthrough | None) -> PassthroughReport | None:
    if played is None:
        return None
    return PassthroughReport(
        played.device,
        played.delay_ms,
        played.level_db,
        played.total_delay_ms,
        played.underruns,
        played.fault,
    )


class EmotionController:
    """Commands that change the emotion of one subject; see `SubjectController`."""

    def __init__(
        self,
        name: str,
        voice: Voice,
        model: Generator,
        changing: threading.RLock,
        now: Callable[[], float],
        notice: Callable[[str], None],
    ) -> None:
        self.name = name
        self._voice = voice
        self._model = model
        self._changing = changing
        self._now = now
        self._notice = notice
        self._mix = {
            name: float(weight)
            for name, weight in zip(model.emotions, voice.emotion.at(now()), strict=True)
        }
        self._factor = 1.0
        self._estimates_emotion = voice.emotion.voice_weights.auto > 0.0

    @property
    def weights(self) -> Mapping[str, float]:
        """The last mix, without `factor`, with all emotions."""
        return {name: self._mix.get(name, 0.0) for name in self._model.emotions}

    @property
    def mix(self) -> dict[str, float]:
        """The last mix, without `factor` and without emotions of weight 0."""
        return {name: weight for name, weight in self._mix.items() if weight}

    @property
    def factor(self) -> float:
        """The last intensity."""
        return self._factor

    @property
    def settings(self) -> dict[str, float]:
        """The numbers of its emotion that commands set, by the names of these commands."""
        emotion = self._voice.emotion
        return {entry.name: float(getattr(emotion, entry.name)) for entry in command_settings()}

    @property
    def voice_weights(self) -> VoiceWeights:
        """The last weights of the emotion estimated from the voice."""
        return self._voice.emotion.voice_weights

    def emotion(self, mix: Mapping[str, float], over_s: float | None = None) -> None:
        """Change to this mix, all other emotions 0, by default within the set transition."""
        for name, weight in mix.items():
            EMOTION.read(name)
            WEIGHT.read(weight)
        self._change_emotion({**mix}, self._factor, over_s)

    def weight(self, emotion: str, weight: float, over_s: float | None = FADER_S) -> None:
        """Change one weight of the mix and leave the others."""
        EMOTION.read(emotion)
        WEIGHT.read(weight)
        with self._changing:
            self._change_emotion({**self._mix, emotion: weight}, self._factor, over_s)

    def intensity(self, factor: float, over_s: float | None = None) -> None:
        """Multiply all weights of the mix, now and from now on."""
        FACTOR.read(factor)
        with self._changing:
            self._change_emotion(self._mix, factor, over_s)

    @property
    def transition_ms(self) -> float:
        """The time over which a change of emotion is eased in where none is given."""
        return 1e3 * self._voice.emotion.transition_s

    def transition(self, transition_ms: float) -> None:
        """Set the time over which a change of emotion is eased in where none is given."""
        self._voice.emotion.transition_s = 1e-3 * float(TRANSITION_MS.read(transition_ms))

    def mouth_guard(self, share: float, over_s: float | None = None) -> None:
        """Set the share of the emotion's mouth that full speech replaces."""
        COMMANDS["mouth_guard"].parameters[0].read(share)
        _check_time(over_s)
        try:
            self._model.check_guard(share)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._voice.emotion.change_guard(share, self._now(), over_s)

    def auto(self, share: float, over_s: float | None = None) -> None:
        """Set the weight of the emotion estimated from the voice; may wait for a file.

        It fills what the mix leaves of 1.
        """
        weight = float(AUTO.read(share))
        if weight > 0.0 and not self._estimates_emotion:
            self._notice(ser_notice())
        self._change_voice_weights(replace(self.voice_weights, auto=weight), over_s)

    def arousal(self, share: float, over_s: float | None = None) -> None:
        """Set how far the mix follows the arousal of the voice."""
        weight = float(AROUSAL.read(share))
        self._change_voice_weights(replace(self.voice_weights, arousal=weight), over_s)

    def _change_voice_weights(self, weights: VoiceWeights, over_s: float | None) -> None:
        _check_time(over_s)
        with self._changing:
            # An estimator is never taken away: the inference thread may be using it.
            if (
                weights.auto and not self._estimates_emotion
            ) or self._voice.emotion_estimator is None:
                self._voice.emotion_estimator = (
                    open_emotion_estimator(weights) or self._voice.emotion_estimator
                )
                self._estimates_emotion = weights.auto > 0.0
            self._voice.emotion.change_voice_weights(weights, self._now(), over_s)

    def _change_emotion(
        self, mix: Mapping[str, float], factor: float, over_s: float | None
    ) -> None:
        _check_time(over_s)
        scaled = {name: min(factor * weight, MAX_WEIGHT) for name, weight in mix.items()}
        try:
            weights = self._model.emotion_vector(scaled)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._mix, self._factor = dict(mix), factor
            self._voice.emotion.change(weights, self._now(), over_s)


def _link_state(link: LinkMetrics, now_s: float) -> LinkState:
    counters, status = link.counters, link.status(now_s)
    return LinkState(
        counters.name,
        counters.sent,
        counters.failed,
        link.last_error or "",
        status.delivery.value,
        status.advice,
    )


def _check_time(over_s: float | None) -> None:
    if over_s is not None:
        OVER_S.read(over_s)


class SubjectController(EmotionController):
    """The commands of one subject as methods, for any thread.

    The threads that generate and send faces never wait for them: a command replaces a value that
    they read, and a mix, a guard or an intensity is eased in. UserError where a command fails;
    nothing was changed then.
    """

    def __init__(
        self,
        subject: Subject,
        model: Generator,
        changing: threading.RLock,
        now: Callable[[], float],
        is_recording: Callable[[], bool],
        notice: Callable[[str], None],
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(subject.name, subject.voice, model, changing, now, notice)
        self._subject = subject
        self._is_recording = is_recording
        self._metrics = metrics

    def controls(self, subject: Subject) -> bool:
        """Whether this is the subject that it controls."""
        return subject is self._subject

    @property
    def levels(self) -> Levels:
        """The levels of the parts of its face."""
        return self._subject.levels

    @property
    def seed(self) -> int:
        """The seed of its procedural animation."""
        return self._subject.performer.animation.seed

    @property
    def weights_id(self) -> str:
        """What names the weights of its network in takes."""
        return weights_id(self._model)

    @property
    def noise_gate(self) -> GateConfig:
        """The settings of its noise gate."""
        return self._subject.voice.gate

    @property
    def gain_db(self) -> float:
        """The input gain."""
        return self._subject.voice.gain_db

    @property
    def lookahead_ms(self) -> int:
        """The look-ahead, once it is reached."""
        return self._subject.metrics.lookahead_ms

    @property
    def rigmaps(self) -> tuple[str, ...]:
        """The rig maps of its links, by name or path, in the order of its routes."""
        return tuple(route.applier.rigmap.reference for route in self._routes_to_links)

    @property
    def is_muted(self) -> bool:
        """Whether its sound is muted."""
        return self._subject.voice.mute.is_muted

    @property
    def is_paused(self) -> bool:
        """Whether its face is paused."""
        return self._subject.is_paused

    @property
    def live_links(self) -> tuple[LiveLinkFaceLink, ...]:
        """Its Live Link Face links."""
        return tuple(link for link in self._subject.links if isinstance(link, LiveLinkFaceLink))

    def level(self, part: str, level: float) -> None:
        """Set the level of a part of the face."""
        PART.read(part)
        LEVEL.read(level)
        if level > max_level(part):
            what = f"{part} goes from 0 to {max_level(part):g}, found {level:g}"
            raise UserError(Problem(self.name, what))
        with self._changing:
            self._subject.levels = replace(self._subject.levels, **{part: level})

    def state(self) -> SubjectState:
        """Return its settings, and the state of its audio input and links."""
        metrics = self._subject.metrics
        return SubjectState(
            name=self.name,
            weights=dict(self.weights),
            factor=self.factor,
            settings=self.settings,
            voice_weights=self.voice_weights,
            levels=self.levels,
            gain_db=self._subject.voice.gain_db,
            is_muted=self.is_muted,
            is_paused=self.is_paused,
            lookahead_ms=metrics.lookahead_ms,
            input_state=metrics.input_state,
            level_db=metrics.level_db,
            links=tuple(_link_state(link, self._now()) for link in metrics.links),
            passthrough=self.passthrough,
            health=health(self._metrics, metrics, self._now()) if self._metrics else None,
        )

    def reset_losses(self) -> None:
        """Count losses, and datagrams that were not sent, anew from now on."""
        self._subject.metrics.reset_losses()

    def gain(self, gain_db: float) -> None:
        """Set the input gain, before level meter and gate."""
        self._subject.voice.gain_db = float(GAIN_DB.read(gain_db))

    def gate(
        self,
        *,
        enabled: bool | None = None,
        voice: bool | None = None,
        open_db: float | None = None,
        close_db: float | None = None,
        hold_ms: float | None = None,
        near_db: float | None = None,
        lead_ms: float | None = None,
    ) -> None:
        """Change settings of the noise gate; the others stay. It may load a detector of voices.

        A level at which it opens takes the one at which it closes along with it, and the other way
        round, so that it never closes above.
        """
        given: dict[str, float | None] = {
            "enabled": enabled,
            "voice": voice,
            "hold_ms": hold_ms,
            "open_db": open_db,
            "close_db": close_db,
            "near_db": near_db,
            "lead_ms": lead_ms,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        with self._changing:
            values = self._subject.voice.gate.model_dump() | changes
            if "open_db" in changes:
                values["close_db"] = min(values["close_db"], values["open_db"])
            else:
                values["open_db"] = max(values["open_db"], values["close_db"])
            try:
                self._set_gate(GateConfig.model_validate(values))
            except ValidationError as error:
                raise UserError.of(
                    validation_problems(
                        error, lambda place: f"gate {place[-1]}" if place else "gate"
                    )
                ) from None

    def _set_gate(self, gate: GateConfig) -> None:
        voice = self._subject.voice
        if gate.lead_s != voice.gate.lead_s:
            self._refuse_while_recording("change the gate after it")
        voice.gate = gate
        if gate.lead_s != voice.delay.lead_s:
            voice.delay.change_lead(gate.lead_s, self._now())

    def _refuse_while_recording(self, remedy: str) -> None:
        if self._is_recording():
            what = "a take is being recorded, whose sound would jump"
            raise UserError(Problem(self.name, what, remedy))

    @property
    def passthrough(self) -> PassthroughReport | None:
        """Settings and state of its audio passthrough, None where it has none."""
        return _passthrough_report(self._subject.passthrough)

    def passthrough_delay(self, delay_ms: float) -> None:
        """Set the delay of the audio passthrough beyond that of the face."""
        played = self._passthrough()
        played.delay_ms = float(SOUND_DELAY_MS.read(delay_ms))

    def passthrough_level(self, level_db: float) -> None:
        """Set the level of the audio passthrough."""
        played = self._passthrough()
        played.level_db = float(SOUND_LEVEL_DB.read(level_db))

    def _passthrough(self) -> Passthrough:
        played = self._subject.passthrough
        if played is None:
            what, remedy = "has no audio passthrough", "start the bridge with --passthrough NAME"
            raise UserError(Problem(self.name, what, remedy))
        return played

    def mute(self, *, is_muted: bool = True) -> None:
        """Replace the sound by silence, or stop doing so."""
        wanted = bool(IS_MUTED.read(is_muted))
        self._subject.voice.mute.is_muted = self._subject.metrics.is_muted = wanted

    def pause(self, *, is_paused: bool = True) -> None:
        """Pause the face, or let it go on."""
        wanted = bool(IS_PAUSED.read(is_paused))
        self._subject.is_paused = self._subject.metrics.is_paused = wanted

    def lookahead(self, lookahead_ms: float) -> None:
        """Change the look-ahead, rounded to whole hops, gradually so that no face jumps."""
        LOOKAHEAD_MS.read(lookahead_ms)
        self._refuse_while_recording("change the look-ahead after it")
        wanted_ms = round(lookahead_ms / HOP_MS) * HOP_MS
        with self._changing:
            self._subject.voice.delay.change(1e-3 * wanted_ms, self._now())
            self._subject.metrics.lookahead_ms = wanted_ms

    def reload(self) -> None:
        """Read the rig maps from disk again; UserError keeps all old ones."""
        appliers = [route.applier for route in self._subject.routes]
        maps = [load_rigmap(applier.rigmap.reference) for applier in appliers]
        problems = [
            Problem(rigmap.reference, "has other curves now", "restart the bridge to send them")
            for applier, rigmap in zip(appliers, maps, strict=True)
            if rigmap.outputs != applier.rigmap.outputs
        ]
        if problems:
            raise UserError.of(problems)
        for applier, rigmap in zip(appliers, maps, strict=True):
            applier.change(rigmap)

    def rigmap(self, present: str, wanted: str) -> None:
        """Send what another rig map gives in place of a present one; reads a file.

        UserError where no link has the present one, or where the other gives other curves: a
        receiver knows a link by its curves.
        """
        routes = [
            route for route in self._routes_to_links if route.applier.rigmap.reference == present
        ]
        if not routes:
            what = f"no link of {self.name} has the rig map {present[:80]!r}"
            raise UserError(Problem("rigmap", what, nearest(present[:80], self.rigmaps)))
        found = load_rigmap(wanted)
        for route in routes:
            if found.outputs != route.applier.rigmap.outputs:
                what = f"gives other curves than {present}, which this link has promised"
                remedy = f"set `rigmap: {wanted}` in the config and restart the bridge"
                raise UserError(Problem(wanted, what, remedy))
        for route in routes:
            route.applier.change(found)

    @property
    def _routes_to_links(self) -> list[Route]:
        return [route for route in self._subject.routes if route.links]
