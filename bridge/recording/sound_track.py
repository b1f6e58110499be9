"""The sound of a take: as long as its frames, whatever the clock of the device says.

Samples are copied one by one. Sound cards are up to 200 ppm off the host's clock, though, which is
a frame in two minutes; whenever sound and frames are a millisecond apart, the next two seconds
of sound are made 0.05 % longer or shorter, which nobody hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.tape import SoundPlace, Tape

TOLERANCE_S: Final = 0.001
"""Distance up to which samples are only copied: a tenth of what a viewer could notice."""

STRETCH: Final = 0.0005
"""Share by which a piece is stretched: more than twice what a sound card drifts."""

JUMP_S: Final = 0.030
"""Distance beyond which the sound began anew, or was lost for a while: it is not stretched over."""


class SoundTrack:
    """Pieces of a stream, one after another, which keep pace with a clock."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.jumps = 0
        """How often the sound went on somewhere else than it stopped."""
        self.missing = 0
        """Samples that were no longer, or not yet, on the tape, and are silence."""
        self._tape: Tape | None = None
        self._next = 0
        self._is_correcting = False

    def take(self, place: SoundPlace | None, count: int) -> NDArray[np.float32]:
        """Return the next `count` samples, [time], whose first should be the one at `place`.

        Silence where there is no sound, or where it has another rate.
        """
        if place is None or place.tape.rate_hz != self.rate_hz:
            self._tape = None
            return np.zeros(count, dtype=np.float32)
        ahead = round(place.stream_s * self.rate_hz) - self._next
        if place.tape is not self._tape or abs(ahead) > JUMP_S * self.rate_hz:
            self.jumps += self._tape is not None
            self._tape, self._is_correcting = place.tape, False
            self._next += ahead
            ahead = 0
        start, used = self._next, count + self._correction(ahead, count)
        self._next += used
        self._count_missing(place.tape, start, used)
        if used == count:
            return place.tape.read(start, count)
        # One sample before and two behind, which the curve between two samples needs.
        return stretched(place.tape.read(start - 1, used + 3), count)

    def _correction(self, ahead: int, count: int) -> int:
        """Return how many samples more than `count` the next piece uses up."""
        if abs(ahead) > TOLERANCE_S * self.rate_hz:
            self._is_correcting = True
        elif abs(ahead) <= STRETCH * count:
            self._is_correcting = False
        most = int(STRETCH * count) + 1
        return min(max(ahead, -most), most) if self._is_correcting else 0

    def _count_missing(self, tape: Tape, start: int, count: int) -> None:
        there = min(start + count, tape.end) - max(start, tape.begin)
        self.missing += count - min(count, max(0, there))


def stretched(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return `samples`, all but the first and the last two, as `count` samples.

    Between two samples lies the cubic through them and their neighbours (Catmull-Rom).
    """
    places = np.arange(count) * ((len(samples) - 3) / count)
    at = places.astype(np.intp)
    share = (places - at).astype(np.float32)
    before, here, there, beyond = (samples[at + step] for step in range(4))
    slope, slope_there = (there - before) / 2, (beyond - here) / 2
    rise = there - here
    bent = share * (slope + slope_there - 2 * rise) + (3 * rise - 2 * slope - slope_there)
    return np.asarray(here + share * (slope + share * bent), dtype=np.float32)
