"""Takes on disk: `NAME.take`, a zip of plain members, and safe file names from which Unreal
reads the subject.

- `take.json`: everything that is not an array, as `Header` describes it
- `board.npy`: float32 [time, channels]
- `head.npy`: float32 [time, 6]
- `curves.npy`: float32 [time, 61], the performed curves of a take that was recorded live
- `emotion.npy`: float32 [time, emotions], the emotion weights of a take that was recorded live
- `sound.flac`: mono, 16 bit, when the take has sound

Members are stored without compression, so that their sizes are known before they are read, and the
sound can be read inside the zip.

Unreal's Live Link Face importer turns characters that no asset may have into `_`, removes `_cal`
and splits the name at `_`. Up to three parts are the subject as they are; of more, it drops the
first, then all up to the first that is a number, and the rest is the subject. So `Scene_3_Ada_cal`
is the subject `Scene_3_Ada`, and `Scene_take_3_Ada_cal` is `Ada`.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import struct
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cstalk_bridge.audio.decoder import SndfileDecoder
from cstalk_bridge.face.emotion_trajectory import (
    EmotionTrajectory,
    KeyframeList,
    SampledEmotion,
)
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig.curves import ARKIT_CURVES, HEAD_AXES
from cstalk_bridge.system.files import atomic_write, is_file, is_there, name_key
from cstalk_bridge.takes.sound import MAX_SOUND_S, EncodedSound, FileSound, encode_flac
from cstalk_bridge.takes.take import MAX_CHANGES, Performance, Take, TimedSetting
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


MAX_NAME_BYTES: Final = 180
"""Of one name in UTF-8; file systems take 255, and suffixes come behind."""

_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
"""Devices of Windows, with whatever ending."""


def safe_name(text: str) -> str:
    """Return `text` as a name of a file on Linux, Windows and macOS, never empty.

    A character that is forbidden somewhere becomes `_`; so do spaces and dots at the end, dots at
    the beginning, and surrogates; a device of Windows gets a `_` before it, and what is too long
    is cut. A name which is safe stays as it is.
    """
    name = _FORBIDDEN.sub("_", text.encode("utf-8", "replace").decode("utf-8"))
    name = re.sub(r"^[. ]+|[. ]+$", lambda found: "_" * len(found[0]), name)
    if _RESERVED.match(name):
        name = f"_{name}"
    return name.encode("utf-8")[:MAX_NAME_BYTES].decode("utf-8", "ignore") or "_"


CURVES_ENDING: Final = "_cal"
"""As the app names curves whose rest is at 0."""

MAX_SLATE_BYTES: Final = 100
"""Of a slate in UTF-8; a longer one is cut, because the subject behind it must stay whole."""

_NO_ASSET: Final = re.compile(r"[\"' ,/.:|&!~@#(){}\[\]=;^%$`*?<>\\\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


def take_stem(slate: str, number: int | None, subject: str) -> str:
    """Return `SLATE_take_NUMBER_SUBJECT`, with a slate in one part where it must be.

    Without a number the slate is kept as it is: `SLATE_SUBJECT` where it ends in a number itself,
    so that Unreal finds the subject, else `SLATE_take_1_SUBJECT`, whether it does or not.
    """
    kept = slate.encode("utf-8", "replace")[:MAX_SLATE_BYTES].decode("utf-8", "ignore")
    stem = f"{kept}_take_{1 if number is None else number}_{subject}"
    if is_found(subject, stem):
        return stem
    if number is not None:
        return f"{one_part(kept)}_take_{number}_{subject}"
    plain = f"{kept}_{subject}"
    return plain if is_found(subject, plain) else stem


def one_part(text: str) -> str:
    """Return the text without characters that Unreal takes for the end of a part."""
    return _NO_ASSET.sub("-", text).replace("_", "-")


def is_found(subject: str, stem: str) -> bool:
    """Whether Unreal finds that subject in the name of a file."""
    return subject_in(stem + CURVES_ENDING) == _NO_ASSET.sub("_", subject)


def subject_in(stem: str) -> str:
    """Return the subject which Unreal takes from the name of a file, without its suffix."""
    name = _NO_ASSET.sub("_", stem)
    for ending in (CURVES_ENDING, "_raw", "_neutral"):
        name = name.removesuffix(ending)
    parts = name.split("_")
    if len(parts) <= 3:
        return name
    left = parts[1:]
    while left:
        if _NUMBER.fullmatch(left.pop(0)):
            break
    return "_".join(left) or name


CURVES_SUFFIX: Final = CURVES_ENDING + ".csv"
SOUND_SUFFIX: Final = ".wav"


MAX_PART_BYTES: Final = 80
"""Of slate and of subject in a name: with both, a number and an ending it stays below 255."""


@dataclass(frozen=True, slots=True)
class TakeName:
    """Slate and number of a take, its day, and how many of the same name there were before."""

    slate: str
    number: int
    day: str
    repeat: int = 0

    @property
    def identifier(self) -> str:
        """The folder's name."""
        return f"{self.day}_{_shortened(self.slate).replace('_', '-')}_{self.number}{self._again}"

    def stem(self, subject: str) -> str:
        """Return the name of a subject's files without what they end in; Unreal finds it there."""
        slate = one_part(_shortened(self.slate) + self._again)
        return take_stem(slate, self.number, _shortened(subject))

    @property
    def _again(self) -> str:
        return f"-{self.repeat + 1}" if self.repeat else ""


