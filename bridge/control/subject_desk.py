"""What one subject can be told while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.control.commands import (
    GAIN_DB,
    IS_MUTED,
    IS_PAUSED,
    LEVEL,
    LOOKAHEAD_MS,
    PART,
)
from bridge.control.emotion_desk import EmotionDesk
from bridge.control.state import LinkState, SubjectState
from bridge.errors import Problem, UserError
from bridge.face.alive.levels import limit_of
from bridge.links.link import LiveLinkFaceLink
from bridge.rig.load import load_rigmap
from models.timing import HOP_MS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.face.alive.levels import Levels
    from bridge.subject import Subject
    from models.generator import Generator


class SubjectDesk(EmotionDesk):
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
        notice: Callable[[str], None],
    ) -> None:
        super().__init__(subject.name, subject.voice, model, changing, now, notice)
        self._subject = subject
        self._is_recording = is_recording

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

    def level(self, part: str, level: float) -> None:
        """Set how strong a part of the living face is."""
        PART.read(part)
        LEVEL.read(level)
        if level > limit_of(part):
            what = f"{part} goes from 0 to {limit_of(part):g}, found {level:g}"
            raise UserError(Problem(self.name, what))
        with self._changing:
            self._subject.levels = replace(self._subject.levels, **{part: level})

    def state(self) -> SubjectState:
        """Return what it was told, and how its sound and links fare."""
        metrics = self._subject.metrics
        return SubjectState(
            name=self.name,
            weights=dict(self.weights),
            factor=self.factor,
            guard=self.guard,
            shares=self.shares,
            levels=self.levels,
            gain_db=self._subject.voice.gain_db,
            is_muted=self.is_muted,
            is_paused=self.is_paused,
            lookahead_ms=metrics.lookahead_ms,
            input_state=metrics.input_state,
            level_db=metrics.level_db,
            links=tuple(
                LinkState(link.counters.name, link.counters.sent, link.counters.failed, error or "")
                for link in metrics.links
                for error in (link.last_error,)
            ),
        )

    def gain(self, gain_db: float) -> None:
        """Amplify the sound before level meter and gate."""
        self._subject.voice.gain_db = float(GAIN_DB.read(gain_db))

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
            self._subject.metrics.lookahead_ms = wanted_ms

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
