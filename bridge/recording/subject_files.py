"""What is written of one subject in a take: its curves, and sound of just their length."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.clock.timecode import frames_per_day
from bridge.errors import Problem, UserError
from bridge.recording.curves_file import CurvesFile
from bridge.recording.folder import CURVES_SUFFIX, SOUND_SUFFIX
from bridge.recording.sound_track import SoundTrack
from bridge.recording.wave_file import Origin, WaveFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from bridge.audio.tape import SoundPlace
    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick
    from bridge.recording.curves_file import Row

MAX_GAP_S: Final = 60.0
"""Time without a tick after which a take ends: the machine slept, and would be owed hours. A
program that was halted for less goes on, with silence in between."""


@dataclass(frozen=True, slots=True)
class RecordedSubject:
    """Whom to record.

    `sound_at` tells which sound the face of a host time belongs to, None where none is heard, and
    `behind_at` how many seconds before that time it was heard; `rate_hz` is the rate of that sound.
    """

    name: str
    rate_hz: int
    sound_at: Callable[[float], SoundPlace | None]
    behind_at: Callable[[float], float]


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
            what = f"ended: nothing happened for {count / rate_hz:.0f} s"
            remedy = "keep the machine awake while it records"
            raise UserError(Problem(self.subject.name, what, remedy))
        place = self.subject.sound_at(first.due_s + self._sound.frames / rate_hz)
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
        self._behind_s = self.subject.behind_at(tick.due_s)
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