def _shortened(text: str) -> str:
    whole = safe_name(text).encode("utf-8")
    return whole[:MAX_PART_BYTES].decode("utf-8", "ignore").rstrip(". ") or "-"


def subject_stems(name: TakeName, subjects: Sequence[str]) -> list[str]:
    """Return the names of the files of each subject, no two alike, as `name_key` has them."""
    found: list[str] = []
    for subject in subjects:
        stem, again = name.stem(subject), 1
        while name_key(stem) in map(name_key, found):
            again += 1
            stem = f"{name.stem(subject)}-{again}"
        found.append(stem)
    return found


_LOCAL_HEADER = struct.Struct("<26xHH")
"""Ends with the lengths of name and extra field, after which the data begin (APPNOTE 4.3.7)."""


class StoredMember(io.RawIOBase):
    """The bytes of a stored member of the zip at `path`; `zipfile` itself seeks by reading.

    ValueError where the zip ends before the member does.
    """

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._file = path.open("rb")
        self._file.seek(info.header_offset)
        head = self._file.read(_LOCAL_HEADER.size)
        self._size = info.file_size
        self._begin = 0
        if len(head) == _LOCAL_HEADER.size:
            name_length, extra_length = _LOCAL_HEADER.unpack(head)
            self._begin = info.header_offset + len(head) + name_length + extra_length
            if self._begin + self._size <= self._file.seek(0, os.SEEK_END):
                self.seek(0)
                return
        self.close()
        raise ValueError(f"{info.filename} is cut off")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place within the member."""
        return self._file.tell() - self._begin

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, held within the member, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        place = min(max(base + offset, 0), self._size)
        self._file.seek(self._begin + place)
        return place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes of the member, at most as many as the buffer takes."""
        wanted = min(len(buffer), self._size - self.tell())
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the zip."""
        self._file.close()
        super().close()


TAKE_SUFFIX = ".take"
VERSION = 1
"""Of the file's form. A reader refuses every other."""

MAX_ROWS = int(MAX_SOUND_S * 60)
MAX_HEADER_BYTES = 4 << 20
ARRAY_HEAD_BYTES = 128
"""Bytes of an array's own header; numpy pads it to a multiple of 64."""
ARRAY_MAGIC = b"\x93NUMPY\x01\x00" + (ARRAY_HEAD_BYTES - 10).to_bytes(2, "little")
"""The first bytes of such an array: version 1.0 of the format, and the length of its header."""

COPIED_BYTES = 1 << 20

HEADER, BOARD, HEAD, SOUND = "take.json", "board.npy", "head.npy", "sound.flac"
CURVES, EMOTION = "curves.npy", "emotion.npy"


Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

