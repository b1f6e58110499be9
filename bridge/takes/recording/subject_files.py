"""The files of one subject: its curves, and its audio, kept as long as its frames.

Samples are copied one by one. Sound cards are up to 200 ppm off the host's clock, though, which is
a frame in two minutes; whenever audio and frames are a millisecond apart, the next two seconds
of audio are resampled by 0.05 %, which is inaudible.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.names import CURVES_SUFFIX, SOUND_SUFFIX
from cstalk_bridge.takes.recording.files import CurvesFile, Origin, WaveFile
from cstalk_bridge.timecode.smpte import frames_per_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
    from cstalk_bridge.takes.recording.files import Row
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


TOLERANCE_S: Final = 0.001
"""Distance up to which samples are only copied: a tenth of what a viewer could notice."""

STRETCH: Final = 0.0005
"""Share by which a piece is resampled: more than twice the drift of a sound card."""

JUMP_S: Final = 0.030
"""Distance beyond which the audio restarted, or was lost for a while: it is not corrected."""


class SoundTrack:
    """Pieces of a stream, one after another, which keep pace with a clock."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.jumps = 0
        """Number of discontinuities in the audio."""
        self.missing = 0
        """Samples that were no longer, or not yet, in the history, and are silence."""
        self._history: AudioHistory | None = None
        self._next = 0
        self._is_correcting = False

    def take(self, place: HistoryPosition | None, count: int) -> NDArray[np.float32]:
        """Return the next `count` samples, [time], whose first should be the one at `place`.

        Silence where there is no sound, or where it has another rate.
        """
        if place is None or place.history.rate_hz != self.rate_hz:
            self._history = None
            return np.zeros(count, dtype=np.float32)
        ahead = round(place.stream_s * self.rate_hz) - self._next
        if place.history is not self._history or abs(ahead) > JUMP_S * self.rate_hz:
            self.jumps += self._history is not None
            self._history, self._is_correcting = place.history, False
            self._next += ahead
            ahead = 0
        start, used = self._next, count + self._correction(ahead, count)
        self._next += used
        self._count_missing(place.history, start, used)
        if used == count:
            return place.history.read(start, count)
        # One sample before and two behind, which the curve between two samples needs.
        return stretched(place.history.read(start - 1, used + 3), count)

    def _correction(self, ahead: int, count: int) -> int:
        """Return how many samples more than `count` the next piece uses up."""
        if abs(ahead) > TOLERANCE_S * self.rate_hz:
            self._is_correcting = True
        elif abs(ahead) <= STRETCH * count:
            self._is_correcting = False
        limit = int(STRETCH * count) + 1
        return min(max(ahead, -limit), limit) if self._is_correcting else 0

    def _count_missing(self, history: AudioHistory, start: int, count: int) -> None:
        there = min(start + count, history.end) - max(start, history.begin)
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


MAX_GAP_S: Final = 60.0
"""Time without a tick after which a take ends: the machine slept, possibly for hours. A program
that was halted for less goes on, with silence in between."""


@dataclass(frozen=True, slots=True)
class RecordedSubject:
    """A subject to record.

    `position_at` returns the audio that belongs to the face of a host time, None where there is
    none, and `delay_at` by how many seconds it arrived before; `rate_hz` is its sample rate.
    """

    name: str
    rate_hz: int
    position_at: Callable[[float], HistoryPosition | None]
    delay_at: Callable[[float], float]


class SubjectFiles:
    """The two files of a subject, which grow together; both are open from the start.

    UserError and OSError where one cannot be made; then neither is left.
    """

    def __init__(
        self, folder: Path, stem: str, subject: RecordedSubject, rate: FrameRate, began: datetime
    ) -> None:
        self.subject = subject
        self.lost = 0
        """Frames that came faster than they could be written."""
        self.first: Tick | None = None
        self.last: Tick | None = None
        self._track = SoundTrack(subject.rate_hz)
        self._stem = stem
        self._rate = rate
        self._began = began
        self._behind_s = 0.0
        self._curves = CurvesFile(folder / (stem + CURVES_SUFFIX), rate)
        with ExitStack() as undoing:
            undoing.callback(self._curves.path.unlink, missing_ok=True)
            undoing.callback(self._curves.close)
            self._sound = WaveFile(folder / (stem + SOUND_SUFFIX), subject.rate_hz)
            undoing.pop_all()

    @property
    def curves_path(self) -> Path:
        """Where the curves are."""
        return self._curves.path

    @property
    def sound_path(self) -> Path:
        """Where the sound is."""
        return self._sound.path

    @property
    def are_there(self) -> bool:
        """Whether both files still lie where they were made."""
        return self._curves.is_there and self._sound.is_there

    @property
    def timecodes(self) -> tuple[str, str]:
        """Timecode of the first and of the last frame, "" before any."""
        if self.first is None or self.last is None:
            return "", ""
        return self._curves.timecode(self.first), self._curves.timecode(self.last)

    def append(self, rows: Sequence[Row]) -> None:
        """Write frames, one at least, and their sound. Raises OSError and UserError."""
        if self.first is None:
            self._begin(rows[0].tick)
        first = self.first or rows[0].tick
        self._curves.append(rows)
        self.last = rows[-1].tick
        rate_hz = self.subject.rate_hz
        length_s = self.last.due_s - first.due_s + float(self._rate.frame_s)
        count = round(length_s * rate_hz) - self._sound.frames
        if count > MAX_GAP_S * rate_hz:
            what = f"ended: no frame came for {count / rate_hz:.0f} s"
            remedy = "keep the machine awake while it records"
            raise UserError(Problem(self.subject.name, what, remedy))
        place = self.subject.position_at(first.due_s + self._sound.frames / rate_hz)
        self._sound.append(self._track.take(place, max(0, count)))

    def rescue(self, folder: Path) -> None:
        """Go on in copies below another folder. Raises UserError and OSError."""
        self._curves.rescue(folder / self.curves_path.name)
        self._sound.rescue(folder / self.sound_path.name)

    def close(self) -> None:
        """Close both files, even where one cannot be; raise the OSError or UserError of that."""
        with ExitStack() as closing:
            closing.callback(self._curves.close)
            closing.callback(self._sound.close)

    def discard(self) -> None:
        """Close both files and remove them. Raises OSError."""
        with ExitStack() as closing:
            for path in (self.curves_path, self.sound_path):
                closing.callback(path.unlink, missing_ok=True)
            closing.callback(self.close)

    def document(self) -> dict[str, Any]:
        """Return what `take.json` says of the subject."""
        return {
            "subject": self.subject.name,
            "curves": self.curves_path.name,
            "sound": self.sound_path.name,
            "frames": self._curves.rows,
            "lostFrames": self.lost,
            "missingSamples": self._track.missing,
            "soundJumps": self._track.jumps,
            "delayMs": round(1e3 * self._behind_s, 3),
        }

    def _begin(self, tick: Tick) -> None:
        self._sound.originate(self._origin(tick))
        self._behind_s = self.subject.delay_at(tick.due_s)
        self.first = tick

    def _origin(self, tick: Tick) -> Origin:
        rate_hz = self.subject.rate_hz
        frame = tick.frame % frames_per_day(self._rate)
        midnight_s = (frame + tick.subframe) * float(self._rate.frame_s)
        return Origin(
            description=f"{self._stem} at {self._rate} fps",
            reference=self._stem,
            date=self._began.strftime("%Y-%m-%d"),
            time=self._began.strftime("%H:%M:%S"),
            samples=round(midnight_s * rate_hz),
        )
