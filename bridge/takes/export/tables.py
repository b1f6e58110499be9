"""The curves of a take at the frame rate of an export, and as tables: CSV of the Live Link Face
app, CSV of MetaHuman raw curves, JSON, NumPy.

Curves are computed block by block, so that hours need no memory, or stored on disk for exports that
pass over them several times.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib import format as npy

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.curves import ARKIT_CURVES, HEAD_AXES
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import DEFAULT_RATE, Timecode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.take import Span, Take
    from cstalk_bridge.timecode.smpte import FrameRate

    Floats = NDArray[np.float32]

    Words = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """`rigmap` None is the format's own; `head` is the GLB file of a head, None for ours.

    `is_own_map` is true once the format's own map was chosen. `sound_name` is the name of the WAV
    file that is written beside the export, "" for none.
    """

    rate: FrameRate = DEFAULT_RATE
    rigmap: RigMap | None = None
    head: Path | None = None
    is_own_map: bool = False
    sound_name: str = ""


BLOCK_ROWS: Final = 256
"""Rows of a block: few enough that what is made of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: number `first` since the beginning, and `curves`, float32 [n, outputs]."""

    first: int
    curves: Floats

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each row since the beginning."""
        return self.first + np.arange(len(self.curves), dtype=np.int64)


def export_blocks(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[Block]:
    """Yield all rows of a take at a rate, as the curves of a rig map, with its smoothing.

    Of a recorded take, the map by which it was performed gives the performed curves.
    """
    applier = rigmap.applier()
    is_performed = take.performance is not None and take.performance.is_of(rigmap)
    rows = take.span(rate).rows
    for first in range(0, rows, BLOCK_ROWS):
        numbers = np.arange(first, min(first + BLOCK_ROWS, rows), dtype=np.int64)
        part = take.between(np.asarray(numbers * (take.rate.hz / rate.hz)))
        if part.performance is not None and is_performed:
            yield Block(first, part.performance.ordered(rigmap))
            continue
        yield Block(first, applier.apply_sequence(part.whole_board(), part.head, numbers / rate.hz))


PASS_ROWS: Final = 2048
"""Rows which are in memory during a pass."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveSequence:
    """`rows` rows of the 61 curves of `arkit` at a rate.

    `moved` [61] marks those that are ever other than 0.
    """

    rate: FrameRate
    rows: int
    moved: NDArray[np.bool_]
    file: IO[bytes]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all rows from the first on, float32 [n, 61] with n up to `PASS_ROWS`."""
        width = len(self.moved)
        self.file.seek(0)
        while data := self.file.read(PASS_ROWS * width * np.dtype(np.float32).itemsize):
            yield np.frombuffer(data, np.float32).reshape(-1, width)


@contextmanager
def open_curve_sequence(take: Take, settings: ExportConfig) -> Iterator[CurveSequence]:
    """Make the curves of a take at the rate of an export; on leaving they are gone.

    UserError where the temporary folder has no room for them.
    """
    rigmap = settings.rigmap or load_rigmap(ARKIT_MAP)
    moved = np.zeros(len(rigmap.outputs), bool)
    with tempfile.TemporaryFile() as file:
        try:
            for block in export_blocks(take, rigmap, settings.rate):
                moved |= block.curves.any(axis=0)
                file.write(block.curves.astype(np.float32).tobytes())
            file.flush()
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise UserError(Problem(tempfile.gettempdir(), what, "free space there")) from None
        yield CurveSequence(settings.rate, take.span(settings.rate).rows, moved, file)


LIMIT: Final = 99.0
"""Magnitudes up to which the tables reach; all ARKit and MetaHuman curves stay within 2."""
WORD: Final = 4
"""Bytes of a word: the text is put together in words, and their unused bytes are NUL."""
PLACES: Final = (6, 10)
"""Numbers of decimals there are: two, and four for each further word."""


def comma_separated(values: NDArray[np.float32], decimals: int) -> Words:
    """Return each value as `,%.<decimals>f`, [..., words]; NUL bytes in it are to be deleted.

    `values` is finite float32 [...], `decimals` one of `PLACES`. The digits are those of printf:
    a float32 times 10^10 is exact in a double, and both round half to even. Only a value that
    rounds to zero has no sign here. Beyond `LIMIT` it is as exact, but slow.
    """
    if values.size and max(float(values.max()), -float(values.min())) > LIMIT:
        return _one_by_one(values, decimals)
    heads, groups = _tables()
    scaled = np.rint(values.astype(np.float64) * 10.0**decimals).astype(np.int64)
    rest = np.abs(scaled)
    words = np.empty((*values.shape, 2 + (decimals - 2) // WORD), dtype=np.uint32)
    for column in range(words.shape[-1] - 1, 1, -1):
        above = rest // 10**WORD
        words[..., column] = groups[rest - above * 10**WORD]
        rest = above
    words[..., :2] = heads[rest + 10**WORD * (scaled < 0)]
    return words


def two_digits(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return numbers 0..99 as two digits each, uint8 [..., 2]."""
    return digits(numbers)[..., 2:]


def digits(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return numbers 0..9999 as four digits each, uint8 [..., 4]."""
    return _tables()[1][numbers][..., None].view(np.uint8)


def text_of(words: Words) -> bytes:
    """Return the text of words, without the unused bytes."""
    return words.tobytes().translate(None, b"\0")


@cache
def _tables() -> tuple[Words, Words]:
    """Return `,-i.dd` by 100 * i.dd, the negative ones 10^4 later, [20000, 2]; and four digits."""
    signed = [f",{sign}{i // 100}.{i % 100:02d}" for sign in ("", "-") for i in range(10**WORD)]
    heads = np.array(signed, dtype=f"S{2 * WORD}").view(np.uint32).reshape(-1, 2)
    groups = np.array([f"{i:04d}" for i in range(10**WORD)], dtype=f"S{WORD}").view(np.uint32)
    return heads, groups


def _one_by_one(values: NDArray[np.float32], decimals: int) -> Words:
    zero = f"{-0.0:.{decimals}f}"
    texts = [f"{value:.{decimals}f}" for value in values.ravel().tolist()]
    texts = [f",{text.removeprefix('-') if text == zero else text}" for text in texts]
    words = -(-max(map(len, texts)) // WORD)
    whole = np.array(texts, dtype=f"S{words * WORD}").view(np.uint32)
    return whole.reshape(*values.shape, words)


RIGHT_FIRST: Final = (("JawLeft", "JawRight"), ("MouthLeft", "MouthRight"))
"""Neighbours in the order of the packet which stand the other way round in the file."""

DECIMALS: Final = 10
"""As the app writes them."""

SLOW, FAST = 30, 60
"""Frames in a second of timecode. Unreal's importer knows these two, and takes the greater only
when a frame number above `DECISIVE_FRAME` occurs in the file."""
DECISIVE_FRAME: Final = 30

DAY_S: Final = 86_400
TIMECODE: Final = b"00:00:00:00.000"


def column_order() -> tuple[str, ...]:
    """Return the names of the 61 values in the order of the file."""
    names = list(ARKIT_CURVES)
    for left, right in RIGHT_FIRST:
        place = names.index(left)
        names[place : place + 2] = right, left
    return tuple(names)


def write_csv(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take, header first. `rigmap` is one for the 61 curves, at any order."""
    places = [rigmap.outputs.index(name) for name in column_order()]
    span = take.span(rate)
    base = timecode_base(span)
    yield csv_header()
    for block in export_blocks(take, rigmap, rate):
        times = thousandths(span.start + block.numbers, rate, base)
        yield csv_lines(block.curves[:, places], times, base)


def csv_header() -> bytes:
    """Return the first line."""
    return ",".join(("Timecode", "BlendshapeCount", *column_order())).encode() + b"\n"


def csv_lines(curves: NDArray[np.float32], times: NDArray[np.int64], base: int) -> bytes:
    """Return the lines of n frames, one at least: `curves` [n, 61] in file order, `times` [n].

    `times` and `base` are those of `thousandths`.
    """
    # Each line begins with its line feed, all but the first one's; it is filled up to whole words.
    count = f",{curves.shape[1]}".encode()
    size = -(-(1 + len(TIMECODE) + len(count)) // WORD) * WORD
    head = np.frombuffer((b"\n" + TIMECODE + count).ljust(size, b"\0"), dtype=np.uint8)
    heads = np.tile(head, (len(curves), 1))
    heads[:, 1 : 1 + len(TIMECODE)] = timecodes(times, base)
    values = comma_separated(curves, DECIMALS).reshape(len(heads), -1)
    return text_of(np.hstack((heads.view(np.uint32), values)))[1:] + b"\n"


def timecode_base(span: Span) -> int:
    """Return the frames of a second of timecode: those which Unreal's importer will infer."""
    if span.rate.hz == SLOW:
        return SLOW
    second = span.start + np.arange(min(span.rows, span.rate.nominal + 1), dtype=np.int64)
    frames = thousandths(second, span.rate, FAST) // 1000 % FAST
    return FAST if bool((frames > DECISIVE_FRAME).any()) else SLOW


def thousandths(numbers: NDArray[np.int64], rate: FrameRate, base: int) -> NDArray[np.int64]:
    """Return the time of day of frames `numbers` [n] at `rate`, in thousandths of 1 / `base` s.

    It is real time: at 23.976, 29.97 and the like it stays with the sound rather than with a
    studio's labels. What is less than a thousandth, 17 microseconds at base 60, is left out.
    """
    step = 1000 * base * rate.frame_s
    return numbers * step.numerator // step.denominator % (1000 * base * DAY_S)


def timecodes(times: NDArray[np.int64], base: int) -> NDArray[np.uint8]:
    """Return the timecode of `times` [n], as `thousandths` gives them, as text, uint8 [n, 15]."""
    frames, fraction = np.divmod(times, 1000)
    seconds, frame = np.divmod(frames, base)
    minutes, second = np.divmod(seconds, 60)
    hour, minute = np.divmod(minutes, 60)
    text = np.tile(np.frombuffer(TIMECODE, dtype=np.uint8), (len(times), 1))
    for place, part in zip((0, 3, 6, 9), (hour, minute, second, frame), strict=True):
        text[:, place : place + 2] = two_digits(part)
    text[:, -3:] = digits(fraction)[:, 1:]
    return text


JSON_FORMAT: Final = "cstalk-curves"
JSON_VERSION: Final = 1
JSON_DECIMALS: Final = 6


def write_json(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take."""
    head = json.dumps(json_header(take, rigmap, rate), ensure_ascii=False, indent=1)
    yield head.removesuffix("\n}").encode() + b',\n "frames": [\n'
    separator = b""
    for block in export_blocks(take, rigmap, rate):
        yield separator + b",\n".join(b"[%b]" % line for line in row_lines(block, rate))
        separator = b",\n"
    yield b"\n]}\n"


def json_header(take: Take, rigmap: RigMap, rate: FrameRate) -> dict[str, Any]:
    """Return the metadata and the curve names of a take as JSON values."""
    span = take.span(rate)
    return {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "slate": take.slate,
        "take": take.number,
        "target": rigmap.target,
        "rig_map": rigmap.name,
        "rate": {"numerator": rate.numerator, "denominator": rate.denominator},
        "start_frame": span.start,
        "start": Timecode(rate, span.start).label,
        "making": dict(take.provenance),
        "curves": list(rigmap.outputs),
    }


def row_lines(block: Block, rate: FrameRate) -> Iterator[bytes]:
    """Yield the rows of a block: number since the beginning, time in seconds, values."""
    values = row_texts(block)
    for number, text in zip(block.numbers.tolist(), values, strict=True):
        yield b"%d,%.6f%b" % (number, number / rate.hz, text)


def row_texts(block: Block) -> list[bytes]:
    """Return the values of each row, a comma before each."""
    words = comma_separated(block.curves, JSON_DECIMALS)
    return [text_of(row) for row in words]


def write_metahuman_csv(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the table of a take, header first."""
    yield ",".join(("Frame", "Time", *rigmap.outputs)).encode() + b"\n"
    for block in export_blocks(take, rigmap, rate):
        yield b"".join(line + b"\n" for line in row_lines(block, rate))


class _PieceBuffer(io.RawIOBase):
    """Takes what a ZipFile writes, and gives it on from time to time."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        self._pieces.append(bytes(piece))  # type: ignore[call-overload]
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def write_npz(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take, a zip of npy files, not compressed."""
    buffer = _PieceBuffer()
    span = take.span(rate)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("curves.npy", "w", force_zip64=True) as entry:
            shape = (span.rows, len(rigmap.outputs))
            head = {"descr": "<f4", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(entry, head)
            for block in export_blocks(take, rigmap, rate):
                entry.write(block.curves.astype("<f4").tobytes())
                yield buffer.taken()
        for name, array in _small_arrays(take, rigmap, span):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, array, allow_pickle=False)
            yield buffer.taken()
    yield buffer.taken()


def _small_arrays(
    take: Take, rigmap: RigMap, span: Span
) -> Iterable[tuple[str, NDArray[np.generic]]]:
    yield "names", np.array(rigmap.outputs)
    yield "times_s", np.arange(span.rows) / span.rate.hz
    yield "rate", np.array([span.rate.numerator, span.rate.denominator])
    yield "start_frame", np.array(span.start)
    yield "board", take.board
    yield "channels", np.array(take.channels)
    yield "head", take.head
    yield "head_axes", np.array(HEAD_AXES)
    yield "board_rate", np.array([take.rate.numerator, take.rate.denominator])
