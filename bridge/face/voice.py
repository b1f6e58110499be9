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
    """One unbroken run of sound: what was heard of it and the faces it gave.

    `prosody` follows the voice, what it does at each hop is put into `prosodies`.
    `clock`, `timeline` and `prosodies` may be read by the tick thread, `clock` and `tape`, what was
    heard before gain and gate, by a recorder; the rest is the generator thread's.
    `end_s` is the stream time at which the sound is over, infinite while that is open.
    """

    def __init__(self, rate_hz: int, spec: AudioConfig, channels: int) -> None:
        self.listener = Preprocessor(rate_hz, gain_db=spec.gain_db, gate=spec.gate)
        self.clock = StreamClock()
        self.tape = AudioHistory(rate_hz)
        self.timeline = Timeline(channels)
        self.prosodies = ProsodyLine()
        self.prosody = ProsodyTracker()
        self.end_s = math.inf
        self.heard_s = 0.0
        self._rate_hz = rate_hz
        self._next_index = 0

    def hear(self, block: Block) -> None:
        """Take the next block and when it arrived."""
        self.listener.push(block)
        self.tape.write(block.samples)
        self.heard_s += len(block.samples) / self._rate_hz
        self.clock.observe(block.arrived_s, self.heard_s)

    def hear_silence(self, seconds: float, now_s: float) -> None:
        """Take silence that no source gave; it tells the clock nothing."""
        silence = np.zeros(round(BLOCK_S * self._rate_hz), dtype=np.float32)
        frames = len(silence)
        for _ in range(math.ceil(seconds / BLOCK_S)):
            self.listener.push(Block(silence, now_s, now_s))
            self.tape.write(silence)
            self.heard_s += frames / self._rate_hz

    def show(
        self, hop: Hop, row: NDArray[np.float32] | None, made_s: float, lookahead_hops: int
    ) -> None:
        """Take the row of `hop`, made with that look-ahead; None repeats the last one."""
        number = hop.index + 1 - lookahead_hops
        self.timeline.put(number, row, hop.arrived_s, made_s)
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
        spec: AudioConfig,
        delay: Delay,
        emotion: EmotionState,
        *,
        channels: int,
        feeling: EmotionEstimator | None = None,
    ) -> None:
        self.source = source
        self.feeling = feeling
        self.mute = Mute()
        self.delay = delay
        self.emotion = emotion
        self.hops: list[Hop] = []
        """Hops that wait for the generator, oldest first."""
        self.state = SourceState.RUNNING
        self.starved_since_s: float | None = None
        """Host time since which sound is missing; None while it comes."""
        self.dropped_blocks = 0
        self._hops_left_out = 0
        self._spec = spec
        self._channels = channels
        self._stretch = self._new_stretch()

    @property
    def stretch(self) -> StreamSegment:
        """The run of sound heard now, or last."""
        return self._stretch

    @property
    def gain_db(self) -> float:
        """The gain before level meter and gate; it may be set from any thread."""
        return self._spec.gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._spec = self._spec.model_copy(update={"gain_db": gain_db})
        self._stretch.listener.gain_db = gain_db

    @property
    def dropped_hops(self) -> int:
        """Hops which the generator did not take in time, of this run of sound and all before."""
        return self._hops_left_out + self._stretch.listener.dropped_hops

    def listen(self, now_s: float) -> list[Block]:
        """Take what the source has; return it. Only the generator thread calls this."""
        blocks = [self.mute.over(block) for block in self.source.poll(now_s)]
        before, self.state = self.state, self.source.state
        if before is SourceState.LOST and self.state is SourceState.RUNNING:
            self.hops = []
            self._hops_left_out += self._stretch.listener.dropped_hops
            self._stretch = self._new_stretch()
        self._make_up(now_s)
        for joined in _joined(blocks):
            self._stretch.hear(joined)
        if self.state is SourceState.ENDED and before is not SourceState.ENDED:
            self._finish(now_s)
        if self.state is SourceState.LOST:
            self.source.reopen()
        self._notice_starving(now_s)
        self._gather_hops()
        return blocks

    def take(self, rows: Sequence[Row], made_s: float, lookahead_hops: int) -> None:
        """Take the rows made from the last of the waiting hops, with that look-ahead.

        There is at least one and at most as many as hops; the hops wait no more. None is a row of
        no use.
        """
        if not 0 < len(rows) <= len(self.hops):
            raise ValueError(f"{len(rows)} rows of {len(self.hops)} hops")
        stretch = self._stretch
        due_s = stretch.hop_due_s(self.hops[0].index)
        if due_s is not None:
            self.delay.buffer.observe(made_s - due_s, made_s)
        for hop, row in zip(self.hops[-len(rows) :], rows, strict=True):
            stretch.show(hop, row, made_s, lookahead_hops)
        self.hops = []

    def at(self, host_s: float) -> tuple[TimelineReading | None, StreamSegment]:
        """Return the face to show at a host time, None before any sound, and its stretch."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return None, stretch
        shown_s = stretch.clock.stream_time(host_s) - self.delay.at(host_s)
        return stretch.timeline.at(shown_s), stretch

    def prosody_at(self, host_s: float) -> Prosody:
        """Return what the voice does a look-ahead after the face of a host time: all that is heard.

        So a head has as much time to move with a word as lips have to get ready for it.
        """
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return SILENCE
        behind_s = self.delay.beyond_lookahead_at(host_s)
        return stretch.prosodies.at(stretch.clock.stream_time(host_s) - behind_s)

    def sound_at(self, host_s: float) -> HistoryPosition | None:
        """Return the sound to which the face of a host time belongs, None before any sound."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return None
        behind_s = self.behind_at(host_s)
        return HistoryPosition(stretch.tape, stretch.clock.stream_time(host_s) - behind_s)

    def behind_at(self, host_s: float) -> float:
        """Return how long before a host time the sound was heard to which its face belongs."""
        return self.delay.at(host_s) + self._stretch.listener.delay_s

    def is_over(self, host_s: float) -> bool:
        """Whether the face of the last sound of an ended source has been shown."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return math.isfinite(stretch.end_s)
        return stretch.clock.stream_time(host_s) - self.delay.at(host_s) > stretch.end_s

    def _new_stretch(self) -> StreamSegment:
        return StreamSegment(self.source.rate_hz, self._spec, self._channels)

    def _gather_hops(self) -> None:
        """Let the newest hops wait, as many as a face can depend on; count those left out."""
        waiting = [*self.hops, *self._stretch.listener.take_hops()]
        self.hops = waiting[-MAX_HOPS:]
        self._hops_left_out += len(waiting) - len(self.hops)

    def _notice_starving(self, now_s: float) -> None:
        """Tell sound that does not come from a generator that does not keep up with it."""
        stretch = self._stretch
        is_starved = self.state is not SourceState.RUNNING or (
            stretch.clock.is_synchronised
            and stretch.clock.stream_time(now_s) - stretch.heard_s > STARVED_S
        )
        if not is_starved:
            self.starved_since_s = None
        elif self.starved_since_s is None:
            self.starved_since_s = now_s

    def _make_up(self, now_s: float) -> None:
        """Hear lost blocks as silence, so that stream time keeps up with the source."""
        lost = self.source.dropped_blocks - self.dropped_blocks
        self.dropped_blocks += lost
        if lost > 0 and self.state is SourceState.RUNNING:
            self._stretch.hear_silence(min(lost, MAX_FILLED_BLOCKS) * BLOCK_S, now_s)

    def _finish(self, now_s: float) -> None:
        """Hear silence at once until the last sound's face can be made and interpolated."""
        stretch = self._stretch
        end_s = stretch.heard_s
        stretch.hear_silence((self.delay.hops_at(now_s) + 2) * HOP_S, now_s)
        stretch.end_s = end_s + stretch.listener.delay_s


def _joined(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield the sound of blocks that follow each other in fewer and longer ones."""
    for first in range(0, len(blocks), MAX_JOINED_BLOCKS):
        part = blocks[first : first + MAX_JOINED_BLOCKS]
        if len(part) == 1:
            yield part[0]
        else:
            samples = np.concatenate([block.samples for block in part])
            yield Block(samples, part[0].captured_s, part[-1].arrived_s)
