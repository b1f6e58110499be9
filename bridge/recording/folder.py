"""Where a take lies on disk, under which names, and what `take.json` says of it.

    20250228_MySlate_24/              for its user alone, as all files in it
        take.json
        MySlate_take_24_CSTalk_cal.csv    curves of a subject
        MySlate_take_24_CSTalk.wav        its sound

While it is recorded the folder's name ends in `.recording`; it gets its own once all is written.
Until then it holds a file locked by the program that records, and one that keeps room on the disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Problem, UserError
from bridge.export.names import safe_name
from bridge.export.take_name import CURVES_ENDING, one_part, take_stem
from bridge.names import name_key
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

SUFFIX: Final = ".recording"
CURVES_SUFFIX: Final = CURVES_ENDING + ".csv"
SOUND_SUFFIX: Final = ".wav"
DOCUMENT: Final = "take.json"
PRIVATE_MODE: Final = 0o700
"""Permissions of a folder that only its user may enter; Windows has the user's own by default."""

MAX_PART_BYTES: Final = 80
"""Of slate and of subject in a name: with both, a number and an ending it stays below 255."""

MAX_REPEATS: Final = 1000
"""Takes of one slate and number on one day."""


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
        return f"{self.day}_{_short(self.slate).replace('_', '-')}_{self.number}{self._again}"

    def stem(self, subject: str) -> str:
        """Return the name of a subject's files without what they end in; Unreal finds it there."""
        slate = one_part(_short(self.slate) + self._again)
        return take_stem(slate, self.number, _short(subject))

    @property
    def _again(self) -> str:
        return f"-{self.repeat + 1}" if self.repeat else ""


def _short(text: str) -> str:
    whole = safe_name(text).encode("utf-8")
    return whole[:MAX_PART_BYTES].decode("utf-8", "ignore").rstrip(". ") or "-"


def stems(name: TakeName, subjects: Sequence[str]) -> list[str]:
    """Return the names of the files of each subject, no two alike, as `name_key` has them."""
    found: list[str] = []
    for subject in subjects:
        stem, again = name.stem(subject), 1
        while name_key(stem) in map(name_key, found):
            again += 1
            stem = f"{name.stem(subject)}-{again}"
        found.append(stem)
    return found


def claim(folder: Path, slate: str, number: int, began: datetime) -> tuple[TakeName, Path]:
    """Make a folder for a take that begins; return its name and the folder, which ends in `SUFFIX`.

    What is there under the name already stays; the name is then told apart by `-2`, `-3`, ...
    UserError where no folder can be made.
    """
    day = began.strftime("%Y%m%d")
    try:
        folder.mkdir(PRIVATE_MODE, parents=True, exist_ok=True)
        taken = {name_key(entry.name) for entry in folder.iterdir()}
        for repeat in range(MAX_REPEATS):
            name = TakeName(slate, number, day, repeat)
            path = folder / (name.identifier + SUFFIX)
            if not taken.isdisjoint(map(name_key, (name.identifier, path.name))):
                continue
            try:
                path.mkdir(PRIVATE_MODE)
            except FileExistsError:
                continue
            return name, path
    except OSError as error:
        what = f"takes cannot be recorded here: {error.strerror}"
        raise UserError(Problem(str(folder), what, "check the folder and its rights")) from None
    what = f"there are {MAX_REPEATS} takes {number} of slate {slate!r} of today"
    raise UserError(Problem(str(folder), what, "use another number or slate"))


def release(path: Path) -> Path:
    """Give the folder of a finished take its own name and return it. Raises OSError.

    Where that is taken by now, the folder gets the next that is free.
    """
    plain = path.name.removesuffix(SUFFIX)
    for repeat in range(MAX_REPEATS):
        target = path.with_name(f"{plain}-{repeat + 1}" if repeat else plain)
        if not target.exists():
            path.rename(target)
            return target
    raise FileExistsError(f"{path} finds no name that is free")


def write_document(folder: Path, document: dict[str, Any]) -> None:
    """Write `take.json`, as a whole or not at all; UserError where that cannot be done."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    with whole_file(folder / DOCUMENT, overwrite=True, is_private=True) as file:
        file.write(text.encode("utf-8", "replace") + b"\n")


def read_document(folder: Path) -> dict[str, Any]:
    """Read `take.json`; none, or one that is damaged, counts as empty. Raises OSError."""
    try:
        document = json.loads((folder / DOCUMENT).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
