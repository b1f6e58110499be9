"""One subject's voice: sound on one side, its faces by host time on the other.

A lost source that comes back begins a new stretch; the tick thread takes clock and timeline of a
stretch as one, so it never reads the old timeline by the new clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.audio.block import BLOCK_S, BLOCKS_PER_S
from bridge.audio.hop import HOP_S
from bridge.audio.mute import Mute
from bridge.audio.source import SourceState
from bridge.audio.tape import SoundPlace
from bridge.face.alive.prosody import SILENCE
from bridge.face.stretch import Stretch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bridge.audio.block import Block
    from bridge.audio.hop import Hop
    from bridge.audio.source import Source
    from bridge.audio.spec import AudioSpec
    from bridge.face.alive.prosody import Prosody
    from bridge.face.delay import Delay
    from bridge.face.emotion import EmotionState
    from bridge.face.feeling import Feeling
    from bridge.face.timeline import Reading

MAX_FILLED_BLOCKS = BLOCKS_PER_S
"""Lost blocks made up with silence at once: one second. After more the clock follows the jump."""


class Voice:
    """A source, its listener, what it feels, and its faces."""

    def __init__(
        self,
        source: Source,
        spec: AudioSpec,
        delay: Delay,
        emotion: EmotionState,
        *,
        channels: int,
        feeling: Feeling | None = None,
    ) -> None:
        self.source = source
        self.feeling = feeling
        self.mute = Mute()
        self.delay = delay
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

    def take(self, row: NDArray[np.float32] | None, made_s: float, lookahead_hops: int) -> None:
        """Take the row made from the waiting hop with that look-ahead, and get the next hop.

        None is a row of no use.
        """
        if self.hop is None:
            raise ValueError("no hop waits for a row")
        self._stretch.show(self.hop, row, made_s, lookahead_hops)
        self.hop = self._stretch.listener.pop_hop()

    def at(self, host_s: float) -> tuple[Reading | None, Stretch]:
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
        behind_s = self.delay.beyond_lookahead_s
        return stretch.prosodies.at(stretch.clock.stream_time(host_s) - behind_s)

    def sound_at(self, host_s: float) -> SoundPlace | None:
        """Return the sound to which the face of a host time belongs, None before any sound."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return None
        behind_s = self.behind_at(host_s)
        return SoundPlace(stretch.tape, stretch.clock.stream_time(host_s) - behind_s)

    def behind_at(self, host_s: float) -> float:
        """Return how long before a host time the sound was heard to which its face belongs."""
        return self.delay.at(host_s) + self._stretch.listener.delay_s

    def is_over(self, host_s: float) -> bool:
        """Whether the face of the last sound of an ended source has been shown."""
        stretch = self._stretch
        if not stretch.clock.is_synchronised:
            return math.isfinite(stretch.end_s)
        return stretch.clock.stream_time(host_s) - self.delay.at(host_s) > stretch.end_s

    def _new_stretch(self) -> Stretch:
        return Stretch(self.source.rate_hz, self._spec, self._channels)

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
