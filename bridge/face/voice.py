"""One subject's voice: sound on one side, its faces by host time on the other.

A `Stretch` is one unbroken run of sound. Its stream time counts what the listener gave out, and the
`StreamClock` tells, from when blocks arrive, which stream time a host time is. A lost source that
comes back begins a new stretch; the tick thread takes clock and timeline as one, so it never reads
the old timeline by the new clock.

The face shown at host time t is that of stream time(t) - delay, with the constant

    delay = look-ahead + one hop + buffer

because the row of a stream time is made when the sound up to a look-ahead later was heard, the
newest row is up to one hop old, interpolation needs the row after, and the buffer takes up what is
not constant: the generator's work and the jitter of arrivals. So every packet carries exactly the
face of its own time, and the latency added is the same for all but for the noise of the clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.block import BLOCK_S, BLOCKS_PER_S, Block
from bridge.audio.hop import HOP_S
from bridge.audio.listener import Listener
from bridge.audio.mute import Mute
from bridge.audio.source import SourceState
from bridge.audio.tape import SoundPlace, Tape
from bridge.clock.stream_clock import StreamClock
from bridge.face.alive.prosody import SILENCE, ProsodyTracker
from bridge.face.alive.prosody_line import ProsodyLine
from bridge.face.timeline import Reading, Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.hop import Hop
    from bridge.audio.source import Source
    from bridge.audio.spec import AudioSpec
    from bridge.face.alive.prosody import Prosody
    from bridge.face.emotion import EmotionState
    from bridge.face.feeling import Feeling

MAX_FILLED_BLOCKS = BLOCKS_PER_S
"""Lost blocks made up with silence at once: one second. After more the clock follows the jump."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How far behind its sound a face is shown. `lookahead_s` is a whole number of hops."""

    lookahead_s: float
    buffer_s: float

    @property
    def delay_s(self) -> float:
        """Stream time between the sound that arrives and the face that is shown."""
        return self.lookahead_s + HOP_S + self.buffer_s

    @property
    def first_row(self) -> int:
        """The row made by a stream's first hop: the face of one hop less the look-ahead."""
        return 1 - round(self.lookahead_s / HOP_S)


class Stretch:
    """One unbroken run of sound: what was heard of it and the faces it gave.

    `clock`, `timeline` and `prosodies` may be read by the tick thread, `clock` and `tape`, what was
    heard before gain and gate, by a recorder; the rest is the generator thread's.
    `end_s` is the stream time at which the sound is over, infinite while that is open.
    """

    def __init__(self, rate_hz: int, spec: AudioSpec, timing: Timing, channels: int) -> None:
        self.listener = Listener(rate_hz, gain_db=spec.gain_db, gate=spec.gate)
        self.clock = StreamClock()
        self.tape = Tape(rate_hz)
        self.timeline = Timeline(channels, timing.first_row)
        self.prosodies = ProsodyLine()
        self._prosody = ProsodyTracker()
        self.end_s = math.inf
        self.heard_s = 0.0
        self._rate_hz = rate_hz
        self._next_index = 0
        self._last_row = np.zeros(channels, dtype=np.float32)

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

    def show(self, hop: Hop, row: NDArray[np.float32] | None, made_s: float) -> None:
        """Take the row of `hop`; None repeats the last one, as do hops that were left out."""
        for _ in range(hop.index - self._next_index):
            self.timeline.append(self._last_row, hop.arrived_s, made_s)
        if row is not None:
            self._last_row = row
        self.timeline.append(self._last_row, hop.arrived_s, made_s)
        if row is not None:
            self.prosodies.put(hop.index, self._prosody.step(hop.samples))
        self._next_index = hop.index + 1

    @property
    def next_hop_s(self) -> float:
        """Host time at which the next hop should be complete; infinite while nothing is known."""
        if not self.clock.is_synchronised:
            return math.inf
        return self.clock.host_time((self._next_index + 1) * HOP_S)


class Voice:
    """A source, its listener, what it feels, and its faces."""

    def __init__(
        self,
        source: Source,
        spec: AudioSpec,
        timing: Timing,
        emotion: EmotionState,
        *,
        channels: int,
        feeling: Feeling | None = None,
    ) -> None:
        self.source = source
        self.feeling = feeling
        self.mute = Mute()
        self.timing = timing
        self.emotion = emotion
        self.hop: Hop | None = None
        """The hop that waits for the generator."""
        self.state = SourceState.RUNNING
        self.dropped_blocks = 0
        self._dropped_hops_before = 0
        self._spec = spec
        self._channels = channels
        self._stretch = self._new_stretch()

    @property
    def stretch(self) -> Stretch:
        """The run of sound heard now, or last."""
        return self._stretch

    @property
    def dropped_hops(self) -> int:
        """Hops which the generator did not take in time, of this run of sound and all before."""
        return self._dropped_hops_before + self._stretch.listener.dropped_hops

    def listen(self, now_s: float) -> list[Block]:
        """Take what the source has; return it. Only the generator thread calls this."""
        blocks = [self.mute.over(block) for block in self.source.poll(now_s)]
        before, self.state = self.state, self.source.state
        if before is SourceState.LOST and self.state is SourceState.RUNNING:
            self.hop = None
            self._dropped_hops_before = self.dropped_hops
            self._stretch = self._new_stretch()
        self._make_up(now_s)
        for block in blocks:
            self._stretch.hear(block)
        if self.state is SourceState.ENDED and before is not SourceState.ENDED:
            self._finish(now_s)
        if self.state is SourceState.LOST:
            self.source.reopen()
        if self.hop is None:
            self.hop = self._stretch.listener.pop_hop()
        return blocks

    def take(self, row: NDArray[np.float32] | None, made_s: float) -> None:
        """Take the row made from the waiting hop, None for one of no use, and get the next hop."""
        if self.hop is None:
            raise ValueError("no hop waits for a row")
        self._stretch.show(self.hop, row, made_s)
        self.hop = self._stretch.listener.pop_hop()

    def at(self, host_s: float) -> tuple[Reading | None, Stretch]:
        """Return the face to show at a host time, None before any sound, and its stretch."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return None, stretch
        return stretch.timeline.at(stretch.clock.stream_time(host_s) - self.timing.delay_s), stretch

    def prosody_at(self, host_s: float) -> Prosody:
        """Return what the voice does a look-ahead after the face of a host time: all that is heard.

        So a head has as much time to move with a word as lips have to get ready for it.
        """
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return SILENCE
        behind_s = self.timing.delay_s - self.timing.lookahead_s
        return stretch.prosodies.at(stretch.clock.stream_time(host_s) - behind_s)

    def sound_at(self, host_s: float) -> SoundPlace | None:
        """Return the sound to which the face of a host time belongs, None before any sound."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return None
        behind_s = self.timing.delay_s + stretch.listener.delay_s
        return SoundPlace(stretch.tape, stretch.clock.stream_time(host_s) - behind_s)

    def is_over(self, host_s: float) -> bool:
        """Whether the face of the last sound of an ended source has been shown."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return math.isfinite(stretch.end_s)
        return stretch.clock.stream_time(host_s) - self.timing.delay_s > stretch.end_s

    def _new_stretch(self) -> Stretch:
        return Stretch(self.source.rate_hz, self._spec, self.timing, self._channels)

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
        stretch.hear_silence(self.timing.lookahead_s + 2 * HOP_S, now_s)
        stretch.end_s = end_s + stretch.listener.delay_s
