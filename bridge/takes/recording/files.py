"""The files of a take in recording: of each subject Live Link Face CSV, Broadcast Wave, board and
settings, kept equally long.

They never exist without their header, are private to the user, readable however the program
ends, and repaired after a kill.

Broadcast Wave (EBU Tech 3285):

    offset  field
    0       "RIFF", u32 bytes that follow, "WAVE"
    12      "bext", u32 602 + n, the extension below
    622+n   "fmt ", u32 16, format 1 (PCM), 1 channel, rate, bytes a second, 3, 24 bits
    646+n   "data", u32 bytes of samples, the samples

Extension: description 256, originator 32, its reference 32, date 10 and time 8 of the beginning,
u64 samples from midnight to the first one, u16 version 1, UMID 64 and 190 reserved, both zero,
then n bytes of coding history. All numbers are little-endian.

Samples are copied one by one. Sound cards are up to 200 ppm off the host's clock, though, which is
a frame in two minutes; whenever audio and frames are a millisecond apart, the next two seconds
of audio are resampled by 0.05 %, which is inaudible.
"""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig import STOCK_MAP
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.system.files import atomic_write
from cstalk_bridge.system.process import PROGRAM_NAME
from cstalk_bridge.takes.export.tables import (
    FAST,
    SLOW,
    column_order,
    csv_header,
    csv_lines,
    thousandths,
    timecode_base,
    timecodes,
)
from cstalk_bridge.takes.file import CURVES_SUFFIX, SOUND_SUFFIX
from cstalk_bridge.takes.recording.frames import (
    BOARD_SUFFIX,
    SETTINGS_SUFFIX,
    BoardFile,
    SettingsFile,
)
from cstalk_bridge.takes.recording.growing import GrowingFile
from cstalk_bridge.takes.take import Span
from cstalk_bridge.timecode.smpte import frames_per_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
    from cstalk_bridge.takes.recording.frames import Row
    from cstalk_bridge.takes.take import SettingValue
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


class CurvesFile(GrowingFile):
    """A file that grows by whole lines.

    UserError and OSError where it cannot be made, OSError where it cannot be written.
    """

    def __init__(self, path: Path, rate: FrameRate) -> None:
        super().__init__(path, csv_header())
        self.rows = 0
        self._rate = rate
        self._base = SLOW if rate.hz == SLOW else FAST
        self._places = [ARKIT_CURVES.index(name) for name in column_order()]
        self._early: list[Row] = []

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, one at least."""
        if self.rows <= self._rate.nominal:
            self._early += rows
        else:
            self._early = []
        data = self._lines(rows)
        self._write(data)
        self._size += len(data)
        self.rows += len(rows)

    def close(self) -> None:
        """Put the file safely on disk, without half of a line, and close it in any case.

        A take too short to show Unreal's importer its frame rate gets the timecodes of the rate
        which that will infer. Raises OSError and UserError.
        """
        if self._file.closed:
            return
        super().close()
        if self._early and len(self._early) == self.rows:
            first = self._early[0].tick.frame
            base = timecode_base(Span(self._rate, first, self.rows))
            if base != self._base:
                self._base = base
                with atomic_write(self.path, overwrite=True, is_private=True) as file:
                    file.write(csv_header() + self._lines(self._early))

    def timecode(self, tick: Tick) -> str:
        """Return the timecode of a tick as it stands in the file."""
        return timecodes(self._times([tick]), self._base).tobytes().decode("ascii")

    def _times(self, ticks: Sequence[Tick]) -> NDArray[np.int64]:
        numbers = np.array([tick.frame for tick in ticks], dtype=np.int64)
        beyond = np.array([tick.subframe for tick in ticks]) * float(
            1000 * self._base * self._rate.frame_s
        )
        return thousandths(numbers, self._rate, self._base) + beyond.astype(np.int64)

    def _lines(self, rows: Sequence[Row]) -> bytes:
        curves = np.stack([row.curves for row in rows])[:, self._places]
        return csv_lines(curves, self._times([row.tick for row in rows]), self._base)


def repair_curves(path: Path) -> tuple[int, str, str]:
    """Cut half a line off a file that a killed program left.

    Return how many frames it has, and the timecodes of the first and the last, "" without frames.
    Raises OSError.
    """
    count, first, last = -1, "", ""
    with path.open("r+b") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            count += 1
            if count:
                last = line[: line.find(b",")].decode("ascii", "replace")
                first = first or last
        file.truncate(end)
        if count < 0:
            file.seek(0)
            file.write(csv_header())
    return max(count, 0), first, last


SAMPLE_BYTES: Final = 3
"""24 bits, as sound recorders on a stage write."""

MAX_WAVE_BYTES: Final = 2**32 - 1
"""Of a file: its sizes are u32. Mono at 48 kHz takes eight hours to reach it."""

_EXTENSION: Final = struct.Struct("<256s32s32s10s8sQH254x")
_FORMAT: Final = struct.Struct("<4sIHHIIHH")
_CHUNK: Final = struct.Struct("<4sI")
_RIFF_SIZE_AT: Final = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a file, as it is stored in it.

    `date` is `yyyy-mm-dd` and `time` `hh:mm:ss` at its beginning; `samples` counts from midnight to
    its first sample, at its rate. Text beyond its field's size is cut.
    """

    description: str
    reference: str
    date: str
    time: str
    samples: int
    originator: str = PROGRAM_NAME


