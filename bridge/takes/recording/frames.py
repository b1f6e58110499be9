"""The faces of a take in recording: board, head and emotion of each frame, and the settings in
force.

`NAME_board.npy` is an array that NumPy loads, one record a frame. Its fields of four bytes, all but
`frame` float32, have names:

    frame               the frame's number since midnight, int32
    CTRL_C_jaw.ty ...   the channels of the board
    head.yaw ...        the axes of the head: radians and centimetres
    emotion.happy ...   the weights of the emotions

`NAME_settings.jsonl` holds one JSON object a line, with a `frame` and the settings that changed
since the line before; the first has all.
"""

from __future__ import annotations

import ast
import json
import os
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.rig.curves import HEAD_AXES, neutral_board
from cstalk_bridge.takes.file import MAX_ROWS
from cstalk_bridge.takes.recording.growing import GrowingFile
from cstalk_bridge.takes.take import MAX_CHANGES, MAX_SETTING_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.rig.curves import Frame
    from cstalk_bridge.takes.take import SettingValue
    from cstalk_bridge.timecode.tick import Tick

    Floats = NDArray[np.float32]


BOARD_SUFFIX: Final = "_board.npy"
SETTINGS_SUFFIX: Final = "_settings.jsonl"


class Row(NamedTuple):
    """One frame of one subject.

    `curves` [61] are in the order of the packet, `emotion` are the weights in force, [emotions].
    """

    tick: Tick
    curves: Floats
    face: Frame
    emotion: Floats


_CHANNEL_COLUMNS: Final = tuple(channel.name for channel in CHANNELS)
_HEAD_COLUMNS: Final = tuple(f"head.{axis}" for axis in HEAD_AXES)
_EMOTION_COLUMNS: Final = tuple(f"emotion.{name}" for name in EMOTIONS)
_NUMBER: Final = ("frame", "<i4")
_FIELDS: Final = (
    _NUMBER,
    *((name, "<f4") for name in (*_CHANNEL_COLUMNS, *_HEAD_COLUMNS, *_EMOTION_COLUMNS)),
)
RECORD_BYTES: Final = 4 * len(_FIELDS)

_MAGIC: Final = b"\x93NUMPY\x01\x00"
_LENGTH: Final = struct.Struct("<H")
_SHAPE_BYTES: Final = 32
"""Room for the shape and what ends the header, which is written again as the file grows."""


