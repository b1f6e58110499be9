"""What one subject can be told while it runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.control.commands import (
    EMOTION,
    FACTOR,
    FADER_S,
    HOP_MS,
    IS_MUTED,
    IS_PAUSED,
    LEVEL,
    LOOKAHEAD_MS,
    OVER_S,
    PART,
    SHARE,
    WEIGHT,
)
from bridge.errors import Problem, UserError
from bridge.face.alive.levels import limit_of
from bridge.links.link import LiveLinkFaceLink
from bridge.rig.load import load_rigmap
from models.emotions import MAX_WEIGHT

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from bridge.face.alive.levels import Levels
    from bridge.subject import Subject
    from models.generator import Generator


class SubjectDesk:
    """The commands of one subject as methods, for any thread.

    Nothing on the way from voice to packet ever waits for them: they replace a value which that
    way reads, and a mix, a guard or an intensity is eased in. UserError says what cannot be, and
    then nothing was changed.
    """

    def __init__(
        self,
        subject: Subject,
        model: Generator,
        changing: threading.RLock,
        now: Callable[[], float],
        is_recording: Callable[[], bool],
    ) -> None:
        self.name = subject.name
        self._subject = subject
        self._model = model
        self._changing = changing
        self._now = now
        self._is_recording = is_recording
        self._mix = {
            name: float(weight)
            for name, weight in zip(model.emotions, subject.voice.emotion.at(now()), strict=True)
        }
        self._factor = 1.0

    @property
    def mix(self) -> dict[str, float]:
        """The mix it was last told, without `factor`; names without weight are left out."""
        return {name: weight for name, weight in self._mix.items() if weight}

    @property
    def factor(self) -> float:
        """The intensity it was last told."""
        return self._factor

    @property
    def guard(self) -> float:
        """The mouth guard it was last told."""
        return self._subject.voice.emotion.guard_at(math.inf)

    @property
    def levels(self) -> Levels:
        """How strong each part of its living face is to be."""
        return self._subject.levels

    @property
    def is_muted(self) -> bool:
        """Whether it hears silence."""
        return self._subject.voice.mute.is_muted

    @property
    def is_paused(self) -> bool:
        """Whether its face halts."""
        return self._subject.is_paused

    @property
    def live_links(self) -> tuple[LiveLinkFaceLink, ...]:
        """Its Live Link Face links."""
        return tuple(link for link in self._subject.links if isinstance(link, LiveLinkFaceLink))

    def emotion(self, mix: Mapping[str, float], over_s: float | None = None) -> None:
        """Go over to this mix, all others 0; without `over_s` within the set transition."""
        for name, weight in mix.items():
            EMOTION.read(name)
            WEIGHT.read(weight)
        self._feel({**mix}, self._factor, over_s)

    def weight(self, emotion: str, weight: float, over_s: float | None = FADER_S) -> None:
        """Change one weight of the mix and leave the others."""
        EMOTION.read(emotion)
        WEIGHT.read(weight)
        with self._changing:
            self._feel({**self._mix, emotion: weight}, self._factor, over_s)

    def intensity(self, factor: float, over_s: float | None = None) -> None:
        """Multiply all weights of the mix, now and from now on."""
        FACTOR.read(factor)
        with self._changing:
            self._feel(self._mix, factor, over_s)

    def mouth_guard(self, share: float, over_s: float | None = None) -> None:
        """Set how much of the emotion's mouth speech pushes aside."""
        SHARE.read(share)
        _checked_time(over_s)
        try:
            self._model.check_guard(share)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._subject.voice.emotion.change_guard(share, self._now(), over_s)

    def level(self, part: str, level: float) -> None:
        """Set how strong a part of the living face is."""
        PART.read(part)
        LEVEL.read(level)
        if level > limit_of(part):
            what = f"{part} goes from 0 to {limit_of(part):g}, found {level:g}"
            raise UserError(Problem(self.name, what))
        with self._changing:
            self._subject.levels = replace(self._subject.levels, **{part: level})

    def mute(self, *, is_muted: bool = True) -> None:
        """Hear silence, or the voice again."""
        wanted = bool(IS_MUTED.read(is_muted))
        self._subject.voice.mute.is_muted = self._subject.metrics.is_muted = wanted

    def pause(self, *, is_paused: bool = True) -> None:
        """Halt the face, or let it live again."""
        wanted = bool(IS_PAUSED.read(is_paused))
        self._subject.is_paused = self._subject.metrics.is_paused = wanted

    def lookahead(self, lookahead_ms: float) -> None:
        """Go over to another look-ahead, rounded to whole hops, slower than any face jumps."""
        LOOKAHEAD_MS.read(lookahead_ms)
        if self._is_recording():
            what = "a take is recorded, whose sound would jump"
            raise UserError(Problem(self.name, what, "change the look-ahead after it"))
        wanted_ms = round(lookahead_ms / HOP_MS) * HOP_MS
        with self._changing:
            self._subject.voice.delay.change(1e-3 * wanted_ms, self._now())
            self._subject.metrics.lookahead_ms = round(wanted_ms)

    def reload(self) -> None:
        """Read the rig maps from disk again; UserError keeps all old ones."""
        appliers = [outlet.applier for outlet in self._subject.outlets]
        maps = [load_rigmap(applier.rigmap.reference) for applier in appliers]
        problems = [
            Problem(rigmap.reference, "has other outputs now", "start again to send them")
            for applier, rigmap in zip(appliers, maps, strict=True)
            if rigmap.outputs != applier.rigmap.outputs
        ]
        if problems:
            raise UserError.of(problems)
        for applier, rigmap in zip(appliers, maps, strict=True):
            applier.change(rigmap)

    def _feel(self, mix: Mapping[str, float], factor: float, over_s: float | None) -> None:
        _checked_time(over_s)
        told = {name: min(factor * weight, MAX_WEIGHT) for name, weight in mix.items()}
        try:
            weights = self._model.emotion_vector(told)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._mix, self._factor = dict(mix), factor
            self._subject.voice.emotion.change(weights, self._now(), over_s)


def _checked_time(over_s: float | None) -> None:
    if over_s is not None:
        OVER_S.read(over_s)