UNKNOWN_ORIGIN: Final = Origin("", "", "", "", 0)
"""Of a file whose first sound is still to come."""


class WaveFile(GrowingFile):
    """Mono sound of 24 bits that grows; after every `append` the file on disk is whole.

    UserError and OSError where it cannot be made, OSError where it cannot be written. `originate`
    holds its origin, once that is known.
    """

    def __init__(self, path: Path, rate_hz: int, origin: Origin = UNKNOWN_ORIGIN) -> None:
        head = wave_header(rate_hz, origin)
        super().__init__(path, head)
        self.frames = 0
        self._rate_hz = rate_hz
        self._head_bytes = len(head)

    def originate(self, origin: Origin) -> None:
        """Write another origin in place of the first, before any sound. Raises OSError."""
        self._file.seek(0)
        self._write(wave_header(self._rate_hz, origin))

    def append(self, samples: NDArray[np.float32]) -> None:
        """Write samples, [time]; louder than full scale is clipped.

        UserError where no more fit into a file of its kind.
        """
        size = self._size + SAMPLE_BYTES * len(samples)
        if size >= MAX_WAVE_BYTES:
            what = f"is full: it holds at most {MAX_WAVE_BYTES} bytes"
            raise UserError(Problem(str(self.path), what, "start another take"))
        self._write(pcm(samples))
        self._size = size
        self.frames += len(samples)
        # First the samples, then the sizes: at no moment do these promise what is not there.
        write_sizes(self._file.fileno(), self._head_bytes, size)
        self._file.seek(0, os.SEEK_END)

    def _pad(self) -> None:
        pad_chunk(self._file.fileno(), self._size)


def wave_header(rate_hz: int, origin: Origin) -> bytes:
    """Return everything before the samples, of a file without any."""
    history = f"A=PCM,F={rate_hz},W=24,M=mono,T={origin.originator}\r\n".encode("ascii", "replace")
    history += b"\0" * (len(history) % 2)
    fields = (origin.description, origin.originator, origin.reference, origin.date, origin.time)
    texts = (text.encode("ascii", "replace") for text in fields)
    extension = _EXTENSION.pack(*texts, origin.samples, 1) + history
    pulse = _FORMAT.pack(b"fmt ", 16, 1, 1, rate_hz, SAMPLE_BYTES * rate_hz, SAMPLE_BYTES, 24)
    chunks = _CHUNK.pack(b"bext", len(extension)) + extension + pulse + _CHUNK.pack(b"data", 0)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def pcm(samples: NDArray[np.float32]) -> bytes:
    """Return samples as 24 bits each, little-endian."""
    scaled = np.clip(np.rint(samples.astype(np.float64) * 2**23), -(2**23), 2**23 - 1)
    return scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :SAMPLE_BYTES].tobytes()


def write_sizes(descriptor: int, head_bytes: int, size: int) -> None:
    """Write into the header of an open file that it has `size` bytes."""
    for place, value in ((head_bytes - 4, size - head_bytes), (_RIFF_SIZE_AT, size - 8)):
        os.lseek(descriptor, place, os.SEEK_SET)
        os.write(descriptor, struct.pack("<I", value))


def pad_chunk(descriptor: int, size: int) -> None:
    """End an open file of `size` bytes evenly, as RIFF wants its chunks."""
    if size % 2:
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, b"\0")
        os.lseek(descriptor, _RIFF_SIZE_AT, os.SEEK_SET)
        os.write(descriptor, struct.pack("<I", size + 1 - 8))