FAULTS = (
    *(zipfile.BadZipFile, EOFError, KeyError, ValueError, NotImplementedError, OverflowError),
    *(RecursionError, SyntaxError, MemoryError, TypeError, struct.error),
)
"""What the readers of zips, JSON and arrays raise for a damaged file."""


class Header(BaseModel):
    """The contents of `take.json`; `start` is the first frame's number since midnight.

    `subject`, `rigmap` and `changes` are those of a recorded take, `emotion_names` names the
    columns of its emotions.
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal["cstalk-take"] = "cstalk-take"
    version: int = VERSION
    slate: str = Field(max_length=256)
    number: int = Field(ge=0, le=2**31 - 1)
    rate: Literal[tuple(FRAME_RATES)]  # type: ignore[valid-type]
    start: int = Field(ge=0, le=10**9)
    rows: int = Field(ge=0, le=MAX_ROWS)
    channels: tuple[str, ...] = Field(max_length=len(CHANNELS))
    emotions: KeyframeList
    making: dict[str, str | Whole | Finite] = Field(max_length=64)
    subject: str = Field(default="", max_length=256)
    rigmap: str = Field(default="", max_length=4096)
    emotion_names: tuple[str, ...] = Field(default=(), max_length=64)
    changes: tuple[TimedSetting, ...] = Field(default=(), max_length=MAX_CHANGES)


def save_take(take: Take, path: Path, *, overwrite: bool = False) -> None:
    """Write a take; the file appears whole or not at all.

    UserError where the file is there and `overwrite` is not set, or cannot be written.
    """
    with atomic_write(path, overwrite=overwrite) as file:
        write_take(take, file)


def write_take(take: Take, file: IO[bytes]) -> None:
    """Write a take to an open file."""
    sampled = take.emotions if isinstance(take.emotions, SampledEmotion) else None
    keys = () if isinstance(take.emotions, SampledEmotion) else take.emotions.keys
    header = Header(
        slate=take.slate,
        number=take.number,
        rate=take.rate.name,
        start=take.start,
        rows=take.rows,
        channels=take.channels,
        emotions=KeyframeList(keys),
        making=dict(take.provenance),
        subject=take.subject,
        rigmap="" if take.performance is None else take.performance.rigmap,
        emotion_names=EMOTIONS if sampled else (),
        changes=take.changes,
    )
    arrays = {BOARD: take.board, HEAD: take.head}
    if take.performance is not None:
        arrays[CURVES] = take.performance.curves
    if sampled:
        arrays[EMOTION] = sampled.weights(take.times_s)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        # By its name it would get the time of day: one performance is one file, byte for byte.
        archive.writestr(zipfile.ZipInfo(HEADER), header.model_dump_json(indent=2))
        for name, values in arrays.items():
            with archive.open(name, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
        if take.sound is not None and take.sound.frames:
            sound = take.sound
            flac = sound.flac() if isinstance(sound, EncodedSound) else encode_flac(sound)
            with flac, archive.open(SOUND, "w", force_zip64=True) as member:
                shutil.copyfileobj(flac, member, COPIED_BYTES)


def load_take_file(path: Path) -> Take:
    """Read a take. Its sound is read from the file whenever it is needed.

    UserError for a file that cannot be read, is no take, is damaged, too large or of another
    version.
    """
    where = str(path)
    if is_there(path) and not is_file(path):
        raise UserError(Problem(where, "not a file", f"name a {TAKE_SUFFIX} file"))
    try:
        with zipfile.ZipFile(path) as archive:
            _need_plain(archive)
            header = _header(archive, where)
            board = _array(archive, BOARD, (header.rows, len(header.channels)))
            head = _array(archive, HEAD, (header.rows, len(HEAD_AXES)))
            performance = _performance(archive, header)
            sampled = _sampled_emotion(archive, header)
            sound = _sound(path, archive)
    except FileNotFoundError:
        raise UserError(Problem(where, "no such file", "check the path")) from None
    except OSError as error:
        raise UserError(Problem(where, f"cannot be read: {error.strerror}")) from None
    except FAULTS as error:
        what = f"is not a take, or is damaged: {' '.join(str(error).split())}"
        raise UserError(Problem(where, what, "render or record it again")) from None
    return Take(
        slate=header.slate,
        number=header.number,
        rate=FRAME_RATES[header.rate],
        start=header.start,
        channels=header.channels,
        board=board,
        head=head,
        sound=sound,
        emotions=sampled or EmotionTrajectory(header.emotions.root),
        provenance=header.making,
        performance=performance,
        subject=header.subject,
        changes=header.changes,
    )


def _need_plain(archive: zipfile.ZipFile) -> None:
    """Refuse compressed members: a small file must not become a large array."""
    if packed := [info for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]:
        raise ValueError(f"{packed[0].filename!r} is compressed; the members of a take are stored")


def _header(archive: zipfile.ZipFile, where: str) -> Header:
    if archive.getinfo(HEADER).file_size > MAX_HEADER_BYTES:
        raise ValueError(f"{HEADER} is larger than {MAX_HEADER_BYTES} bytes")
    text = archive.read(HEADER)
    data: Any = json.loads(text)
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        what = f"a take of version {version!r}; this program reads version {VERSION}"
        remedy = "update the program" if isinstance(version, int) and version > VERSION else ""
        raise UserError(Problem(where, what, remedy))
    try:
        header = Header.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{HEADER}: {place}: {first['msg']}") from None
    unknown = [name for name in header.channels if name not in CHANNEL_INDEX]
    if unknown or len(set(header.channels)) < len(header.channels):
        raise ValueError(f"{HEADER}: unknown or repeated channels: {unknown[:3]}")
    return header


def _array(archive: zipfile.ZipFile, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an array of just that shape; nothing is allocated for another."""
    size = archive.getinfo(name).file_size
    if size != ARRAY_HEAD_BYTES + 4 * shape[0] * shape[1]:
        raise ValueError(f"{name} has {size} bytes, not those of {shape[0]} rows of {shape[1]}")
    whole = archive.read(name)
    # Not by numpy's reader, which also takes what Python 2 wrote, with a warning.
    if whole[: len(ARRAY_MAGIC)] != ARRAY_MAGIC:
        raise ValueError(f"{name} is not an array")
    head = ast.literal_eval(whole[len(ARRAY_MAGIC) : ARRAY_HEAD_BYTES].decode("ascii").strip())
    wanted = {"descr": "<f4", "fortran_order": False, "shape": shape}
    if head != wanted:
        raise ValueError(f"{name} is {head}, not {wanted}")
    values = np.frombuffer(whole, dtype="<f4", offset=ARRAY_HEAD_BYTES).reshape(shape)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")
    return values.astype(np.float32)


