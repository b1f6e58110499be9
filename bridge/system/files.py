"""Files and names of the user: atomic writes, questions about paths, equality of names."""

from __future__ import annotations

import unicodedata
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cstalk_bridge.models import files
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def name_key(name: str) -> str:
    """Return what two names share that look alike: trimmed, without case, in one form of Unicode.

    The form is NFKC, in which a full-width letter is a letter and `é` one character, whatever
    program wrote it (Unicode Standard Annex 15; caseless matching is definition D146 of the
    standard).
    """
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def printable(text: str) -> str:
    """Return a text, such as the name of a file, with `?` for what is no character of Unicode."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_file(path: Path) -> bool:
    """Whether there is a plain file; a name that no file can have is that of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder, likewise."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Whether there is anything, likewise."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


@contextmanager
def atomic_write(
    path: Path, *, overwrite: bool = False, is_private: bool = False
) -> Iterator[IO[bytes]]:
    """Open a file for writing that becomes `path` when it is whole, as `write_file` does it.

    UserError where `path` already exists and `overwrite` is not set, or where it cannot be
    written.
    """
    if not overwrite and path.exists():
        remedy = "choose another name, or remove it"
        raise UserError(Problem(str(path), "already exists", remedy))
    try:
        with files.atomic_write(path, is_private=is_private) as file:
            yield file
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise UserError(Problem(str(path), what, "check the folder and its free space")) from None
