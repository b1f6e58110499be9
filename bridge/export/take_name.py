"""How the curves of a take are called, so that Unreal finds the subject in the name.

Unreal's Live Link Face importer makes characters that no asset may have into `_`, takes off `_cal`
and looks at the parts between the `_`. Up to three parts are the subject as they are; of more, it
takes off the first, then all up to the first that is a number, and what is left is the subject. So
`Scene_3_Ada_cal` is the subject `Scene_3_Ada`, and `Scene_take_3_Ada_cal` is `Ada`.
"""

from __future__ import annotations

import re
from typing import Final

CURVES_ENDING: Final = "_cal"
"""As the app names curves whose rest is at 0."""

MAX_SLATE_BYTES: Final = 100
"""Of a slate in UTF-8; what is longer is cut, for the subject behind it must stay whole."""

_NO_ASSET: Final = re.compile(r"[\"' ,/.:|&!~@#(){}\[\]=;^%$`*?<>\\\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


def take_stem(slate: str, number: int | None, subject: str) -> str:
    """Return `SLATE_take_NUMBER_SUBJECT`, with a slate in one part where it must be.

    Without a number the slate is kept as it is: `SLATE_SUBJECT` where it ends in a number itself,
    so that Unreal finds the subject, else `SLATE_take_1_SUBJECT`, whether it does or not.
    """
    kept = slate.encode("utf-8", "replace")[:MAX_SLATE_BYTES].decode("utf-8", "ignore")
    stem = f"{kept}_take_{1 if number is None else number}_{subject}"
    if is_found(subject, stem):
        return stem
    if number is not None:
        return f"{one_part(kept)}_take_{number}_{subject}"
    plain = f"{kept}_{subject}"
    return plain if is_found(subject, plain) else stem


def one_part(text: str) -> str:
    """Return the text without what Unreal would take for the end of a part."""
    return _NO_ASSET.sub("-", text).replace("_", "-")


def is_found(subject: str, stem: str) -> bool:
    """Whether Unreal finds that subject in the name of a file."""
    return subject_in(stem + CURVES_ENDING) == _NO_ASSET.sub("_", subject)


def subject_in(stem: str) -> str:
    """Return the subject which Unreal takes from the name of a file, without its suffix."""
    name = _NO_ASSET.sub("_", stem)
    for ending in (CURVES_ENDING, "_raw", "_neutral"):
        name = name.removesuffix(ending)
    parts = name.split("_")
    if len(parts) <= 3:
        return name
    left = parts[1:]
    while left:
        if _NUMBER.fullmatch(left.pop(0)):
            break
    return "_".join(left) or name
