"""The MetaHuman face board: the one table of its 174 channels.

Names, ranges and order: `board.csv` beside this file, compiled from the public facts of Epic's
MetaHuman DNA Calibration rig script and of the channel list of the engine's own solvers. A channel
is written `CTRL_<L|R|C>_<region>_<name>.<axis>`, as `CTRL_C_jaw.ty`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Channel:
    """One slider or one axis of a pad of the face board.

    `mirror_sign` is -1 where the mirrored face has the opposite value (`CTRL_C_jaw.tx`), else 1.
    `rest` is its value in a face at rest: 0, but 1 for `nose_wrinkleUpper`, which says how much of
    a wrinkled nose reaches its bridge.
    `audio_driven` marks the 81 channels which the engine's own audio solver drives.
    """

    index: int
    name: str
    minimum: float
    maximum: float
    side: str
    region: str
    mirror_sign: int
    audio_driven: bool
    rest: float

    @property
    def mirror(self) -> str:
        """The channel which a mirrored face moves instead; a centre channel is its own mirror."""
        swap = {"L": "R", "R": "L"}
        if self.side not in swap:
            return self.name
        return self.name.replace(f"CTRL_{self.side}_", f"CTRL_{swap[self.side]}_", 1)


def _read_table() -> tuple[Channel, ...]:
    text = resources.files("models").joinpath("board.csv").read_text(encoding="utf-8")
    return tuple(
        Channel(
            index=index,
            name=row["channel"],
            minimum=float(row["minimum"]),
            maximum=float(row["maximum"]),
            side=row["side"],
            region=row["region"],
            mirror_sign=int(row["mirror_sign"]),
            audio_driven=row["audio_driven"] == "1",
            rest=float(row["rest"]),
        )
        for index, row in enumerate(csv.DictReader(text.splitlines()))
    )


CHANNELS: tuple[Channel, ...] = _read_table()
"""All 174 channels, in board order."""

INDEX: dict[str, int] = {channel.name: channel.index for channel in CHANNELS}
"""Board position by channel name."""

AUDIO_DRIVEN: tuple[str, ...] = tuple(c.name for c in CHANNELS if c.audio_driven)
"""The names of the 81 audio-driven channels, in board order."""
