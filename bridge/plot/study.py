"""A study: everything that a picture shows of one take and its sound, computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.plot.measures import (
    Agreement,
    CurveWarnings,
    EyesAndHead,
    agreement,
    closures,
    find_warnings,
    jerk,
    measure_eyes_and_head,
    mouth_opening,
)
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.curves import Curve
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.sound import (
    FLOOR_DB,
    HIGHEST_HZ,
    LOWEST_HZ,
    MAX_COLUMNS,
    WINDOW_S,
    spectrogram_levels,
    waveform_extrema,
)
from cstalk_bridge.takes.take import curve_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.plot.measures import Floats
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.takes.take import Take

    SoundValues = NDArray[np.float32]


PIECE_SAMPLES = 1 << 20
"""Samples read at once."""
WINDOWS = 4
"""Windows of the spectrogram of which one column is the mean, where it is long enough."""


class PaddedSound:
    """A sound with silence behind it, up to a time."""

    def __init__(self, sound: Sound, end_s: float) -> None:
        self.rate_hz = sound.rate_hz
        self.frames = max(sound.frames, int(np.ceil(end_s * sound.rate_hz)))
        self._sound = sound

    def read(self, start: int, count: int) -> SoundValues:
        """Return exactly `count` samples, [time]."""
        known = min(count, max(0, self._sound.frames - start))
        samples = self._sound.read(start, known) if known else np.zeros(0, np.float32)
        return np.pad(samples, (0, count - len(samples)))


def waveform(sound: Sound, start_s: float, end_s: float, columns: int) -> SoundValues:
    """Return the least and greatest sample of each column, [columns, 2]; 0 outside of the sound."""
    padded = PaddedSound(sound, end_s)
    edges_s = np.linspace(start_s, end_s, columns + 1)
    # More at once is drawn from samples of it.
    step = max(1, int(PIECE_SAMPLES / ((end_s - start_s) / columns * sound.rate_hz)))
    pieces = [
        waveform_extrema(padded, edges_s[first], edges_s[last], last - first)
        for first in range(0, columns, step)
        for last in [min(first + step, columns)]
    ]
    return np.concatenate(pieces).astype(np.float32) / np.float32(127)


def spectrogram(
    sound: Sound, start_s: float, end_s: float, columns: int, bands: int
) -> SoundValues:
    """Return levels in dBFS, [bands, columns]; band 0 is the lowest, `FLOOR_DB` the least."""
    column_windows = (end_s - start_s) / columns / WINDOW_S
    windows = int(np.clip(column_windows, 1, min(WINDOWS, MAX_COLUMNS // columns)))
    padded = PaddedSound(sound, end_s)
    picture = spectrogram_levels(padded, start_s, end_s, windows * columns, bands)
    mean = picture.reshape(bands, columns, windows).mean(axis=2, dtype=np.float32)
    return np.asarray(FLOOR_DB * (1 - mean / np.float32(255)))


def loudness(sound: Sound, rows: int, rate_hz: float, start_s: float = 0.0) -> SoundValues:
    """Return the level at each row of a take in dBFS, float32 [rows], `FLOOR_DB` at least.

    Row i stands at `start_s` + i / `rate_hz`; its level is that of three row times around it.
    """
    edges = np.rint((start_s + (np.arange(rows + 3) - 1.5) / rate_hz) * sound.rate_hz)
    edges = edges.astype(np.intp)
    energy = np.concatenate(
        [np.add.reduceat(samples * samples, starts) for samples, starts in _pieces(sound, edges)]
    )
    mean = np.convolve(energy, np.ones(3), "valid") / (edges[3:] - edges[:-3])
    # The mean square of a full-scale sine is a half.
    return np.asarray(10 * np.log10(np.maximum(2 * mean, 10 ** (FLOOR_DB / 10))), dtype=np.float32)


def _pieces(
    sound: Sound, edges: NDArray[np.intp]
) -> Iterator[tuple[SoundValues, NDArray[np.intp]]]:
    """Yield samples, about `PIECE_SAMPLES` at once, and where in them stretches begin."""
    padded, first = PaddedSound(sound, 0.0), 0
    while first < len(edges) - 1:
        fitting = int(np.searchsorted(edges, edges[first] + PIECE_SAMPLES, side="right")) - 1
        last = max(fitting, first + 1)
        begin, end = int(edges[first]), int(edges[last])
        before = min(max(0, -begin), end - begin)
        samples = padded.read(begin + before, end - begin - before)
        yield np.pad(samples, (before, 0)), edges[first:last] - begin
        first = last


def place_of_hertz(hertz: float) -> float:
    """Return where a frequency lies in the spectrogram, 0 its lower and 1 its upper edge."""
    low, high, mel = (np.log10(1 + f / 700) for f in (LOWEST_HZ, HIGHEST_HZ, hertz))
    return float((mel - low) / (high - low))


JAW = "CTRL_C_jaw.ty"
LIPS = tuple(f"CTRL_{side}_mouth_lipsTogether{half}.ty" for side in "LR" for half in "UD")
UNNAMED_REGION = "curves"
"""The region of curves of which no table knows one."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Rows of a take from `start_s` on: curves of a rig map, and measures of them.

    `curves` is [time, len(table)], `arkit` the curves of the rig map of that name [time, 61], which
    move a head, `mouth_opening` [time] 0..1, `loudness` [time] in dBFS or None
    without sound, `closures` [closures, 2] rows, `roughness` the greatest jerk of a region's curves
    between rows, [time - 3] each, in ranges per second cubed.
    """

    take: Take
    table: tuple[Curve, ...]
    start_s: float
    curves: Floats
    arkit: Floats
    mouth_opening: Floats
    loudness: Floats | None
    closures: NDArray[np.intp]
    agreement: Agreement | None
    roughness: dict[str, Floats]
    warnings: CurveWarnings
    eyes_and_head: EyesAndHead

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each row within the take, float64 [time]."""
        return self.start_s + np.arange(len(self.curves)) / self.take.rate.hz

    @property
    def end_s(self) -> float:
        """Time of the end of the last row."""
        return self.start_s + len(self.curves) / self.take.rate.hz

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of the curves."""
        return tuple(self.roughness)


def examine(take: Take, rigmap: RigMap, rows: slice) -> Study:
    """Measure some rows of a take, at least one, through a rig map."""
    first, last, _ = rows.indices(take.rows)
    start_s, rate_hz = first / take.rate.hz, take.rate.hz
    table = curve_table(rigmap)
    curves = _curves(take, rigmap, first, last)
    lips = np.stack([_channel(take, name, rows) for name in LIPS]).mean(axis=0)
    opening = mouth_opening(_channel(take, JAW, rows), lips)
    level = None if take.sound is None else loudness(take.sound, last - first, rate_hz, start_s)
    return Study(
        take=take,
        table=table,
        start_s=start_s,
        curves=curves,
        arkit=curves if rigmap.name == ARKIT_MAP else _curves(take, _arkit(), first, last),
        mouth_opening=opening,
        loudness=level,
        closures=closures(lips),
        agreement=None if level is None else agreement(opening, level, rate_hz),
        roughness=_roughness(curves, table, rate_hz),
        warnings=find_warnings(curves, table, rate_hz, start_s),
        eyes_and_head=measure_eyes_and_head(take, rows),
    )


@cache
def _arkit() -> RigMap:
    return load_rigmap(ARKIT_MAP)


def curve_table(rigmap: RigMap) -> tuple[Curve, ...]:
    """Return the description of each curve that a map sends, with the limits set by the map."""
    known = rigmap.ruleset.table.by_name
    return tuple(
        replace(
            known.get(name) or Curve(name, 0, 1, "C", UNNAMED_REGION, name, 1, required=False),
            minimum=float(minimum),
            # Shares of a range mean something for a curve held to one value, too.
            maximum=float(maximum) if maximum > minimum else float(minimum) + 1.0,
        )
        for name, minimum, maximum in zip(
            rigmap.outputs, rigmap.minimum, rigmap.maximum, strict=False
        )
    )


def _curves(take: Take, rigmap: RigMap, first: int, last: int) -> Floats:
    """Return the curves of some rows; the rows before them are mapped for the smoothing's sake."""
    kept, row = [], 0
    for block in curve_blocks(take, rigmap):
        kept.append(block[max(first - row, 0) : max(last - row, 0)])
        row += len(block)
        if row >= last:
            break
    return np.concatenate(kept)


def _channel(take: Take, name: str, rows: slice) -> Floats:
    board = take.board[rows]
    if name in take.channels:
        return board[:, take.channels.index(name)]
    return np.zeros(len(board), dtype=np.float32)


def _roughness(curves: Floats, table: Sequence[Curve], rate_hz: float) -> dict[str, Floats]:
    rough: dict[str, Floats] = {}
    for column, curve in enumerate(table):
        found = np.abs(jerk(curves[:, column], curve.maximum - curve.minimum, rate_hz))
        before = rough.get(curve.region)
        rough[curve.region] = found if before is None else np.maximum(before, found)
    return rough