def _array_header() -> bytes:
    """Return the header of such an array without records (numpy.lib.format, version 1.0)."""
    fields = f"{{'descr': {list(_FIELDS)!r}, 'fortran_order': False, 'shape': ".encode()
    start = len(_MAGIC) + _LENGTH.size
    length = -(-(start + len(fields) + _SHAPE_BYTES) // 64) * 64 - start
    room = fields.ljust(length - _SHAPE_BYTES)
    return _MAGIC + _LENGTH.pack(length) + room + _array_shape(0)


def _array_shape(records: int) -> bytes:
    return f"({records},)}}".encode().ljust(_SHAPE_BYTES - 1) + b"\n"


def _write_shape(descriptor: int, head_bytes: int, records: int) -> None:
    os.lseek(descriptor, head_bytes - _SHAPE_BYTES, os.SEEK_SET)
    os.write(descriptor, _array_shape(records))


class BoardFile(GrowingFile):
    """A file that grows by whole records; after every `append` NumPy loads all of them.

    UserError and OSError where it cannot be made, OSError where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        head = _array_header()
        super().__init__(path, head)
        self._head_bytes = len(head)

    def append(self, rows: Sequence[Row]) -> None:
        """Write frames; what is not finite is 0."""
        records = np.empty((len(rows), len(_FIELDS)), dtype="<f4")
        records[:, 1:] = [
            np.concatenate((row.face.board, row.face.head, row.emotion)) for row in rows
        ]
        np.nan_to_num(records[:, 1:], copy=False, posinf=0.0, neginf=0.0)
        records.view("<i4")[:, 0] = [row.tick.frame for row in rows]
        self._write(records.tobytes())
        self._size += records.nbytes
        count = (self._size - self._head_bytes) // RECORD_BYTES
        _write_shape(self._file.fileno(), self._head_bytes, count)
        self._file.seek(0, os.SEEK_END)


class SettingsFile(GrowingFile):
    """A file that grows by a line whenever a setting has another value; raises as `BoardFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, b"")
        self._last: dict[str, SettingValue] = {}

    def note(self, frame: int, settings: Mapping[str, SettingValue]) -> None:
        """Write the settings that have another value since the last time."""
        changed = {name: one for name, one in settings.items() if self._last.get(name) != one}
        if changed:
            self._last |= changed
            line = json.dumps({"frame": frame, **changed}, ensure_ascii=False).encode() + b"\n"
            self._write(line)
            self._size += len(line)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFaces:
    """Faces as they were recorded.

    `frames` int64 [time] are numbers since midnight, `board` is float32 [time, 174], `head` [time,
    6], `emotion` [time, emotions].
    """

    frames: NDArray[np.int64]
    board: Floats
    head: Floats
    emotion: Floats

    def places(self, numbers: NDArray[np.int64], frames_per_day: float) -> NDArray[np.intp]:
        """Return the place of the face of each frame `numbers`, -1 where there is none.

        Where frame numbers do not rise, as with timecode that jumped, faces are in the order of the
        frames.
        """
        count = len(self.frames)
        if len(numbers) == count or (np.diff(self.frames) < 1).any():
            rows = np.arange(len(numbers))
            return np.where(rows < count, rows, -1)
        days = round(float(self.frames[0] - numbers[0]) / frames_per_day)
        wanted = numbers + round(days * frames_per_day)
        found = np.minimum(np.searchsorted(self.frames, wanted), count - 1)
        return np.where(self.frames[found] == wanted, found, -1)


def read_faces(path: Path) -> RecordedFaces:
    """Read the faces of a take as far as they are whole and finite, `MAX_ROWS` at most.

    ValueError where it is no such array. Raises OSError.
    """
    with path.open("rb") as file:
        names = _field_names(file)
        size = 4 * len(names)
        count = min((os.fstat(file.fileno()).st_size - file.tell()) // size, MAX_ROWS)
        table = np.fromfile(file, "<f4", count * len(names)).reshape(-1, len(names))
    damaged = ~np.isfinite(table[:, 1:]).all(axis=1)
    if damaged.any():
        table = table[: int(damaged.argmax())]
    return RecordedFaces(
        np.ascontiguousarray(table[:, 0]).view("<i4").astype(np.int64),
        _columns(table, names, _CHANNEL_COLUMNS, neutral_board()),
        _columns(table, names, _HEAD_COLUMNS, np.zeros(len(HEAD_AXES), np.float32)),
        _columns(table, names, _EMOTION_COLUMNS, np.zeros(len(EMOTIONS), np.float32)),
    )


def _columns(table: Floats, names: Sequence[str], wanted: Sequence[str], rest: Floats) -> Floats:
    """Return the columns of these names, a view where they follow each other; others rest."""
    first = names.index(wanted[0]) if wanted[0] in names else 0
    if tuple(names[first : first + len(wanted)]) == tuple(wanted):
        return table[:, first : first + len(wanted)]
    columns = np.tile(rest, (len(table), 1))
    known = {name: place for place, name in enumerate(names)}
    for column, name in enumerate(wanted):
        if name in known:
            columns[:, column] = table[:, known[name]]
    return columns


def _field_names(file: IO[bytes]) -> list[str]:
    """Read the header of an array and return the names of its fields; ValueError."""
    start = file.read(len(_MAGIC) + _LENGTH.size)
    if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + _LENGTH.size:
        raise ValueError("it is no array of NumPy")
    (length,) = _LENGTH.unpack(start[len(_MAGIC) :])
    try:
        header = ast.literal_eval(file.read(length).decode("ascii").strip())
        fields = [(str(name), form) for name, form in header["descr"]]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise ValueError("its header is damaged") from None
    if fields[:1] != [_NUMBER] or any(form != "<f4" for _, form in fields[1:]):
        raise ValueError("its records are not those of a take")
    return [name for name, _ in fields]


def repair_faces(path: Path) -> None:
    """Cut half a record off a file that a killed program left, and write how many it has.

    ValueError where it is none of ours. Raises OSError.
    """
    with path.open("r+b") as file:
        names = _field_names(file)
        head_bytes = file.tell()
        count = (file.seek(0, os.SEEK_END) - head_bytes) // (4 * len(names))
        file.truncate(head_bytes + count * 4 * len(names))
        file.flush()
        _write_shape(file.fileno(), head_bytes, count)


MAX_LINE_BYTES: Final = 1 << 14


def repair_lines(path: Path) -> None:
    """Cut half a line off a file that a killed program left. Raises OSError."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - MAX_LINE_BYTES))
        tail = file.read()
        file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)


def read_settings(path: Path) -> Iterator[tuple[int, dict[str, SettingValue]]]:
    """Yield the frame and the changed settings of each line up to one that is not whole.

    At most `MAX_CHANGES` lines. Raises OSError.
    """
    with path.open("rb") as file:
        for _ in range(MAX_CHANGES):
            line = file.readline(MAX_LINE_BYTES)
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict) or not isinstance(frame := found.pop("frame", 0), int):
                return
            yield frame, {name: one for name, one in found.items() if _is_setting(name, one)}


def _is_setting(name: str, value: Any) -> bool:
    texts = [name, value] if isinstance(value, str) else [name]
    if any(len(text) > MAX_SETTING_LETTERS for text in texts):
        return False
    return isinstance(value, str) or (isinstance(value, int | float) and abs(value) < 2**53)
