"""When two names that people gave are the same."""

from __future__ import annotations

import unicodedata


def name_key(name: str) -> str:
    """Return what two names share that look alike: trimmed, without case, in one form of Unicode.

    The form is NFKC, in which a full-width letter is a letter and `é` one character, whatever
    program wrote it (Unicode Standard Annex 15; caseless matching is definition D146 of the
    standard).
    """
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def shown(text: str) -> str:
    """Return a text, such as the name of a file, with `?` for what is no character of Unicode."""
    return text.encode("utf-8", "replace").decode("utf-8")
