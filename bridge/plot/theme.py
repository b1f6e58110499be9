"""Colours and sizes of the pictures.

The hues are Okabe and Ito's, which people with any kind of colour vision tell apart, made lighter
on the dark paper and darker on the light one where thin lines need it.
"""

from __future__ import annotations

from dataclasses import dataclass

FONT = "DejaVu Sans"
"""Comes with matplotlib."""


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours: `ink` on `paper`, `soft` for what is said aside, `rule` for thin lines.

    `hues` are those of the lines of one lane; `a` and `b` stand for the first and second take.
    `heat` goes from nothing to much.
    """

    paper: str
    panel: str
    ink: str
    soft: str
    rule: str
    hues: tuple[str, ...]
    a: str
    b: str
    warning: str
    heat: tuple[str, ...]


THEMES = {
    "dark": Theme(
        paper="#10141b",
        panel="#161b24",
        ink="#e6e9ef",
        soft="#97a1b3",
        rule="#2a3140",
        hues=("#5ab4e8", "#f0a33e", "#2fc29a", "#d98cb9"),
        a="#5ab4e8",
        b="#f0a33e",
        warning="#ff6f59",
        heat=("#161b24", "#1f3a5c", "#2d6ea3", "#5ab4e8", "#d9f0ff"),
    ),
    "light": Theme(
        paper="#fcfcfa",
        panel="#f3f4f3",
        ink="#1c2129",
        soft="#5d6675",
        rule="#d9dcdf",
        hues=("#0067a8", "#c45500", "#00825f", "#a8437c"),
        a="#0067a8",
        b="#c45500",
        warning="#c8102e",
        heat=("#f3f4f3", "#c3dbee", "#72aed6", "#2375b3", "#0a2f57"),
    ),
}
"""The themes by name."""
