"""A take as JSON: what it is, the names of its curves, then one line a frame.

    {"format": "cstalk-curves", "version": 1, "slate": "speech", "take": 1, ...,
     "rate": {"numerator": 60, "denominator": 1}, "start_frame": 0, "start": "00:00:00:00",
     "curves": ["EyeBlinkLeft", ...],
     "frames": [
    [0,0.000000,0.012543,...],
    [1,0.016667,...]
    ]}

A frame is its number since the beginning, its time in seconds, and the value of each curve.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bridge.clock.timecode import Timecode
from bridge.export.decimals import comma_separated, text_of
from bridge.export.rows import blocks, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.clock.rate import FrameRate
    from bridge.export.rows import Block
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take

FORMAT: Final = "cstalk-curves"
VERSION: Final = 1
DECIMALS: Final = 6


def write_json(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take."""
    head = json.dumps(about(take, rigmap, rate), ensure_ascii=False, indent=1)
    yield head.removesuffix("\n}").encode() + b',\n "frames": [\n'
    separator = b""
    for block in blocks(take, rigmap, rate):
        yield separator + b",\n".join(b"[%b]" % line for line in lines(block, rate))
        separator = b",\n"
    yield b"\n]}\n"


def about(take: Take, rigmap: RigMap, rate: FrameRate) -> dict[str, Any]:
    """Return what a take is and which curves it has, in words and numbers of JSON."""
    where = span(take, rate)
    return {
        "format": FORMAT,
        "version": VERSION,
        "slate": take.slate,
        "take": take.number,
        "target": rigmap.target,
        "rig_map": rigmap.name,
        "rate": {"numerator": rate.numerator, "denominator": rate.denominator},
        "start_frame": where.start,
        "start": Timecode(rate, where.start).label,
        "making": dict(take.making),
        "curves": list(rigmap.outputs),
    }


def lines(block: Block, rate: FrameRate) -> Iterator[bytes]:
    """Yield the rows of a block: number since the beginning, time in seconds, values."""
    values = text_of_rows(block)
    for number, text in zip(block.numbers.tolist(), values, strict=True):
        yield b"%d,%.6f%b" % (number, number / rate.hz, text)


def text_of_rows(block: Block) -> list[bytes]:
    """Return the values of each row, a comma before each."""
    words = comma_separated(block.curves, DECIMALS)
    return [text_of(row) for row in words]
