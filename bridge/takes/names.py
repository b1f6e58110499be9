"""File names of takes: safe on every system, and such that Unreal finds the subject in them.

Unreal's Live Link Face importer makes characters that no asset may have into `_`, takes off `_cal`
and looks at the parts between the `_`. Up to three parts are the subject as they are; of more, it
takes off the first, then all up to the first that is a number, and what is left is the subject. So
`Scene_3_Ada_cal` is the subject `Scene_3_Ada`, and `Scene_take_3_Ada_cal` is `Ada`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_NAME_BYTES: Final = 180
"""Of one name in UTF-8; file systems take 255, and suffixes come behind."""

_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
"""Devices of Windows, with whatever ending."""


def safe_name(text: str) -> str:
    """Return `text` as a name of a file on Linux, Windows and macOS, never empty.

    A character that is forbidden somewhere becomes `_`; so do spaces and dots at the end, dots at
    the beginning, and surrogates; a device of Windows gets a `_` before it, and what is too long
    is cut. A name which is safe stays as it is.
    """
    name = _FORBIDDEN.sub("_", text.encode("utf-8", "replace").decode("utf-8"))
    name = re.sub(r"^[. ]+|[. ]+$", lambda found: "_" * len(found[0]), name)
    if _RESERVED.match(name):
        name = f"_{name}"
    return name.encode("utf-8")[:MAX_NAME_BYTES].decode("utf-8", "ignore") or "_"


CURVES_ENDING: Final = "_cal"
"""As the app names curves whose rest is at 0."""

MAX_SLATE_BYTES: Final = 100
"""Of a slate in UTF-8; a longer one is cut, because the subject behind it must stay whole."""

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
    """Return the text without characters that Unreal takes for the end of a part."""
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


CURVES_SUFFIX: Final = CURVES_ENDING + ".csv"
SOUND_SUFFIX: Final = ".wav"


MAX_PART_BYTES: Final = 80
"""Of slate and of subject in a name: with both, a number and an ending it stays below 255."""


@dataclass(frozen=True, slots=True)
class TakeName:
    """Slate and number of a take, its day, and how many of the same name there were before."""

    slate: str
    number: int
    day: str
    repeat: int = 0

    @property
    def identifier(self) -> str:
        """The folder's name."""
        return f"{self.day}_{_shortened(self.slate).replace('_', '-')}_{self.number}{self._again}"

    def stem(self, subject: str) -> str:
        """Return the name of a subject's files without what they end in; Unreal finds it there."""
        slate = one_part(_shortened(self.slate) + self._again)
        return take_stem(slate, self.number, _shortened(subject))

    @property
    def _again(self) -> str:
        return f"-{self.repeat + 1}" if self.repeat else ""


def _shortened(text: str) -> str:
    whole = safe_name(text).encode("utf-8")
    return whole[:MAX_PART_BYTES].decode("utf-8", "ignore").rstrip(". ") or "-"


def subject_stems(name: TakeName, subjects: Sequence[str]) -> list[str]:
    """Return the names of the files of each subject, no two alike, as `name_key` has them."""
    found: list[str] = []
    for subject in subjects:
        stem, again = name.stem(subject), 1
        while name_key(stem) in map(name_key, found):
            again += 1
            stem = f"{name.stem(subject)}-{again}"
        found.append(stem)
    return found