def _performance(archive: zipfile.ZipFile, header: Header) -> Performance | None:
    if not header.rigmap or CURVES not in archive.namelist():
        return None
    shape = (header.rows, len(ARKIT_CURVES))
    return Performance(header.rigmap, _array(archive, CURVES, shape))


def _sampled_emotion(archive: zipfile.ZipFile, header: Header) -> SampledEmotion | None:
    names = header.emotion_names
    if not names or EMOTION not in archive.namelist():
        return None
    given = _array(archive, EMOTION, (header.rows, len(names)))
    samples = np.zeros((header.rows, len(EMOTIONS)), dtype=np.float32)
    for column, name in enumerate(names):
        if name in EMOTIONS:
            samples[:, EMOTIONS.index(name)] = given[:, column]
    return SampledEmotion(FRAME_RATES[header.rate].hz, samples)


def _sound(path: Path, archive: zipfile.ZipFile) -> FileSound | None:
    if SOUND not in archive.namelist():
        return None
    from soundfile import SoundFile, SoundFileError

    try:
        info = archive.getinfo(SOUND)
        return FileSound(
            lambda: SndfileDecoder(lambda: SoundFile(StoredMember(path, info))), str(path)
        )
    except SoundFileError:
        raise ValueError(f"{SOUND} cannot be read") from None
