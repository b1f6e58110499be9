"""One character: its voice, its face, and where that goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.audio.block import BLOCK_S
from bridge.face.alive.cues import Cues
from bridge.face.perform import Performer, Showing
from bridge.monitor.metrics import SubjectMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.clock.tick import Tick
    from bridge.face.alive.levels import Levels
    from bridge.face.alive.life import Life
    from bridge.face.alive.settling import Policies
    from bridge.face.stretch import Stretch
    from bridge.face.timeline import Reading
    from bridge.face.voice import Voice
    from bridge.frame import Frame
    from bridge.links.link import Link
    from bridge.rig.rigmap import Applier


@dataclass(frozen=True, slots=True)
class Outlet:
    """One rig map and those who get what it gives: links, and what watches within the program."""

    applier: Applier
    links: tuple[Link, ...]
    watching: tuple[Link, ...] = ()

    def send(self, frame: Frame, tick: Tick) -> None:
        """Map one frame and send it."""
        values = self.applier.apply(frame)
        for link in self.links:
            link.send(values, tick)
        for link in self.watching:
            link.send(values, tick)


class Subject:
    """What the tick thread does for one character.

    `channels` names the columns of its rows; `policies` say what its face does without words;
    `notice` is what to tell the user of its sound. `levels` and `is_paused` may be set from
    any thread.
    """

    def __init__(
        self,
        name: str,
        voice: Voice,
        life: Life,
        outlets: Sequence[Outlet],
        *,
        channels: Sequence[str],
        now: Callable[[], float],
        policies: Policies | None = None,
        notice: str | None = None,
    ) -> None:
        self.name = name
        self.notice = notice
        self.voice = voice
        self.is_paused = False
        self.links = tuple(link for outlet in outlets for link in outlet.links)
        self.metrics = SubjectMetrics(name, self.links)
        self.outlets = tuple(outlets)
        self._life = life
        self._performer = Performer(channels, life, policies)
        self._now = now

    @property
    def levels(self) -> Levels:
        """How much of each part of its living face there is."""
        return self._life.levels

    @levels.setter
    def levels(self, levels: Levels) -> None:
        self._life.levels = levels

    def show(self, tick: Tick) -> None:
        """Read the face of a tick's presentation time, map it, and send it to all links."""
        reading, stretch = self.voice.at(tick.due_s)
        if self.voice.is_over(tick.due_s):
            reading = None
        cues = Cues(self.voice.prosody_at(tick.due_s), self.voice.emotion.at(tick.due_s))
        frame = self._performer.frame(
            reading,
            cues,
            tick.due_s,
            is_paused=self.is_paused,
            is_starved=self.voice.starved_since_s is not None,
        )
        for outlet in self.outlets:
            outlet.send(frame, tick)
        left_s = self._now()
        self.metrics.faced(frame.board, tick.frame)
        self.metrics.sent(left_s)
        showing = self._performer.showing
        self.metrics.showed(showing, 0.0 if reading is None else reading.late_s, tick.due_s)
        if reading is not None and showing is Showing.LIVE:
            self._measure(reading, stretch, tick.due_s, left_s)

    def is_over(self, host_s: float) -> bool:
        """Whether the recording it hears has ended and its last face was shown."""
        return self.voice.is_over(host_s)

    def _measure(self, reading: Reading, stretch: Stretch, due_s: float, left_s: float) -> None:
        """Take apart the time from the newest sound in the face reaching us to its packet leaving.

        That sound's stream time is the face's plus the look-ahead; the parts add up to the whole.
        """
        behind_s = self.voice.delay.beyond_lookahead_at(due_s) + stretch.listener.delay_s
        sound_s = stretch.clock.stream_time(due_s) - behind_s
        reached_s = stretch.clock.host_time(sound_s)
        block_s = BLOCK_S - sound_s % BLOCK_S
        metrics = self.metrics
        metrics.took("block", block_s)
        metrics.took("hop", reading.heard_s - reached_s - block_s)
        metrics.took("inference", reading.made_s - reading.heard_s)
        metrics.took("buffer", due_s - reading.made_s)
        metrics.took("tick", left_s - due_s)
        metrics.took_in_all(left_s - reached_s)
