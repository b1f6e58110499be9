"""A subject: one character with its voice, its performer, and the routes of its mapped frames.

A stream segment is one unbroken run of audio and the faces made from it. Stream time counts the
audio that the preprocessor has given out; the `StreamClock` of the segment maps host time to
stream time by the arrival of blocks. A lost source that returns starts a new segment. The tick
thread takes clock and timeline from one segment, so it never reads an old timeline by a new clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.audio.preprocessing import MAX_HOPS, Mute, Preprocessor, Resampler
from cstalk_bridge.audio.source import (
    BLOCK_S,
    BLOCKS_PER_S,
    HOP_RATE_HZ,
    HOP_S,
    Block,
    SourceState,
)
from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition, StreamClock
from cstalk_bridge.face.performer import Performer
from cstalk_bridge.face.procedural.animation import compose_poses
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import SILENCE, ProsodyTracker
from cstalk_bridge.face.timeline import ProsodyLine, Timeline
from cstalk_bridge.monitor.metrics import SubjectMetrics
from cstalk_bridge.rig.curves import Frame, Showing
from cstalk_bridge.rig.rigmap import apply_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.audio.passthrough import Passthrough
    from cstalk_bridge.audio.source import AudioConfig, GateConfig, Hop, Source
    from cstalk_bridge.face.emotion import EmotionEstimator, EmotionState
    from cstalk_bridge.face.performer import FallbackPolicies
    from cstalk_bridge.face.procedural.animation import Levels, Pose, ProceduralAnimation
    from cstalk_bridge.face.procedural.prosody import Prosody
    from cstalk_bridge.face.timeline import Delay, TimelineReading
    from cstalk_bridge.outputs.link import Link
    from cstalk_bridge.rig.rigmap import Applier
    from cstalk_bridge.timecode.tick import Tick

    Row = NDArray[np.float32] | None


class ResampledHistory:
    """Audio history at 16 kHz, for a take that began before a device of another rate was there."""

    def __init__(self, rate_hz: int) -> None:
        self.history = AudioHistory(HOP_RATE_HZ)
        self._resampler = Resampler(rate_hz)

    @property
    def delay_s(self) -> float:
        """How far it is behind the audio."""
        return self._resampler.delay_s

    def write(self, samples: NDArray[np.float32]) -> None:
        """Add the next samples, [time]."""
        self.history.write(self._resampler.push(samples))


class StreamSegment:
    """One unbroken run of audio, and the faces made from it.

    The tick thread may read `clock`, `timeline` and `prosody_line`, a recorder `clock` and
    `history`; the rest belongs to the inference thread.
    """

    def __init__(
        self, rate_hz: int, config: AudioConfig, channels: int, *, was_waiting: bool = False
    ) -> None:
        self.preprocessor = Preprocessor(rate_hz, gain_db=config.gain_db, gate=config.gate)
        self.clock = StreamClock()
        self.history = AudioHistory(rate_hz)
        """The audio before gain and noise gate."""
        self._resampled: ResampledHistory | None = None
        if was_waiting and rate_hz != HOP_RATE_HZ:
            self._resampled = ResampledHistory(rate_hz)
        self.timeline = Timeline(channels)
        self.prosody_line = ProsodyLine()
        """The results of `prosody_tracker`, hop by hop."""
        self.prosody_tracker = ProsodyTracker()
        self.end_s = math.inf
        """Stream time of the end of the audio; infinite while it goes on."""
        self.received_s = 0.0
        """Duration of the audio received."""
        self._rate_hz = rate_hz
        self._next_index = 0

    def push(self, block: Block) -> None:
        """Process the next block, and set the clock by its arrival."""
        self.preprocessor.push(block)
        self._remember(block.samples)
        self.received_s += len(block.samples) / self._rate_hz
        self.clock.observe(block.arrived_s, self.received_s)

    def push_silence(self, seconds: float, now_s: float) -> None:
        """Process silence in place of audio that is missing; the clock is not set by it."""
        silence = np.zeros(round(BLOCK_S * self._rate_hz), dtype=np.float32)
        frames = len(silence)
        for _ in range(math.ceil(seconds / BLOCK_S)):
            self.preprocessor.push(Block(silence, now_s, now_s))
            self._remember(silence)
            self.received_s += frames / self._rate_hz

    def recorded_at(self, stream_s: float, rate_hz: int | None = None) -> HistoryPosition:
        """Return a stream time in the history, in that of the rate where there is one."""
        resampled = self._resampled
        if resampled is None or rate_hz != HOP_RATE_HZ:
            return HistoryPosition(self.history, stream_s)
        return HistoryPosition(resampled.history, stream_s + resampled.delay_s)

    def _remember(self, samples: NDArray[np.float32]) -> None:
        self.history.write(samples)
        if self._resampled is not None:
            self._resampled.write(samples)

    def put_row(
        self, hop: Hop, row: NDArray[np.float32] | None, ready_s: float, lookahead_hops: int
    ) -> None:
        """Put the row of `hop`, [channels], made with that look-ahead; None repeats the last."""
        number = hop.index + 1 - lookahead_hops
        self.timeline.put(number, row, hop.arrived_s, ready_s)
        self._next_index = hop.index + 1

    def hop_due_s(self, index: int) -> float | None:
        """Return the host time at which a hop was complete; None before any audio."""
        return self.clock.host_time((index + 1) * HOP_S) if self.clock.is_synchronised else None

    @property
    def next_hop_s(self) -> float:
        """Host time at which the next hop should be complete; infinite before any audio."""
        due_s = self.hop_due_s(self._next_index)
        return math.inf if due_s is None else due_s


MAX_FILLED_BLOCKS = 10 * BLOCKS_PER_S
"""Lost blocks replaced by silence at once: ten seconds. After more the clock follows the jump."""

MAX_JOINED_BLOCKS = BLOCKS_PER_S // 2
"""Blocks processed as one: half a second."""

STARVED_S = 0.25
"""Audio later than this counts as missing; less is jitter."""


@dataclass(frozen=True, slots=True)
class VoiceReading:
    """What the tick thread reads of a voice at one host time, all of one segment."""

    segment: StreamSegment
    face: TimelineReading | None
    """The face to show; None before any audio."""
    prosody: Prosody = SILENCE
    """The prosody one look-ahead after the face, the newest known: so the head has as much time to
    move with a word as the lips have to prepare it."""


class Voice:
    """A source, its stream segment, its delay and its emotion.

    The inference thread calls `poll` and `put_rows`, the tick thread `at` and `is_finished`, a
    recorder `sound_at` and `sound_delay_at`. `channels` is the number of columns
    of a row.
    """

    def __init__(
        self,
        source: Source,
        config: AudioConfig,
        delay: Delay,
        emotion: EmotionState,
        *,
        channels: int,
        emotion_estimator: EmotionEstimator | None = None,
    ) -> None:
        self.source = source
        self.emotion_estimator = emotion_estimator
        self.mute = Mute()
        self.delay = delay
        self.emotion = emotion
        self.hops: list[Hop] = []
        """Hops waiting for inference, oldest first."""
        self.state = source.state
        self.starved_since_s: float | None = None
        """Host time since which audio is missing; None while it arrives."""
        self.dropped_blocks = 0
        self._dropped_hops = 0
        self._config = config
        self._channels = channels
        self._segment = self._new_segment()

    @property
    def segment(self) -> StreamSegment:
        """The present stream segment, or the last one."""
        return self._segment

    @property
    def config(self) -> AudioConfig:
        """The settings of its audio input as they are now."""
        return self._config

    @property
    def gain_db(self) -> float:
        """The gain before level meter and noise gate, in dB; may be set from any thread."""
        return self._config.gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._config = self._config.model_copy(update={"gain_db": gain_db})
        self._segment.preprocessor.gain_db = gain_db

    def change_source(self, source: Source, config: AudioConfig) -> None:
        """Begin a new segment with another source; for the inference thread."""
        source.start()
        self._config = config.model_copy(
            update={"gain_db": self._config.gain_db, "gate": self._config.gate}
        )
        self.source, self.state = source, source.state
        self.hops = []
        self.dropped_blocks = source.dropped_blocks
        self._dropped_hops += self._segment.preprocessor.dropped_hops
        self._segment = self._new_segment()

    @property
    def gate(self) -> GateConfig:
        """The settings of the noise gate; may be set from any thread."""
        return self._config.gate

    @gate.setter
    def gate(self, gate: GateConfig) -> None:
        self._segment.preprocessor.gate = gate
        self._config = self._config.model_copy(update={"gate": gate})

    @property
    def dropped_hops(self) -> int:
        """Hops skipped because inference was too slow, in all segments."""
        return self._dropped_hops + self._segment.preprocessor.dropped_hops

    def poll(self, now_s: float) -> list[Block]:
        """Process and return the new blocks of the source."""
        blocks = [self.mute.apply(block) for block in self.source.poll(now_s)]
        before, self.state = self.state, self.source.state
        if before.is_absent and self.state is SourceState.RUNNING:
            self.hops = []
            self._dropped_hops += self._segment.preprocessor.dropped_hops
            self._segment = self._new_segment(was_waiting=before is SourceState.WAITING)
        self._fill_lost_blocks(now_s)
        for joined in _merge_blocks(blocks):
            self._segment.push(joined)
        if self.state is SourceState.ENDED and before is not SourceState.ENDED:
            self._flush(now_s)
        if self.state.is_absent:
            self.source.reopen()
        self._check_starvation(now_s)
        self._collect_hops()
        return blocks

    def put_rows(self, rows: Sequence[Row], ready_s: float, lookahead_hops: int) -> None:
        """Put the rows made from the newest of the waiting hops, with that look-ahead.

        A row is float32 [channels], None where it is not usable. ValueError for no row, and for
        more rows than hops. No hop waits afterwards.
        """
        if not 0 < len(rows) <= len(self.hops):
            raise ValueError(f"{len(rows)} rows of {len(self.hops)} hops")
        segment = self._segment
        # Hops that the gate held back are late on purpose.
        first = next((hop for hop in self.hops if not hop.is_repeated), self.hops[-1])
        due_s = segment.hop_due_s(first.index)
        if due_s is not None:
            self.delay.buffer.observe(ready_s - due_s, ready_s)
        for hop, row in zip(self.hops[-len(rows) :], rows, strict=True):
            segment.put_row(hop, row, ready_s, lookahead_hops)
        self.hops = []

    def at(self, host_s: float) -> VoiceReading:
        """Return what is shown of the voice at a host time."""
        segment = self._segment
        if not segment.clock.is_synchronised:
            return VoiceReading(segment, None)
        stream_s = segment.clock.stream_time(host_s)
        return VoiceReading(
            segment,
            segment.timeline.at(stream_s - self.delay.at(host_s)),
            segment.prosody_line.at(stream_s - self.delay.beyond_lookahead_at(host_s)),
        )

    def sound_at(self, host_s: float, rate_hz: int | None = None) -> HistoryPosition | None:
        """Return the audio to which the face of a host time belongs, None before any audio.

        Of a device that was waited for there is audio at 16 kHz too, for that `rate_hz`.
        """
        segment = self._segment
        if not segment.clock.is_synchronised:
            return None
        behind_s = self.sound_delay_at(host_s)
        return segment.recorded_at(segment.clock.stream_time(host_s) - behind_s, rate_hz)

    def sound_delay_at(self, host_s: float) -> float:
        """Return how long before a host time the audio of its face arrived, in s."""
        return self.delay.at(host_s) + self._segment.preprocessor.delay_s

    def is_finished(self, host_s: float) -> bool:
        """Whether the source has ended and the face of its last sample was shown."""
        segment = self._segment
        if not segment.clock.is_synchronised:
            return math.isfinite(segment.end_s)
        return segment.clock.stream_time(host_s) - self.delay.at(host_s) > segment.end_s

    def _new_segment(self, *, was_waiting: bool = False) -> StreamSegment:
        rate_hz = self.source.rate_hz
        return StreamSegment(rate_hz, self._config, self._channels, was_waiting=was_waiting)

    def _collect_hops(self) -> None:
        """Queue the newest hops, as many as a face can depend on; count the others as dropped."""
        waiting = [*self.hops, *self._segment.preprocessor.take_hops()]
        self.hops = waiting[-MAX_HOPS:]
        self._dropped_hops += len(waiting) - len(self.hops)

    def _check_starvation(self, now_s: float) -> None:
        """Note since when audio is missing, as opposed to inference that is too slow."""
        segment = self._segment
        is_starved = self.state is not SourceState.RUNNING or (
            segment.clock.is_synchronised
            and segment.clock.stream_time(now_s) - segment.received_s > STARVED_S
        )
        if not is_starved:
            self.starved_since_s = None
        elif self.starved_since_s is None:
            self.starved_since_s = now_s

    def _fill_lost_blocks(self, now_s: float) -> None:
        """Replace lost blocks by silence, so that stream time keeps up with the source."""
        lost = self.source.dropped_blocks - self.dropped_blocks
        self.dropped_blocks += lost
        if lost > 0 and self.state is SourceState.RUNNING:
            self._segment.push_silence(min(lost, MAX_FILLED_BLOCKS) * BLOCK_S, now_s)

    def _flush(self, now_s: float) -> None:
        """Append silence until the face of the last sample can be made and interpolated."""
        segment = self._segment
        end_s = segment.received_s
        segment.push_silence((self.delay.hops_at(now_s) + 2) * HOP_S, now_s)
        segment.end_s = end_s + segment.preprocessor.delay_s


def _merge_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield consecutive blocks merged to fewer and longer ones."""
    for first in range(0, len(blocks), MAX_JOINED_BLOCKS):
        part = blocks[first : first + MAX_JOINED_BLOCKS]
        if len(part) == 1:
            yield part[0]
        else:
            samples = np.concatenate([block.samples for block in part])
            yield Block(samples, part[0].captured_s, part[-1].arrived_s)