def repair_wave(path: Path) -> int:
    """Cut a file that a killed program left to whole samples and return how many it has.

    ValueError where it is none of ours, or ends before its samples begin. Raises OSError.
    """
    with path.open("r+b") as file:
        head = file.read(_CHUNK.size + 4 + _CHUNK.size)
        if len(head) < 20 or head[:4] != b"RIFF" or head[8:16] != b"WAVEbext":
            raise ValueError("it does not start with a Broadcast Wave header")
        _, extension_bytes = _CHUNK.unpack(head[12:])
        head_bytes = len(head) + int(extension_bytes) + _FORMAT.size + _CHUNK.size
        frames = (file.seek(0, os.SEEK_END) - head_bytes) // SAMPLE_BYTES
        if frames < 0:
            raise ValueError("it ends before its samples start")
        size = head_bytes + frames * SAMPLE_BYTES
        file.truncate(size)
        file.flush()
        write_sizes(file.fileno(), head_bytes, size)
        pad_chunk(file.fileno(), size)
    return frames


TOLERANCE_S: Final = 0.001
"""Distance up to which samples are only copied: a tenth of what a viewer could notice."""

RESAMPLING: Final = 0.0005
"""Share by which a piece is resampled: more than twice the drift of a sound card."""

JUMP_S: Final = 0.030
"""Distance beyond which the audio restarted, or was lost for a while: it is not corrected."""


class SoundTrack:
    """Pieces of a stream, one after another, which stay aligned with a clock."""

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
        elif abs(ahead) <= RESAMPLING * count:
            self._is_correcting = False
        limit = int(RESAMPLING * count) + 1
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


OwnFile = TypeVar("OwnFile", bound=GrowingFile)

MAX_GAP_S: Final = 60.0
"""Time without a tick after which a take ends: the machine slept, possibly for hours. A program
that was halted for less goes on, with silence in between."""


@dataclass(frozen=True, slots=True)
class RecordedSubject:
    """A subject to record.

    `position_at` returns the audio that belongs to the face of a host time, None where there is
    none, and `delay_at` by how many seconds it arrived before; `rate_hz` is its sample rate.
    `rigmap` is the name or path of the rig map of its curves, `settings` returns the settings in
    force, by their names.
    """

    name: str
    rate_hz: int
    position_at: Callable[[float], HistoryPosition | None]
    delay_at: Callable[[float], float]
    rigmap: str = STOCK_MAP
    settings: Callable[[], Mapping[str, SettingValue]] = dict


class SubjectFiles:
    """The files of a subject, which grow together; all are open from the start.

    UserError and OSError where one cannot be made; then none is left.
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
        with ExitStack() as undoing:
            self._board = _undone(undoing, BoardFile(folder / (stem + BOARD_SUFFIX)))
            self._settings = _undone(undoing, SettingsFile(folder / (stem + SETTINGS_SUFFIX)))
            self._curves = _undone(undoing, CurvesFile(folder / (stem + CURVES_SUFFIX), rate))
            self._sound = _undone(
                undoing, WaveFile(folder / (stem + SOUND_SUFFIX), subject.rate_hz)
            )
            undoing.pop_all()
        self._files = (self._board, self._settings, self._curves, self._sound)

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
        """Whether all files still lie where they were made."""
        return all(file.is_there for file in self._files)

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
        # The board first: curves that a killed program wrote are then never without theirs.
        self._board.append(rows)
        self._curves.append(rows)
        self._settings.note(rows[-1 if self.last else 0].tick.frame, self.subject.settings())
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
        for file in self._files:
            file.rescue(folder / file.path.name)

    def close(self) -> None:
        """Close all files, even where one cannot be; raise the OSError or UserError of that."""
        with ExitStack() as closing:
            for file in self._files:
                closing.callback(file.close)

    def discard(self) -> None:
        """Close all files and remove them. Raises OSError."""
        with ExitStack() as closing:
            for file in self._files:
                closing.callback(file.path.unlink, missing_ok=True)
            closing.callback(self.close)

    def document(self) -> dict[str, Any]:
        """Return the description of the subject in `take.json`."""
        return {
            "subject": self.subject.name,
            "curves": self.curves_path.name,
            "sound": self.sound_path.name,
            "board": self._board.path.name,
            "settings": self._settings.path.name,
            "rigmap": self.subject.rigmap,
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


def _undone(undoing: ExitStack, file: OwnFile) -> OwnFile:
    """Return a file that was made, to be closed and removed where the next cannot be made."""
    undoing.callback(file.path.unlink, missing_ok=True)
    undoing.callback(file.close)
    return file
