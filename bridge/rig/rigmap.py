"""A compiled rig map: turns a frame into the curves of the target, without a loop over curves.

Curves can be smoothed by the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, algorithm 1),
vectorised over curves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.rig.curves import neutral_board, neutral_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.errors import Problem
    from cstalk_bridge.rig.curves import Frame, Sources
    from cstalk_bridge.rig.schema import RuleSet

    Floats = NDArray[np.float32]

    Indices = NDArray[np.intp]


DERIVATIVE_CUTOFF_HZ = 1.0
"""Cut-off frequency of the smoothed slope; the value of the paper."""


@dataclass(slots=True)
class OneEuroState:
    """State of the filter: its last outputs and slopes, [curves], and their time."""

    time_s: float | None = None
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    slopes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def reset(self) -> None:
        """Reset; the next values pass unchanged."""
        self.time_s = None


@dataclass(frozen=True, slots=True)
class OneEuro:
    """A low-pass filter per curve whose cut-off rises with the speed of the curve.

    `min_cutoff_hz` and `beta` are [curves]; cut-off = min_cutoff_hz + beta * |slope per second|.
    """

    min_cutoff_hz: NDArray[np.float64]
    beta: NDArray[np.float64]

    def step(
        self, state: OneEuroState, values: NDArray[np.float32], time_s: float
    ) -> NDArray[np.float64]:
        """Return the smoothed values, [curves], and advance the state.

        A time that does not advance returns the last output again.
        """
        if state.time_s is None:
            state.time_s = time_s
            state.values = values.astype(np.float64)
            state.slopes = np.zeros_like(state.values)
            return state.values
        elapsed_s = time_s - state.time_s
        if elapsed_s <= 0:
            return state.values
        slopes = (values - state.values) / elapsed_s
        state.slopes = state.slopes + _share(DERIVATIVE_CUTOFF_HZ, elapsed_s) * (
            slopes - state.slopes
        )
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(state.slopes)
        state.values = state.values + _share(cutoff_hz, elapsed_s) * (values - state.values)
        state.time_s = time_s
        return state.values


def _share(cutoff_hz: NDArray[np.float64] | float, elapsed_s: float) -> NDArray[np.float64]:
    """Return the weight of a new value in a first-order low-pass."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * elapsed_s)))


@dataclass(frozen=True, slots=True)
class Responses:
    """Piecewise linear functions of some rows, constant outside their points.

    `rows` and `start` are [responses]; the others are [responses, segments], padded with segments
    of width 0.
    """

    rows: Indices
    """The rows with a response."""
    start: Floats
    """The value at the first point and below."""
    lefts: Floats
    """Left end of each segment."""
    widths: Floats
    """Length of each segment."""
    slopes: Floats
    """Slope of each segment."""

    def apply(self, values: Floats) -> None:
        """Replace the values of the rows in place; rows are along the last axis."""
        inside = np.clip(values[..., self.rows, None] - self.lefts, 0.0, self.widths)
        values[..., self.rows] = self.start + (inside * self.slopes).sum(axis=-1)