class FaceRecorder(Protocol):
    """What records the frames of one subject."""

    def record(
        self, values: NDArray[np.float32], face: Frame, emotion: NDArray[np.float32], tick: Tick
    ) -> None:
        """Record the mapped curves of a frame, its face, and the weights in force, [emotions].

        Never waits.
        """


@dataclass(frozen=True, slots=True)
class Route:
    """A rig map and the receivers of its curves: links, and observers within the program.

    `recorder` gets the whole frame as well.
    """

    applier: Applier
    links: tuple[Link, ...]
    observers: tuple[Link, ...] = ()
    recorder: FaceRecorder | None = None

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
        self.passthrough: Passthrough | None = None
        """Plays its sound; None where the config names no device for it."""
        self.is_paused = False
        self.routes = tuple(routes)
        self.metrics = SubjectMetrics(name, self.links)
        self.performer = Performer(channels, animation, policies)
        self.emotion = voice.emotion.at(-math.inf)
        """The weights in force at the present tick, float32 [emotions]."""
        self._now = now
        self._measured: tuple[TimelineReading, StreamSegment] | None = None
        """The reading and the segment of the live face of the present tick."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of all routes."""
        return tuple(link for route in self.routes for link in route.links)

    def change_routes(self, routes: Sequence[Route]) -> None:
        """Use other routes from the next tick on; for the tick thread."""
        self.routes = tuple(routes)
        self.metrics.change_links(self.links)

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
        self.emotion = voice.emotion.at(due_s)
        pose = self.performer.pose(
            reading,
            Cues(voice_reading.prosody, self.emotion),
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
    for subject, board, head in zip(subjects, boards, heads, strict=True):
        for _ in subject.routes:
            (route, _), values = next(sending)
            route.send(values, tick)
            if route.recorder is not None:
                face = Frame(tick.due_s, board, head)
                route.recorder.record(values, face, subject.emotion, tick)
        subject.record_sent(board, tick)
