"""A take: one performance of one face, with its sound."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.rig.curves import ARKIT_CURVES, HEAD_AXES, neutral_board
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cstalk_bridge.face.emotion_trajectory import SampledEmotion
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.timecode.smpte import FrameRate

    Floats = NDArray[np.float32]


BLOCK_ROWS = 4096
"""Rows that are mapped at once."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where rows lie in time: `rows` of them at `rate`, from frame `start` since midnight on."""

    rate: FrameRate
    start: int
    rows: int


MAX_CHANGES: Final = 5000
"""Changes of settings of one take: a fader that moves for twenty minutes."""

MAX_SETTING_LETTERS: Final = 64
"""Of the name of a setting, and of its value where that is text."""

_Text = Annotated[str, Field(max_length=MAX_SETTING_LETTERS)]
SettingValue = _Text | Annotated[int, Field(ge=-(2**63), lt=2**63)] | float


class TimedSetting(BaseModel):
    """A setting that was changed during a take, `at_s` seconds after its first frame."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    at_s: float = Field(ge=0.0)
    name: _Text
    value: SettingValue

    @property
    def text(self) -> str:
        """What changed, for the user: `level head 1.6 at 3.20 s`, `paused on at 4.00 s`."""
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        if self.name.startswith("is_"):
            value = "on" if self.value else "off"
        return f"{self.name.removeprefix('is_').replace('_', ' ')} {value} at {self.at_s:.2f} s"


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """The curves of a face as a live run sent them: float32 [time, 61] in `ARKIT_CURVES` order.

    `rigmap` is the name or path of the rig map that made them.
    """

    rigmap: str
    curves: Floats

    def is_of(self, rigmap: RigMap) -> bool:
        """Whether the curves of a rig map are the performed ones."""
        return rigmap.name == self.rigmap and set(rigmap.outputs) == set(ARKIT_CURVES)

    def ordered(self, rigmap: RigMap) -> Floats:
        """Return the curves in the order of the map, float32 [time, 61]."""
        return self.curves[:, [ARKIT_CURVES.index(name) for name in rigmap.outputs]]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Rows of board channels at a frame rate, from frame `start` since midnight on.

    `channels` names the columns of `board`, float32 [time, channels]; all other channels rest.
    `head` is float32 [time, 6] in `HEAD_AXES` order. Sample 0 of `sound` belongs to row 0.
    `emotions` are the chosen ones, `provenance` is how the take was made: look-ahead, weights.
    A take that was recorded live has its `performance`, a `subject`, the emotions that were in
    force at each frame, and the `changes` of settings since its first frame, in their order.
    `notices` say what a take that broke off lacks, and the like. The arrays are not
    written to after construction.
    """

    slate: str
    channels: tuple[str, ...]
    board: Floats
    head: Floats
    sound: Sound | None = None
    number: int = 1
    rate: FrameRate = FRAME_RATES["50"]
    start: int = 0
    emotions: EmotionTrajectory | SampledEmotion = EmotionTrajectory()
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    performance: Performance | None = None
    subject: str = ""
    changes: tuple[TimedSetting, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Slate and take number, as they are called on a stage."""
        return f"{self.slate}_{self.number}"

    @property
    def rows(self) -> int:
        """Frames of the take."""
        return len(self.board)

    @property
    def duration_s(self) -> float:
        """Real time from the first frame's begin to the last one's end."""
        return float(self.rows * self.rate.frame_s)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each row since the first, float64 [time]."""
        return np.arange(self.rows) / self.rate.hz

    def at(self, rate: FrameRate) -> Take:
        """Return the take at another frame rate, interpolated linearly, as long as before."""
        if rate == self.rate or not self.rows:
            return replace(self, rate=rate)
        span = self.span(rate)
        part = self.between(np.asarray(np.arange(span.rows) * (self.rate.hz / rate.hz)))
        return replace(part, rate=rate, start=span.start)

    def span(self, rate: FrameRate) -> Span:
        """Return where the rows of the take lie at another frame rate, for as long as it lasts."""
        factor = self.rate.frame_s / rate.frame_s
        rows = max(1, round(self.rows * factor)) if self.rows else 0
        return Span(rate, round(self.start * factor), rows)

    def between(self, places: NDArray[np.float64]) -> Take:
        """Return a take of only the rows at fractional `places`, interpolated linearly."""
        performance = self.performance
        if performance is not None:
            performance = replace(performance, curves=between(performance.curves, places))
        return replace(
            self,
            board=between(self.board, places),
            head=between(self.head, places),
            performance=performance,
        )

    def whole_board(self, rows: slice = slice(None)) -> Floats:
        """Return all channels of some rows, float32 [time, 174]."""
        given = self.board[rows]
        board = neutral_board(len(given))
        board[:, [CHANNEL_INDEX[name] for name in self.channels]] = given
        return board


def curves(take: Take, rigmap: RigMap) -> Floats:
    """Return what a rig map makes of a take, float32 [time, outputs].

    Of a recorded take, the map by which it was performed gives the performed curves.
    """
    blocks = list(curve_blocks(take, rigmap))
    return np.concatenate(blocks) if blocks else np.zeros((0, len(rigmap.outputs)), np.float32)


def curve_blocks(take: Take, rigmap: RigMap) -> Iterator[Floats]:
    """Yield what `curves` returns in blocks of `BLOCK_ROWS`, for takes of hours."""
    if take.performance is not None and take.performance.is_of(rigmap):
        performed = take.performance.ordered(rigmap)
        yield from (performed[i : i + BLOCK_ROWS] for i in range(0, take.rows, BLOCK_ROWS))
        return
    applier = rigmap.applier()
    times_s = take.times_s
    for first in range(0, take.rows, BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        yield applier.apply_sequence(take.whole_board(rows), take.head[rows], times_s[rows])


def still_head(rows: int) -> Floats:
    """Return a head at rest, float32 [rows, 6]."""
    return np.zeros((rows, len(HEAD_AXES)), dtype=np.float32)


def between(values: Floats, places: NDArray[np.float64]) -> Floats:
    """Return the values [time, columns] at fractional rows from 0 on, interpolated linearly.

    Beyond the last row there is its value.
    """
    places = np.minimum(places, len(values) - 1)
    before = places.astype(np.intp)
    after = np.minimum(before + 1, len(values) - 1)
    share = (places - before).astype(np.float32)[:, None]
    return values[before] + share * (values[after] - values[before])