@dataclass(frozen=True, slots=True)
class RigMap:
    """A compiled rig map.

    The first rows of all arrays are the curves of `outputs`; the other rows are factors of
    products, which are not sent.
    """

    name: str
    target: str
    """One of `curves.TARGETS`, or `custom`."""
    outputs: tuple[str, ...]
    """Names of the curves, in the order in which they are sent."""
    ruleset: RuleSet
    """The rules from which the map was compiled."""
    warnings: tuple[Problem, ...]
    sources: Sources
    weights: Floats
    """[rows, sources]."""
    responses: Responses
    gains: Floats
    """[rows]."""
    offsets: Floats
    """[rows]."""
    smoothed: Indices
    """The rows that are smoothed."""
    smoothing: OneEuro
    minimum: Floats
    """[rows]."""
    maximum: Floats
    """[rows]."""
    products: Indices
    """[products, 2]: the row of a curve and the row of its factor."""
    reference: str = ""
    """The name or path from which it was loaded."""

    def apply(self, frame: Frame) -> Floats:
        """Return the curves of one frame, float32 [outputs], clamped and without smoothing.

        Values of the frame that are not finite are read as rest, those out of range as the limit.
        """
        return self.final_values(self.raw_values(frame.board, frame.head))

    def applier(self) -> Applier:
        """Return an applier of the map to consecutive frames, with smoothing."""
        return Applier(self)

    @property
    def rest(self) -> Floats:
        """The curves of a face at rest, float32 [outputs]."""
        return self.final_values(self.raw_values(neutral_board(), neutral_head()))

    def raw_values(self, board: Floats, head: Floats) -> Floats:
        """Return all rows before smoothing, limits and products, [..., rows].

        `board` is [..., 174] and `head` [..., 6].
        """
        axes = np.concatenate((board, head), axis=-1, dtype=np.float32)
        values: Floats = self.sources.read(axes) @ self.weights.T
        if self.responses.rows.size:
            self.responses.apply(values)
        values *= self.gains
        values += self.offsets
        return values

    def final_values(self, values: Floats) -> Floats:
        """Clamp rows, [..., rows], in place, multiply, and return the curves, [..., outputs]."""
        np.clip(values, self.minimum, self.maximum, out=values)
        if self.products.size:
            rows, factors = self.products.T
            product = values[..., rows] * values[..., factors]
            values[..., rows] = np.clip(product, self.minimum[rows], self.maximum[rows])
        return values[..., : len(self.outputs)]


class Applier:
    """Applies a map to consecutive frames, with the state of smoothing."""

    def __init__(self, rigmap: RigMap) -> None:
        self._current = rigmap, OneEuroState()

    @property
    def rigmap(self) -> RigMap:
        """The map in use."""
        return self._current[0]

    def change(self, rigmap: RigMap) -> None:
        """Use another map from the next frame on; any thread may call this.

        ValueError if its outputs differ.
        """
        if rigmap.outputs != self.rigmap.outputs:
            raise ValueError(f"{rigmap.name} has other outputs than {self.rigmap.name}")
        self._current = rigmap, OneEuroState()

    def apply(self, frame: Frame) -> Floats:
        """Return the curves of the next frame, float32 [outputs], smoothed and clamped."""
        return apply_all([self], frame.board[None], frame.head[None], frame.time_s)[0]

    def apply_sequence(self, board: Floats, head: Floats, times_s: NDArray[np.float64]) -> Floats:
        """Return the curves of the next frames, float32 [time, outputs]; equal to `apply` for each.

        `board` is [time, 174], `head` [time, 6], `times_s` [time].
        """
        rigmap, state = self._current
        values = rigmap.raw_values(board, head)
        if rigmap.smoothed.size:
            for row, time_s in zip(values, times_s.tolist(), strict=True):
                row[rigmap.smoothed] = rigmap.smoothing.step(state, row[rigmap.smoothed], time_s)
        return rigmap.final_values(values)

    def reset(self) -> None:
        """Reset smoothing; the next frame passes unsmoothed."""
        self._current[1].reset()

    def smoothed(self, rigmap: RigMap, values: Floats, time_s: float) -> Floats:
        """Return the rows of the next frame, [rows], smoothed in place if `rigmap` is in use."""
        current, state = self._current
        if current is rigmap and rigmap.smoothed.size:
            values[rigmap.smoothed] = rigmap.smoothing.step(state, values[rigmap.smoothed], time_s)
        return values


def apply_all(
    appliers: Sequence[Applier], board: Floats, head: Floats, time_s: float
) -> list[Floats]:
    """Return the curves of the next frame of several characters, float32 [outputs] each.

    `board` is [characters, 174], `head` [characters, 6]. Characters with the same map are batched.
    """
    mapped: list[Floats] = [board[index] for index in range(len(appliers))]
    sharing: dict[int, list[int]] = {}
    rigmaps = [applier.rigmap for applier in appliers]
    for index, rigmap in enumerate(rigmaps):
        sharing.setdefault(id(rigmap), []).append(index)
    for indices in sharing.values():
        rigmap = rigmaps[indices[0]]
        rows = rigmap.raw_values(board[indices], head[indices])
        for row, index in zip(rows, indices, strict=True):
            appliers[index].smoothed(rigmap, row, time_s)
        for row, index in zip(rigmap.final_values(rows), indices, strict=True):
            mapped[index] = row
    return mapped
