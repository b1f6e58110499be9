"""Captured faces on the board: ARKit scores of a tracker or a phone as board channels.

`arkit_board.csv` gives each board channel as a weighted sum of ARKit curves: the facts of Epic's
ARKit pose asset for MetaHumans, led back through the board's sliders; only audio-driven channels.
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN, CHANNELS, INDEX

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

LIPS_TOGETHER = tuple(f"CTRL_{side}_mouth_lipsTogether{lip}.ty" for lip in "UD" for side in "LR")
REST_PERCENTILE = 10
LEAST_JAW = 0.05  # under this opening the ratio of close to open is noise


def _read_table() -> tuple[tuple[str, int, float], ...]:
    text = resources.files("models.training").joinpath("arkit_board.csv").read_text("utf-8")
    return tuple(
        (row["arkit"], AUDIO_DRIVEN.index(row["board"]), float(row["weight"]))
        for row in csv.DictReader(text.splitlines())
    )


TABLE: tuple[tuple[str, int, float], ...] = _read_table()
"""ARKit name (`jawOpen`), column in `AUDIO_DRIVEN`, board value at score 1."""

_MINIMUM, _MAXIMUM = (
    np.array([getattr(CHANNELS[INDEX[name]], end) for name in AUDIO_DRIVEN], dtype=np.float32)
    for end in ("minimum", "maximum")
)


def board_of(scores: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return board values [time, 81] of ARKit scores [time] by name, within the board's ranges.

    Names that are not in `TABLE` are passed over. Lips are together by mouthClose / jawOpen, as
    MetaHumans take it.
    """
    rows = len(next(iter(scores.values())))
    board = np.zeros((rows, len(AUDIO_DRIVEN)), dtype=np.float32)
    for name, column, weight in TABLE:
        if name in scores:
            board[:, column] += weight * scores[name]
    if {"mouthClose", "jawOpen"} <= scores.keys():
        closed = scores["mouthClose"] / np.maximum(scores["jawOpen"], LEAST_JAW)
        board[:, [AUDIO_DRIVEN.index(name) for name in LIPS_TOGETHER]] = closed[:, None]
    return np.asarray(np.clip(board, _MINIMUM, _MAXIMUM), dtype=np.float32)


def observed_by(names: Collection[str]) -> NDArray[np.bool_]:
    """Return which channels the ARKit curves `names` tell, [81].

    A channel that several curves move is told where all of them are observed.
    """
    sources: dict[int, set[str]] = {}
    for name, column, _ in TABLE:
        sources.setdefault(column, set()).add(name)
    if "mouthClose" in names and "jawOpen" in names:
        sources |= {AUDIO_DRIVEN.index(channel): set() for channel in LIPS_TOGETHER}
    return np.array(
        [column in sources and sources[column] <= set(names) for column in range(len(_MINIMUM))]
    )


def named(curves: NDArray[np.float32], names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return the columns of `curves` by ARKit name, its first letter in lower case."""
    return {name[0].lower() + name[1:]: curves[:, i] for i, name in enumerate(names)}


def above_rest(curves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `curves` [time, curves] above what each shows a tenth of the time, never negative."""
    rest = np.percentile(curves, REST_PERCENTILE, axis=0)
    return np.asarray(np.maximum(curves - rest, 0.0), dtype=np.float32)
