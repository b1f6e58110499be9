"""Files and names of the user: atomic writes, questions about paths, equality of names."""

from __future__ import annotations

import os
import secrets
import unicodedata
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cstalk_bridge.errors import Problem, UserError

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


PARTIAL_SUFFIX = ".partial"
"""Ends the name of a file that is still being written; one that stays is of a killed program."""

PRIVATE_MODE = 0o600
"""Permissions of a file that only its user may read; Windows has the user's own by default."""


@contextmanager
def atomic_write(
    path: Path, *, overwrite: bool = False, is_private: bool = False
) -> Iterator[IO[bytes]]:
    """Open a file beside `path` for writing; at the end rename it to `path`, which then is whole.

    After an exception nothing is left. Only its user may read a private file. UserError where
    `path` is there already and `overwrite` is not set, or where it cannot be written.
    """
    if not overwrite and path.exists():
        remedy = "choose another name, or remove it"
        raise UserError(Problem(str(path), "is there already", remedy))
    partial = path.with_name(f".{path.name[:150]}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    opener = _private_opener if is_private else None
    try:
        try:
            with open(partial, "xb", opener=opener) as file:
                yield file
            os.replace(partial, path)  # noqa: PTH105 - the words of the contract
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise UserError(Problem(str(path), what, "check the folder and its free space")) from None


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_MODE)
