"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PARTIAL_SUFFIX = ".partial"
"""Ends the name of a file that is still being written; one that stays is of a killed program."""

PRIVATE_MODE = 0o600
"""Permissions of a file that only its user may read; Windows has the user's own by default."""

MAX_STEM_CHARACTERS = 150
"""Characters of a file's name in that of its partial file: file systems end at 255 bytes."""


@contextmanager
def atomic_write(path: Path, *, is_private: bool = False) -> Iterator[IO[bytes]]:
    """Open a file beside `path` for writing; at the end rename it to `path`, which then is whole.

    Replaces a file that is there. After an exception nothing changed and nothing is left. Only its
    user may read a private file. OSError where it cannot be written.
    """
    stem = path.name[:MAX_STEM_CHARACTERS]
    partial = path.with_name(f".{stem}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with open(partial, "xb", opener=_private_opener if is_private else None) as file:
            yield file
        os.replace(partial, path)  # noqa: PTH105 - the words of the contract
    finally:
        partial.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str, *, parents: bool = False) -> None:
    """Write a whole file, text as UTF-8; `parents` makes the folders above it. OSError."""
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_MODE)
