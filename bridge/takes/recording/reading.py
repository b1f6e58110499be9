"""Reads the folder of a recorded take: curves, face and emotion of each subject as they were
performed, and the settings in force.

Nothing in the folder is changed. A take that is still being recorded, that was broken off, or of
which files are missing is read as far as it goes; its `notices` say what is missing.

The curves are Live Link Face CSV, so takes of the Live Link Face app can be read as well. Where
there is no board, as in those, the face is restored from the curves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, SampledEmotion
from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig import ARKIT_MAP, STOCK_MAP
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.rig.inverse import InverseMap
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.system.files import is_file
from cstalk_bridge.system.process import PROGRAM_NAME
from cstalk_bridge.takes.export.tables import DAY_S, FAST, SLOW
from cstalk_bridge.takes.file import CURVES_SUFFIX, MAX_ROWS, SOUND_SUFFIX, subject_in
from cstalk_bridge.takes.recording.folder import (
    DOCUMENT_NAME,
    RECORDING_SUFFIX,
    read_take_document,
)
from cstalk_bridge.takes.recording.frames import (
    BOARD_SUFFIX,
    SETTINGS_SUFFIX,
    read_faces,
    read_settings,
)
from cstalk_bridge.takes.sound import open_sound
from cstalk_bridge.takes.take import MAX_CHANGES, Performance, Take, TimedSetting, between
from cstalk_bridge.timecode.smpte import DEFAULT_RATE, FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.takes.recording.frames import RecordedFaces
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.takes.take import SettingValue
    from cstalk_bridge.timecode.smpte import FrameRate

    Floats = NDArray[np.float32]


MAX_LINE_BYTES: Final = 1 << 14
LINES_AT_ONCE: Final = 4096
_TIMECODE: Final = re.compile(rb"(\d{2}):(\d{2}):(\d{2})[:;](\d{2,3})(?:\.(\d{1,6}))?")
_HEADER: Final = (b"Timecode", b"BlendshapeCount")

MAX_SETTINGS: Final = 48
"""Settings of a take that are read; the bridge has half as many."""

MIRRORED: Final = ("MouthLeft", "MouthRight")
"""Columns that the Live Link Face app writes the wrong way round."""


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """One subject of a recorded take, and its files, of which all but the curves may be missing."""

    name: str
    curves: Path
    rigmap: str

    def beside(self, suffix: str) -> Path:
        """Return its file with another ending."""
        return self.curves.with_name(self.curves.name.removesuffix(CURVES_SUFFIX) + suffix)


def is_take_folder(path: Path) -> bool:
    """Whether a folder is that of a recorded take, finished or not."""
    return path.suffix == RECORDING_SUFFIX or is_file(path / DOCUMENT_NAME)


def folder_subjects(folder: Path) -> list[SubjectEntry]:
    """Return the subjects of a recorded take in their order: those of `take.json`, and of files
    that it does not name. UserError where there is none, or the folder cannot be read.
    """
    try:
        document = read_take_document(folder)
        files = sorted(folder.glob(f"*{CURVES_SUFFIX}")) or sorted(folder.glob("*.csv"))
    except OSError as error:
        raise UserError(Problem(str(folder), f"cannot be read: {error.strerror}")) from None
    known = {path.name: path for path in files}
    rigmap = STOCK_MAP if _is_ours(document) else ARKIT_MAP
    entries: list[SubjectEntry] = []
    described = document.get("subjects")
    for subject in described if isinstance(described, list) else []:
        if isinstance(subject, dict) and (path := known.pop(str(subject.get("curves")), None)):
            name, own_map = str(subject.get("subject")), str(subject.get("rigmap") or rigmap)
            entries.append(SubjectEntry(name, path, own_map))
    entries += (SubjectEntry(subject_in(path.stem), path, rigmap) for path in known.values())
    if not entries:
        what = f"no recorded take: it contains no curves (*{CURVES_SUFFIX})"
        raise UserError(Problem(str(folder), what, "name the folder of a take, or a .take file"))
    return entries


def _is_ours(document: dict[str, Any]) -> bool:
    return not document or str(document.get("deviceModel", PROGRAM_NAME)) == PROGRAM_NAME


def load_folder(folder: Path, subject: str | None = None) -> Take:
    """Return the take of one subject, by default of the first.

    UserError where there is no such subject, or its curves cannot be read.
    """
    entries = folder_subjects(folder)
    entry = next((each for each in entries if subject in (None, each.name)), None)
    if entry is None:
        names = ", ".join(each.name for each in entries)
        what = f"the take has no subject {subject!r}"
        raise UserError(Problem(str(folder), what, f"choose one of {names}"))
    return _Reading(folder, read_take_document(folder), entry).take()


class _Reading:
    """The reading of one subject of a recorded take; notices are gathered on the way."""

    def __init__(self, folder: Path, document: dict[str, Any], entry: SubjectEntry) -> None:
        self._folder = folder
        self._document = document
        self._entry = entry
        self._notices: list[str] = []

    def take(self) -> Take:
        """Return the take. UserError where its curves cannot be read."""
        self._note_state()
        times, curves = self._table()
        rate = self._rate(times)
        numbers = _frame_numbers(times, rate)
        board, head, emotion = self._faces(numbers, curves, rate)
        curves, board, head, emotion = self._without_gaps(numbers, curves, board, head, emotion)
        settings, changes = self._settings(numbers, rate)
        document = self._document
        number = document.get("take")
        made = {
            "subject": self._entry.name,
            "rigmap": self._entry.rigmap,
            "recorded": str(document.get("date", "")),
            "program": str(document.get("appVersion", "")),
        }
        provenance = {name: text for name, text in made.items() if text}
        sound = self._sound(len(curves) / rate.hz)
        return Take(
            slate=str(document.get("slate") or self._folder.name.removesuffix(RECORDING_SUFFIX)),
            number=number if isinstance(number, int) and 0 <= number < 2**31 else 1,
            rate=rate,
            start=max(int(numbers[0]), 0) if len(numbers) else 0,
            channels=tuple(channel.name for channel in CHANNELS),
            board=board,
            head=head,
            sound=sound,
            emotions=SampledEmotion(rate.hz, emotion) if emotion.size else EmotionTrajectory(),
            provenance=settings | provenance,
            performance=Performance(self._entry.rigmap, curves),
            subject=self._entry.name,
            changes=changes,
            notices=tuple(self._notices),
        )

    def _note_state(self) -> None:
        if self._folder.suffix == RECORDING_SUFFIX:
            self._notices.append("the take was not ended: it is read as far as it is written")
        if not self._document:
            self._notices.append(f"{DOCUMENT_NAME} is missing or damaged: names come from files")
        elif self._document.get("isRecovered"):
            self._notices.append("the take was broken off, and recovered as far as it was written")
        if problem := self._document.get("problem"):
            self._notices.append(f"the take is incomplete: {' '.join(str(problem).split())}")

    def _table(self) -> tuple[NDArray[np.int64], Floats]:
        """Return timecodes, [time, 5], and curves, [time, 61]; note where they end early."""
        path = self._entry.curves
        try:
            with path.open("rb") as file:
                columns = self._columns(file.readline(MAX_LINE_BYTES))
                rows = _Rows(columns)
                if fault := rows.read(file):
                    self._notices.append(f"{path.name}: {fault}; what is before it is read")
                return rows.joined()
        except OSError as error:
            raise UserError(Problem(str(path), f"cannot be read: {error.strerror}")) from None

    def _columns(self, line: bytes) -> list[int]:
        """Return the place of each curve in a line, -1 for one that is missing."""
        names = line.strip().removeprefix(b"\xef\xbb\xbf").split(b",")
        known = {name.decode("ascii", "replace"): place for place, name in enumerate(names)}
        if not _is_ours(self._document):
            left, right = MIRRORED
            known[left], known[right] = known.get(right, -1), known.get(left, -1)
        places = [known.get(name, -1) for name in ARKIT_CURVES]
        if tuple(names[:2]) != _HEADER or max(places) < 0:
            what = "no Live Link Face CSV: it does not begin with its header"
            raise UserError(Problem(str(self._entry.curves), what, "check the file"))
        if missing := [n for n, place in zip(ARKIT_CURVES, places, strict=True) if place < 0]:
            self._notices.append(f"curves that are missing rest: {', '.join(missing[:5])}")
        return places

    def _rate(self, times: NDArray[np.int64]) -> FrameRate:
        """Return the frame rate that the take names, else the one nearest to its timecodes."""
        name = self._document.get("frameRate")
        if isinstance(name, str) and name in FRAME_RATES:
            return FRAME_RATES[name]
        if len(times) < 2:
            return DEFAULT_RATE
        target = self._document.get("videoTargetFrameRate", 0)
        base = SLOW if target == SLOW else FAST
        steps = np.diff(_seconds(times, base))
        step_s = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / FAST
        return min(FRAME_RATES.values(), key=lambda rate: abs(1 / rate.hz - step_s))

    def _without_gaps(self, numbers: NDArray[np.int64], *tables: Floats) -> list[Floats]:
        """Return tables [time, columns] with a row for each frame, or the empty ones they were.

        Frames that were lost are interpolated, and noted.
        """
        if not len(numbers):
            return [*tables]
        frames = int(numbers[-1] - numbers[0]) + 1
        if frames == len(numbers):
            return [*tables]
        if frames > MAX_ROWS:
            raise UserError(
                Problem(str(self._entry.curves), f"it has {frames} frames, the limit is {MAX_ROWS}")
            )
        self._notices.append(f"{frames - len(numbers)} lost frames are interpolated")
        wanted = np.arange(frames) + numbers[0]
        places = np.interp(wanted, numbers, np.arange(len(numbers)))
        return [between(table, places) if table.size else table for table in tables]

    def _faces(
        self, numbers: NDArray[np.int64], curves: Floats, rate: FrameRate
    ) -> tuple[Floats, Floats, Floats]:
        """Return the board, head and emotion of each frame; without a recorded board, no emotion.

        Where the recorded faces end early, those that are missing are restored from the curves.
        """
        faces = self._recorded_faces()
        if faces is None or not len(numbers):
            return *self._face(curves), np.zeros((0, 0), np.float32)
        places = faces.places(numbers, DAY_S * rate.hz)
        is_whole = np.array_equal(places, np.arange(len(faces.frames)))
        kept = slice(None) if is_whole else places
        board, head, emotion = (table[kept] for table in (faces.board, faces.head, faces.emotion))
        missing = places < 0
        if missing.any():
            self._notices.append(f"{missing.sum()} faces are restored from the curves")
            board[missing], head[missing] = self._face(curves[missing])
        return board, head, emotion

    def _recorded_faces(self) -> RecordedFaces | None:
        """Return the faces of the board file, None where there are none; note what is wrong."""
        path = self._entry.beside(BOARD_SUFFIX)
        if not is_file(path):
            return None
        try:
            faces = read_faces(path)
        except (OSError, ValueError) as error:
            self._notices.append(f"{path.name}: {error}; faces are restored from the curves")
            return None
        return faces if len(faces.frames) else None

    def _settings(
        self, numbers: NDArray[np.int64], rate: FrameRate
    ) -> tuple[dict[str, SettingValue], tuple[TimedSetting, ...]]:
        """Return the settings in force at the first frame, and their later changes."""
        path = self._entry.beside(SETTINGS_SUFFIX)
        try:
            lines = list(read_settings(path)) if is_file(path) else []
        except OSError as error:
            self._notices.append(f"{path.name} cannot be read: {error.strerror}")
            lines = []
        if not lines or not len(numbers):
            return {}, ()
        begin, settings = lines[0]
        length_s = float(numbers[-1] - numbers[0]) / rate.hz
        changes = [
            TimedSetting(at_s=at_s, name=name, value=value)
            for frame, changed in lines[1:]
            if 0.0 <= (at_s := (frame - begin) / rate.hz) <= length_s
            for name, value in changed.items()
        ]
        if len(changes) > MAX_CHANGES:
            self._notices.append(f"of {len(changes)} changes of settings {MAX_CHANGES} are read")
        return dict(islice(settings.items(), MAX_SETTINGS)), tuple(changes[:MAX_CHANGES])

    def _face(self, curves: Floats) -> tuple[Floats, Floats]:
        try:
            rigmap = load_rigmap(self._entry.rigmap)
        except UserError as error:
            rigmap = load_rigmap(STOCK_MAP)
            self._notices.append(
                f"its rig map cannot be read, {STOCK_MAP} is used: {error.problems[0]}"
            )
        return InverseMap(rigmap).faces(curves)

    def _sound(self, length_s: float) -> Sound | None:
        path = self._entry.beside(SOUND_SUFFIX)
        if not is_file(path):
            self._notices.append(f"there is no sound: {path.name} is missing")
            return None
        try:
            sound = open_sound(path)
        except UserError as error:
            self._notices.append(f"there is no sound: {error.problems[0]}")
            return None
        missing_s = length_s - sound.frames / sound.rate_hz
        if missing_s > 0.1:
            self._notices.append(f"the sound ends {missing_s:.1f} s before the curves")
        return sound


class _Rows:
    """The rows of a CSV as far as they can be read; `columns` are the places of the curves."""

    def __init__(self, columns: list[int]) -> None:
        self._width = max(columns) + 1
        self._columns = columns
        self._times: list[NDArray[np.int64]] = []
        self._blocks: list[Floats] = []
        self._count = 0

    def read(self, file: IO[bytes]) -> str:
        """Read all rows; return what is wrong with the one that ends them, "" at the end."""
        while lines := list(islice(_lines(file), LINES_AT_ONCE)):
            times: list[list[int]] = []
            rows: list[Floats] = []
            fault = ""
            for line in lines:
                row = self._row(line)
                if row is None:
                    number = self._count + len(rows) + 2
                    fault = f"line {number} is not whole"
                    break
                times.append(row[0])
                rows.append(row[1])
            if rows:
                self._times.append(np.array(times, dtype=np.int64))
                self._blocks.append(self._ordered(np.array(rows, dtype=np.float32)))
            self._count += len(rows)
            if fault:
                return fault
            if self._count > MAX_ROWS:
                return f"it has more than {MAX_ROWS} lines"
        return ""

    def joined(self) -> tuple[NDArray[np.int64], Floats]:
        """Return timecodes, [time, 5], and curves, [time, 61], of all rows."""
        times = [np.zeros((0, 5), np.int64), *self._times]
        blocks = [np.zeros((0, len(ARKIT_CURVES)), np.float32), *self._blocks]
        return np.concatenate(times), np.concatenate(blocks)

    def _row(self, line: bytes) -> tuple[list[int], Floats] | None:
        cells = line.rstrip(b"\r\n").split(b",")
        found = _TIMECODE.fullmatch(cells[0].strip())
        if not line.endswith(b"\n") or found is None or len(cells) < self._width:
            return None
        try:
            values = np.array(cells[2 : self._width], dtype=np.float32)
        except ValueError:
            return None
        if not np.isfinite(values).all():
            return None
        *whole, part = found.groups()
        thousandths = int(((part or b"0") + b"00")[:3])
        return [*map(int, whole), thousandths], values

    def _ordered(self, values: Floats) -> Floats:
        places = np.array(self._columns)
        ordered = values[:, np.maximum(places - 2, 0)]
        ordered[:, places < 0] = 0.0
        return ordered


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES):
        yield line


def _seconds(times: NDArray[np.int64], base: int) -> NDArray[np.float64]:
    """Return timecodes [time, 5] as seconds that rise over midnight, float64 [time]."""
    hours, minutes, seconds, frames, thousandths = times.T
    at_s = hours * 3600 + minutes * 60 + seconds + (frames + thousandths / 1000) / base
    fell = np.diff(at_s, prepend=at_s[:1]) < -DAY_S / 2
    return np.asarray(at_s + DAY_S * np.cumsum(fell))


def _frame_numbers(times: NDArray[np.int64], rate: FrameRate) -> NDArray[np.int64]:
    """Return the number of each frame since midnight, rising; without usable timecodes, in a row.

    Frames of a timecode are thirtieths or sixtieths, whichever fits the rate better.
    """
    if not len(times):
        return np.zeros(0, np.int64)
    rows = np.arange(len(times))
    bases = (SLOW, FAST) if times[:, 3].max() < SLOW else (FAST,)
    numbers = [np.rint(_seconds(times, base) * rate.hz).astype(np.int64) for base in bases]
    best = min(numbers, key=lambda found: abs(int(found[-1] - found[0]) - len(rows) + 1))
    if (np.diff(best) < 1).any():
        # Timecode that jumped, or stood still: frames follow each other as they were written.
        return np.asarray(best[0] + rows)
    return np.asarray(best)
