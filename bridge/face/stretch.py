"""One unbroken run of sound, and the faces it gave, by stream time.

Stream time counts what the listener gave out, and the `StreamClock` tells, from when blocks arrive,
which stream time a host time is. Every packet carries exactly the face of its own time, a `Delay`
ago, and the latency added is the same for all but for the noise of the clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.block import BLOCK_S, Block
from bridge.audio.hop import HOP_S
from bridge.audio.listener import Listener
from bridge.audio.tape import Tape
from bridge.clock.stream_clock import StreamClock
from bridge.face.alive.prosody import ProsodyTracker
from bridge.face.alive.prosody_line import ProsodyLine
from bridge.face.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.hop import Hop
    from bridge.audio.spec import AudioSpec


class Stretch:
    """One unbroken run of sound: what was heard of it and the faces it gave.

    `prosody` follows the voice, what it does at each hop is put into `prosodies`.
    `clock`, `timeline` and `prosodies` may be read by the tick thread, `clock` and `tape`, what was
    heard before gain and gate, by a recorder; the rest is the generator thread's.
    `end_s` is the stream time at which the sound is over, infinite while that is open.
    """

    def __init__(self, rate_hz: int, spec: AudioSpec, channels: int) -> None:
        self.listener = Listener(rate_hz, gain_db=spec.gain_db, gate=spec.gate)
        self.clock = StreamClock()
        self.tape = Tape(rate_hz)
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
