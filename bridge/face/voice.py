"""One subject's voice: sound on one side, its faces by host time on the other.

A stream segment is one unbroken run of sound and the faces it gave. Stream time counts what the
listener gave out; the segment's `StreamClock` says, from when blocks arrive, which stream time a
host time is. A lost source that comes back begins a new segment; the tick thread takes clock and
timeline of a segment as one, so it never reads the old timeline by the new clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.preprocessing import MAX_HOPS, Mute, Preprocessor
from cstalk_bridge.audio.source import BLOCK_S, BLOCKS_PER_S, HOP_S, Block, SourceState
from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition, StreamClock
from cstalk_bridge.face.procedural.prosody import SILENCE, ProsodyTracker
from cstalk_bridge.face.timeline import ProsodyLine, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.audio.config import AudioConfig
    from cstalk_bridge.audio.source import Hop, Source
    from cstalk_bridge.face.emotion import EmotionState
    from cstalk_bridge.face.emotion_estimator import EmotionEstimator
    from cstalk_bridge.face.procedural.prosody import Prosody
    from cstalk_bridge.face.timeline import Delay, TimelineReading


class StreamSegment:
    """One unbroken run of sound: what was received of it, and the faces made from it.

    `prosody_tracker` follows the voice; its result for each hop is put into `prosody_line`.
    `end_s` is the stream time of the end of the sound, infinite while it goes on. The tick thread
    may read `clock`, `timeline` and `prosody_line`, a recorder `clock` and `history` (the sound
    before gain and gate); the rest belongs to the inference thread.
    """

    def __init__(self, rate_hz: int, config: AudioConfig, channels: int) -> None:
        self.preprocessor = Preprocessor(rate_hz, gain_db=config.gain_db, gate=config.gate)
        self.clock = StreamClock()
        self.history = AudioHistory(rate_hz)
        self.timeline = Timeline(channels)
        self.prosody_line = ProsodyLine()
        self.prosody_tracker = ProsodyTracker()
        self.end_s = math.inf
        self.received_s = 0.0
        self._rate_hz = rate_hz
        self._next_index = 0

    def push(self, block: Block) -> None:
        """Take the next block and when it arrived."""
        self.preprocessor.push(block)
        self.history.write(block.samples)
        self.received_s += len(block.samples) / self._rate_hz
        self.clock.observe(block.arrived_s, self.received_s)

    def push_silence(self, seconds: float, now_s: float) -> None:
        """Take silence that no source gave; it tells the clock nothing."""
        silence = np.zeros(round(BLOCK_S * self._rate_hz), dtype=np.float32)
        frames = len(silence)
        for _ in range(math.ceil(seconds / BLOCK_S)):
            self.preprocessor.push(Block(silence, now_s, now_s))
            self.history.write(silence)
            self.received_s += frames / self._rate_hz

    def put_row(
        self, hop: Hop, row: NDArray[np.float32] | None, ready_s: float, lookahead_hops: int
    ) -> None:
        """Take the row of `hop`, made with that look-ahead; None repeats the last one."""
        number = hop.index + 1 - lookahead_hops
        self.timeline.put(number, row, hop.arrived_s, ready_s)
        self._next_index = hop.index + 1

    def hop_due_s(self, index: int) -> float | None:
        """Return the host time at which a hop was complete; None before anything is known."""
        return self.clock.host_time((index + 1) * HOP_S) if self.clock.is_synchronised else None

    @property
    def next_hop_s(self) -> float:
        """Host time at which the next hop should be complete; infinite while nothing is known."""
        due_s = self.hop_due_s(self._next_index)
        return math.inf if due_s is None else due_s


if TYPE_CHECKING:
    Row = NDArray[np.float32] | None

MAX_FILLED_BLOCKS = 10 * BLOCKS_PER_S
"""Lost blocks made up with silence at once: ten seconds. After more the clock follows the jump."""

MAX_JOINED_BLOCKS = BLOCKS_PER_S // 2
"""Blocks that are worked on as one: half a second."""

STARVED_S = 0.25
"""Without sound for this long past its time, an input is lost to the face; less is jitter."""


class Voice:
    """A source, its listener, what it feels, and its faces."""

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
        """Hops that wait for the generator, oldest first."""
        self.state = SourceState.RUNNING
        self.starved_since_s: float | None = None
        """Host time since which sound is missing; None while it comes."""
        self.dropped_blocks = 0
        self._dropped_hops = 0
        self._config = config
        self._channels = channels
        self._segment = self._new_segment()

    @property
    def segment(self) -> StreamSegment:
        """The run of sound heard now, or last."""
        return self._segment

    @property
    def gain_db(self) -> float:
        """The gain before level meter and gate; it may be set from any thread."""
        return self._config.gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._config = self._config.model_copy(update={"gain_db": gain_db})
        self._segment.preprocessor.gain_db = gain_db

    @property
    def dropped_hops(self) -> int:
        """Hops which the generator did not take in time, of this run of sound and all before."""
        return self._dropped_hops + self._segment.preprocessor.dropped_hops

    def poll(self, now_s: float) -> list[Block]:
        """Take what the source has; return it. Only the generator thread calls this."""
        blocks = [self.mute.over(block) for block in self.source.poll(now_s)]
        before, self.state = self.state, self.source.state
        if before is SourceState.LOST and self.state is SourceState.RUNNING:
            self.hops = []
            self._dropped_hops += self._segment.preprocessor.dropped_hops
            self._segment = self._new_segment()
        self._fill_lost_blocks(now_s)
        for joined in _merge_blocks(blocks):
            self._segment.push(joined)
        if self.state is SourceState.ENDED and before is not SourceState.ENDED:
            self._flush(now_s)
        if self.state is SourceState.LOST:
            self.source.reopen()
        self._check_starvation(now_s)
        self._collect_hops()
        return blocks

    def put_rows(self, rows: Sequence[Row], ready_s: float, lookahead_hops: int) -> None:
        """Take the rows made from the last of the waiting hops, with that look-ahead.

        There is at least one and at most as many as hops; the hops wait no more. None is a row of
        no use.
        """
        if not 0 < len(rows) <= len(self.hops):
            raise ValueError(f"{len(rows)} rows of {len(self.hops)} hops")
        segment = self._segment
        due_s = segment.hop_due_s(self.hops[0].index)
        if due_s is not None:
            self.delay.buffer.observe(ready_s - due_s, ready_s)
        for hop, row in zip(self.hops[-len(rows) :], rows, strict=True):
            segment.put_row(hop, row, ready_s, lookahead_hops)
        self.hops = []

    def at(self, host_s: float) -> tuple[TimelineReading | None, StreamSegment]:
        """Return the face to show at a host time, None before any sound, and its stretch."""
        segment = self._segment
        if not segment.clock.is_synchronised:
            return None, segment
        shown_s = segment.clock.stream_time(host_s) - self.delay.at(host_s)
        return segment.timeline.at(shown_s), segment

    def prosody_at(self, host_s: float) -> Prosody:
        """Return what the voice does a look-ahead after the face of a host time: all that is heard.

        So a head has as much time to move with a word as lips have to get ready for it.
        """
        segment = self._segment
        if not segment.clock.is_synchronised:
            return SILENCE
        behind_s = self.delay.beyond_lookahead_at(host_s)
        return segment.prosody_line.at(segment.clock.stream_time(host_s) - behind_s)

    def sound_at(self, host_s: float) -> HistoryPosition | None:
        """Return the sound to which the face of a host time belongs, None before any sound."""
        segment = self._segment
        if not segment.clock.is_synchronised:
            return None
        behind_s = self.sound_delay_at(host_s)
        return HistoryPosition(segment.history, segment.clock.stream_time(host_s) - behind_s)

    def sound_delay_at(self, host_s: float) -> float:
        """Return how long before a host time the sound was heard to which its face belongs."""
        return self.delay.at(host_s) + self._segment.preprocessor.delay_s

    def is_finished(self, host_s: float) -> bool:
        """Whether the face of the last sound of an ended source has been shown."""
        segment = self._segment
        if not segment.clock.is_synchronised:
            return math.isfinite(segment.end_s)
        return segment.clock.stream_time(host_s) - self.delay.at(host_s) > segment.end_s

    def _new_segment(self) -> StreamSegment:
        return StreamSegment(self.source.rate_hz, self._config, self._channels)

    def _collect_hops(self) -> None:
        """Let the newest hops wait, as many as a face can depend on; count those left out."""
        waiting = [*self.hops, *self._segment.preprocessor.take_hops()]
        self.hops = waiting[-MAX_HOPS:]
        self._dropped_hops += len(waiting) - len(self.hops)

    def _check_starvation(self, now_s: float) -> None:
        """Tell sound that does not come from a generator that does not keep up with it."""
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
        """Hear lost blocks as silence, so that stream time keeps up with the source."""
        lost = self.source.dropped_blocks - self.dropped_blocks
        self.dropped_blocks += lost
        if lost > 0 and self.state is SourceState.RUNNING:
            self._segment.push_silence(min(lost, MAX_FILLED_BLOCKS) * BLOCK_S, now_s)

    def _flush(self, now_s: float) -> None:
        """Hear silence at once until the last sound's face can be made and interpolated."""
        segment = self._segment
        end_s = segment.received_s
        segment.push_silence((self.delay.hops_at(now_s) + 2) * HOP_S, now_s)
        segment.end_s = end_s + segment.preprocessor.delay_s


def _merge_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield the sound of blocks that follow each other in fewer and longer ones."""
    for first in range(0, len(blocks), MAX_JOINED_BLOCKS):
        part = blocks[first : first + MAX_JOINED_BLOCKS]
        if len(part) == 1:
            yield part[0]
        else:
            samples = np.concatenate([block.samples for block in part])
            yield Block(samples, part[0].captured_s, part[-1].arrived_s)
