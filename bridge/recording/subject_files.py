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

MAX_GAP_S: Final = 10.0
"""Time without a tick after which a take ends: the machine slept, and would be owed hours."""


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
    """The two files of a subject, made when its first frames come; they grow together."""

    def __init__(
        self, folder: Path, stem: str, subject: RecordedSubject, rate: FrameRate, began: datetime
    ) -> None:
        self.subject = subject
        self.lost = 0
        """Frames that came faster than they could be written."""
        self.first: Tick | None = None
        self.last: Tick | None = None
        self._curves: CurvesFile | None = None
        self._sound: WaveFile | None = None
        self._track = SoundTrack(subject.rate_hz)
        self._folder = folder
        self._stem = stem
        self._rate = rate
        self._began = began
        self._behind_s = 0.0

    @property
    def curves_path(self) -> Path:
        """Where the curves are."""
        return self._folder / (self._stem + CURVES_SUFFIX)

    @property
    def sound_path(self) -> Path:
        """Where the sound is."""
        return self._folder / (self._stem + SOUND_SUFFIX)

    @property
    def timecodes(self) -> tuple[str, str]:
        """Timecode of the first and of the last frame, "" before any."""
        if self._curves is None or self.first is None or self.last is None:
            return "", ""
        return self._curves.timecode(self.first), self._curves.timecode(self.last)

    def append(self, rows: Sequence[Row]) -> None:
        """Write frames, one at least, and their sound. Raises OSError and UserError."""
        curves, sound, first = self._opened(rows[0].tick)
        curves.append(rows)
        self.last = rows[-1].tick
        rate_hz = self.subject.rate_hz
        length_s = self.last.due_s - first.due_s + float(self._rate.frame_s)
        count = round(length_s * rate_hz) - sound.frames
        if count > MAX_GAP_S * rate_hz:
            what = f"ended: nothing happened for {count / rate_hz:.0f} s"
            remedy = "keep the machine awake while it records"
            raise UserError(Problem(str(self._folder), what, remedy))
        place = self.subject.sound_at(first.due_s + sound.frames / rate_hz)
        sound.append(self._track.take(place, max(0, count)))

    def close(self) -> None:
        """Close both files, even where one cannot be; raise the OSError of that."""
        with ExitStack() as closing:
            for file in (self._curves, self._sound):
                if file is not None:
                    closing.callback(file.close)

    def document(self) -> dict[str, Any]:
        """Return what `take.json` says of the subject."""
        return {
            "subject": self.subject.name,
            "curves": self.curves_path.name,
            "sound": self.sound_path.name,
            "frames": self._curves.rows if self._curves else 0,
            "lostFrames": self.lost,
            "missingSamples": self._track.missing,
            "soundJumps": self._track.jumps,
            "delayMs": round(1e3 * self._behind_s, 3),
        }

    def _opened(self, tick: Tick) -> tuple[CurvesFile, WaveFile, Tick]:
        """Return the files and the first tick, which is this one where they are made."""
        if self._curves is None or self._sound is None or self.first is None:
            self.first = tick
            self._behind_s = self.subject.behind_at(tick.due_s)
            self._curves = CurvesFile(self.curves_path, self._rate)
            self._sound = WaveFile(self.sound_path, self.subject.rate_hz, self._origin(tick))
        return self._curves, self._sound, self.first

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
