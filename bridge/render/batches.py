"""Pieces of sound put together, so that the network works on many of about one length at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bridge.render.hearing import Heard, Piece
    from models.generator import Generator

    Part = tuple[Heard, Piece]
    Batch = list[Part]

WAITING_PASSES: Final = {"cpu": 12, "cuda": 1}
"""Passes of pieces which are gathered before batches are made of them: the more there are, the
nearer the lengths in a batch. A row holds 5 kB: 30 MB on a CPU, 240 MB on a GPU."""


def batches(parts: Iterable[Part], pass_rows: int, waiting_rows: int) -> Iterator[Batch]:
    """Yield all parts in batches that fill one pass of `pass_rows`; one that fills it goes alone.

    Up to `waiting_rows` rows of parts are gathered and sorted by their length.
    """
    waiting: Batch = []
    for part in parts:
        if size(part) >= pass_rows:
            yield [part]
            continue
        waiting.append(part)
        if sum(map(size, waiting)) >= waiting_rows:
            yield from _packed(waiting, pass_rows)
            waiting = []
    yield from _packed(waiting, pass_rows)


def size(part: Part) -> int:
    """Return the rows which the network makes for a part, those before it included."""
    _, piece = part
    return piece.before + piece.rows


def _packed(parts: Sequence[Part], pass_rows: int) -> list[Batch]:
    """Return the parts by rising length; a batch counts each with the rows of its longest."""
    made: list[Batch] = []
    for part in sorted(parts, key=size):
        if made and size(part) * (1 + len(made[-1])) <= pass_rows:
            made[-1].append(part)
        else:
            made.append([part])
    return made


def faces(generator: Generator, batch: Batch, lookahead_ms: float) -> list[NDArray[np.float32]]:
    """Return the rows of each part of a batch, float32 [rows, channels]."""
    sounds = [piece.samples for _, piece in batch]
    # All as long as the longest: the weights of a batch are then constant if its emotions are.
    longest = -(-max(map(len, sounds)) // generator.hop_samples)
    weights = [piece.weights(heard.settings, longest) for heard, piece in batch]
    guards = [heard.settings.mouth_guard for heard, _ in batch]
    made = generator.generate_batch(sounds, weights, lookahead_ms, guards)
    return [
        rows[piece.before : piece.before + piece.rows]
        for rows, (_, piece) in zip(made, batch, strict=True)
    ]
