"""A subject: one character with its voice, its performer, and the routes of its mapped frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import BLOCK_S
from cstalk_bridge.face.performer import Performer
from cstalk_bridge.face.procedural.compose import compose_poses
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.frame import Showing
from cstalk_bridge.monitor.metrics import SubjectMetrics
from cstalk_bridge.rig.rigmap import apply_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.face.performer import FallbackPolicies
    from cstalk_bridge.face.procedural.animation import ProceduralAnimation
    from cstalk_bridge.face.procedural.compose import Levels, Pose
    from cstalk_bridge.face.timeline import TimelineReading
    from cstalk_bridge.face.voice import StreamSegment, Voice
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.rig.rigmap import Applier
    from cstalk_bridge.timecode.tick import Tick


@dataclass(frozen=True, slots=True)
class Route:
    """A rig map and the receivers of its curves: links, and observers within the program."""

    applier: Applier
    links: tuple[Link, ...]
    observers: tuple[Link, ...] = ()

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send the mapped values of a tick, float32 [outputs], to links, then to observers."""
        for link in self.links:
            link.send(values, tick)
        for link in self.observers:
            link.send(values, tick)


class Subject:
    """One character, as the tick thread shows it.

    `channels` names the columns of the rows of its voice; `policies` are its fallback policies;
    `notice` is a message for the user about its audio input. Any thread may set `levels` and
    `is_paused`.
    """

    def __init__(
        self,
        name: str,
        voice: Voice,
        animation: ProceduralAnimation,
        routes: Sequence[Route],
        *,
        channels: Sequence[str],
        now: Callable[[], float],
        policies: FallbackPolicies | None = None,
        notice: str | None = None,
    ) -> None:
        self.name = name
        self.notice = notice
        self.voice = voice
        self.is_paused = False
        self.links = tuple(link for route in routes for link in route.links)
        self.metrics = SubjectMetrics(name, self.links)
        self.routes = tuple(routes)
        self.performer = Performer(channels, animation, policies)
        self._now = now
        self._measured: tuple[TimelineReading, StreamSegment] | None = None
        """The reading and the segment of the live face of the present tick."""

    @property
    def levels(self) -> Levels:
        """The levels of its procedural animation."""
        return self.performer.animation.levels

    @levels.setter
    def levels(self, levels: Levels) -> None:
        self.performer.animation.levels = levels

    def pose(self, tick: Tick) -> Pose:
        """Return the pose at a tick's presentation time, and record how it came about."""
        voice, due_s = self.voice, tick.due_s
        voice_reading = voice.at(due_s)
        reading = None if voice.is_finished(due_s) else voice_reading.face
        pose = self.performer.pose(
            reading,
            Cues(voice_reading.prosody, voice.emotion.at(due_s)),
            due_s,
            is_paused=self.is_paused,
            is_starved=voice.starved_since_s is not None,
        )
        self.metrics.record_shown(pose.showing, 0.0 if reading is None else reading.late_s, due_s)
        is_live = pose.showing is Showing.LIVE
        self._measured = (
            (reading, voice_reading.segment) if reading is not None and is_live else None
        )
        return pose

    def record_sent(self, board: NDArray[np.float32], tick: Tick) -> None:
        """Record that the face of a tick, float32 [174], has been sent."""
        left_s = self._now()
        self.metrics.record_face(board, tick.frame)
        self.metrics.read_links(left_s)
        if self._measured is not None:
            self._measure(*self._measured, tick.due_s, left_s)

    def is_finished(self, host_s: float) -> bool:
        """Whether its recording has ended and the last face was shown."""
        return self.voice.is_finished(host_s)

    def _measure(
        self, reading: TimelineReading, segment: StreamSegment, due_s: float, left_s: float
    ) -> None:
        """Record the latency from the arrival of the newest sample in the face until its packet.

        That sample's stream time is the face's plus the look-ahead. The parts add up to the total.
        """
        behind_s = self.voice.delay.beyond_lookahead_at(due_s) + segment.preprocessor.delay_s
        sound_s = segment.clock.stream_time(due_s) - behind_s
        reached_s = segment.clock.host_time(sound_s)
        block_s = BLOCK_S - sound_s % BLOCK_S
        metrics = self.metrics
        metrics.record_latency("block", block_s)
        metrics.record_latency("hop", reading.received_s - reached_s - block_s)
        metrics.record_latency("inference", reading.ready_s - reading.received_s)
        metrics.record_latency("buffer", due_s - reading.ready_s)
        metrics.record_latency("tick", left_s - due_s)
        metrics.record_total_latency(left_s - reached_s)


def show_subjects(subjects: Sequence[Subject], tick: Tick) -> None:
    """Show the faces of all subjects at a tick: compose, map, and send them to all links.

    Composing, and mapping by a shared rig map, is one batched operation for all subjects.
    """
    poses = [subject.pose(tick) for subject in subjects]
    boards = compose_poses(poses)
    heads = np.stack([pose.motion.head for pose in poses])
    routes = [(route, place) for place, subject in enumerate(subjects) for route in subject.routes]
    places = [place for _, place in routes]
    appliers = [route.applier for route, _ in routes]
    mapped = apply_all(appliers, boards[places], heads[places], tick.due_s)
    sending = zip(routes, mapped, strict=True)
    for subject, board in zip(subjects, boards, strict=True):
        for _ in subject.routes:
            (route, _), values = next(sending)
            route.send(values, tick)
        subject.record_sent(board, tick)
