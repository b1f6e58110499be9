"""The raw curves of a MetaHuman as a CSV table, one line a frame.

    Frame,Time,CTRL_expressions_browDownL,...
    0,0.000000,0.000000,...

Frame is the number since the beginning, Time is in seconds. docs/unreal_import.py puts the curves
on an animation sequence; as JSON it reads them too (`json_take`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.export.json_take import lines
from bridge.export.rows import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.clock.rate import FrameRate
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take


def write_metahuman_csv(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the table of a take, header first."""
    yield ",".join(("Frame", "Time", *rigmap.outputs)).encode() + b"\n"
    for block in blocks(take, rigmap, rate):
        yield b"".join(line + b"\n" for line in lines(block, rate))
