"""One character: its voice, its performer, and the routes by which its mapped frames go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import BLOCK_S
from cstalk_bridge.face.performer import Performer, compose_poses
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.frame import Showing
from cstalk_bridge.monitor.metrics import SubjectMetrics
from cstalk_bridge.rig.rigmap import apply_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.face.performer import FallbackPolicies, Pose
    from cstalk_bridge.face.procedural.animation import ProceduralAnimation
    from cstalk_bridge.face.procedural.compose import Levels
    from cstalk_bridge.face.timeline import TimelineReading
    from cstalk_bridge.face.voice import StreamSegment, Voice
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.rig.rigmap import Applier
    from cstalk_bridge.timecode.tick import Tick


@dataclass(frozen=True, slots=True)
class Route:
    """One rig map and those who get what it gives: links, and what watches within the program."""

    applier: Applier
    links: tuple[Link, ...]
    observers: tuple[Link, ...] = ()

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send the mapped values of a tick, [outputs]."""
        for link in self.links:
            link.send(values, tick)
        for link in self.observers:
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
        """What made the live face of the present tick."""

    @property
    def levels(self) -> Levels:
        """How much of each part of its living face there is."""
        return self.performer.animation.levels

    @levels.setter
    def levels(self, levels: Levels) -> None:
        self.performer.animation.levels = levels

    def pose(self, tick: Tick) -> Pose:
        """Return what to show at a tick's presentation time, and measure how it got there."""
        voice, due_s = self.voice, tick.due_s
        reading, segment = voice.at(due_s)
        if voice.is_finished(due_s):
            reading = None
        pose = self.performer.pose(
            reading,
            Cues(voice.prosody_at(due_s), voice.emotion.at(due_s)),
            due_s,
            is_paused=self.is_paused,
            is_starved=voice.starved_since_s is not None,
        )
        self.metrics.record_shown(pose.showing, 0.0 if reading is None else reading.late_s, due_s)
        is_live = pose.showing is Showing.LIVE
        self._measured = (reading, segment) if reading is not None and is_live else None
        return pose

    def record_sent(self, board: NDArray[np.float32], tick: Tick) -> None:
        """Take that the face of a tick, [174], has left."""
        left_s = self._now()
        self.metrics.record_face(board, tick.frame)
        self.metrics.read_links(left_s)
        if self._measured is not None:
            self._measure(*self._measured, tick.due_s, left_s)

    def is_finished(self, host_s: float) -> bool:
        """Whether the recording it hears has ended and its last face was shown."""
        return self.voice.is_finished(host_s)

    def _measure(
        self, reading: TimelineReading, segment: StreamSegment, due_s: float, left_s: float
    ) -> None:
        """Take apart the time from the newest sound in the face reaching us to its packet leaving.

        That sound's stream time is the face's plus the look-ahead; the parts add up to the whole.
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
    """Show every subject's face of a tick's presentation time: map it, and send it to all links.

    What can be one sum for all of them is.
    """
    poses = [subject.pose(tick) for subject in subjects]
    boards = compose_poses(poses, [subject.performer for subject in subjects])
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
