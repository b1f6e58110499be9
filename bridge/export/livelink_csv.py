"""The CSV file of the Live Link Face app: one line a frame, all values as text.

    Timecode,BlendshapeCount,EyeBlinkLeft,...,RightEyeRoll
    10:24:31:07.250,61,0.1225430071,...

Header, order, number format and timecode were compared with files of the app. A timecode is
`HH:MM:SS:FF.mmm`: frame within the second, and thousandths of that frame.

Left and right: every value stands under its true name, left being the subject's left, so that a
reader by name, as Unreal's importer, shows the same face as our packets. The app itself writes
MouthLeft and MouthRight mirrored; a tool with an option against that fault needs it off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.export.decimals import WORD, comma_separated, digits, text_of, two_digits
from bridge.export.rows import blocks, span
from bridge.rig.tables import load_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.export.rows import Span
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take

TARGET: Final = "livelinkface61"
"""Whose table the columns come from."""

RIGHT_FIRST: Final = (("JawLeft", "JawRight"), ("MouthLeft", "MouthRight"))
"""Neighbours in the order of the packet which stand the other way round in the file."""

DECIMALS: Final = 10
"""As the app writes them."""

SLOW, FAST = 30, 60
"""Frames in a second of timecode. Unreal's importer knows these two, and takes the greater only
when a frame number above `TELLING_FRAME` occurs in the file."""
TELLING_FRAME: Final = 30

DAY_S: Final = 86_400
TIMECODE: Final = b"00:00:00:00.000"


def column_order() -> tuple[str, ...]:
    """Return the names of the 61 values in the order of the file."""
    names = [curve.name for curve in load_table(TARGET).curves]
    for left, right in RIGHT_FIRST:
        place = names.index(left)
        names[place : place + 2] = right, left
    return tuple(names)


def write_csv(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take, header first. `rigmap` is one for the 61 curves, at any order."""
    places = [rigmap.outputs.index(name) for name in column_order()]
    where = span(take, rate)
    base = timecode_base(where)
    yield header()
    for block in blocks(take, rigmap, rate):
        times = thousandths(where.start + block.numbers, rate, base)
        yield lines(block.curves[:, places], times, base)


def header() -> bytes:
    """Return the first line."""
    return ",".join(("Timecode", "BlendshapeCount", *column_order())).encode() + b"\n"


def lines(curves: NDArray[np.float32], times: NDArray[np.int64], base: int) -> bytes:
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


def timecode_base(where: Span) -> int:
    """Return the frames of a second of timecode: those which Unreal's importer will infer."""
    if where.rate.hz == SLOW:
        return SLOW
    second = where.start + np.arange(min(where.rows, where.rate.nominal + 1))
    frames = thousandths(second, where.rate, FAST) // 1000 % FAST
    return FAST if bool((frames > TELLING_FRAME).any()) else SLOW


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
