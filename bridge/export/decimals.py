"""Many numbers to decimal text at once, by table look-up instead of a call per number."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

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
