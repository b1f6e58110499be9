"""Pieces of USD's text form: names, strings, and many numbers at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

DIGITS: Final = "%.7g"
"""What tells any float32 of a mesh in metres from its neighbours."""
ROWS: Final = 4096
"""Rows which become text at once."""


def quoted(text: str) -> str:
    """Return a string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\r", "").replace("\n", "\\n")
    return f'"{"".join(c for c in escaped if c.isprintable())}"'


def tokens(names: Iterable[str]) -> str:
    """Return the string literals of names, as the content of an array."""
    return ", ".join(map(quoted, names))


def identifiers(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a prim's name for each name: letters, digits and `_`, all different, none `taken`."""
    used = set(taken)
    found = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        unique, number = plain, 1
        while unique in used:
            number += 1
            unique = f"{plain}_{number}"
        used.add(unique)
        found.append(unique)
    return found


def array(values: NDArray[Any], element: str) -> Iterator[str]:
    """Yield the content of an array, [n, width], each row as `element` with its `%` places."""
    for first in range(0, len(values), ROWS):
        rows = values[first : first + ROWS]
        text = ", ".join([element] * len(rows)) % tuple(rows.ravel().tolist())
        yield text if first == 0 else f", {text}"


def vectors(values: NDArray[Any]) -> Iterator[str]:
    """Yield the content of an array of triples, [n, 3]."""
    return array(values, f"({DIGITS}, {DIGITS}, {DIGITS})")


def integers(values: NDArray[Any]) -> Iterator[str]:
    """Yield the content of an array of whole numbers, [n]."""
    return array(values.reshape(-1, 1), "%d")


def samples(name: str, blocks: Iterable[NDArray[Any]], row: str) -> Iterator[str]:
    """Yield an attribute with a time sample for each row of the blocks, from time code 0 on."""
    yield f"        {name}.timeSamples = {{\n"
    line = f"            %d: [{row}],\n"
    number = 0
    for block in blocks:
        rows = enumerate(block.tolist(), start=number)
        yield "".join([line % (place, *values) for place, values in rows])
        number += len(block)
    yield "        }\n"
