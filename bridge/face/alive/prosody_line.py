"""What a voice did, by stream time, for a reader who shows the face of a while ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.audio.hop import HOP_S
from bridge.face.alive.prosody import SILENCE

if TYPE_CHECKING:
    from bridge.face.alive.prosody import Prosody

CAPACITY_HOPS = 256
"""Hops kept: 5.1 s, as long as a timeline's rows."""

STALE_S = 0.25
"""A read this far past the newest hop finds a voice that stands still, and takes it for silent."""


class ProsodyLine:
    """A bounded ring of the last hops. One thread writes, one reads; neither waits."""

    def __init__(self) -> None:
        self._hops: list[Prosody] = [SILENCE] * CAPACITY_HOPS
        self._end = 0

    def put(self, index: int, prosody: Prosody) -> None:
        """Take hop `index`, which covers stream time `index` x 20 ms to (`index` + 1) x 20 ms.

        Indices rise; hops that were left out repeat the one before.
        """
        before = self._hops[(self._end - 1) % CAPACITY_HOPS]
        for missing in range(max(self._end, index - CAPACITY_HOPS + 1), index):
            self._hops[missing % CAPACITY_HOPS] = before
        self._hops[index % CAPACITY_HOPS] = prosody
        self._end = index + 1

    def at(self, stream_s: float) -> Prosody:
        """Return what the voice does at `stream_s`: nothing before the first hop.

        A time after the newest hop reads the newest, up to `STALE_S`: later the voice has fallen
        silent. A time older than half the ring reads what that half begins with.
        """
        end = self._end
        hop = min(int(stream_s // HOP_S), end - 1)
        if hop < 0:
            return SILENCE
        prosody = self._hops[max(hop, end - CAPACITY_HOPS // 2, 0) % CAPACITY_HOPS]
        missing_s = stream_s - end * HOP_S
        return prosody if missing_s < STALE_S else prosody.silent(missing_s)
