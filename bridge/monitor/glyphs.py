"""What bars and rules are drawn with in a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What bars and rules are drawn with; `parts` fill one cell more and more, the last wholly."""

    parts: str
    empty: str
    rule: str


BLOCKS = Glyphs("▏▎▍▌▋▊▉█", "·", "─")
ASCII = Glyphs("#", ".", "-")


def bar(share: float, columns: int, glyphs: Glyphs) -> str:
    """Return a bar of `columns` cells of which `share` (0..1) is full."""
    steps = len(glyphs.parts)
    filled = round(min(max(share, 0.0), 1.0) * columns * steps)
    whole, rest = divmod(filled, steps)
    drawn = glyphs.parts[-1] * whole + (glyphs.parts[rest - 1] if rest else "")
    return drawn.ljust(columns, glyphs.empty)
