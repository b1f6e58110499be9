"""Files of a data set, read within bounds."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

MAX_FILE_BYTES = 32 << 20
"""Size of one file, unpacked; the largest mesh of the data sets has 3.4 MB."""
MAX_DIGITS = 32
"""Characters of one number; the longest known one has 19."""
MAX_MEMBERS = 1000
"""Files of one archive; the known one has 67."""


def read_source(path: Path) -> bytes:
    """Return a file's content, that of a `.gz` unpacked. UserError: unreadable, or too large."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError) as error:
        raise UserError(Problem(str(path), f"cannot be read: {error}")) from None
    if len(content) > MAX_FILE_BYTES:
        raise UserError(Problem(str(path), f"larger than {MAX_FILE_BYTES >> 20} MB"))
    return content


def read_archive(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of an archive's files with a suffix. UserError as of `read_source`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(suffix)]
            if len(members) > MAX_MEMBERS:
                what = f"{len(members)} files in it, more than {MAX_MEMBERS}"
                raise UserError(Problem(str(path), what))
            for member in members:
                with archive.open(member) as file:
                    content = file.read(MAX_FILE_BYTES + 1)
                if len(content) > MAX_FILE_BYTES:
                    what = f"{member.filename[:80]} is larger than {MAX_FILE_BYTES >> 20} MB"
                    raise UserError(Problem(str(path), what))
                yield member.filename, content
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UserError(Problem(str(path), f"cannot be unpacked: {error}")) from None


def numbers(lines: Iterable[bytes], width: int) -> Doubles:
    """Return lines of numbers, float64 [lines, width].

    ValueError where a line has another count, or something that is no finite number.
    """
    words = [line.split() for line in lines]
    for each in words:
        if len(each) != width:
            raise ValueError(f"{len(each)} instead of {width} numbers in one line")
    if any(len(word) > MAX_DIGITS for each in words for word in each):
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    text: NDArray[Any] = np.array(words, dtype=f"S{MAX_DIGITS}")
    values = text.reshape(-1, width).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values


def damaged(where: str, error: ValueError) -> UserError:
    """Return what to say of a file whose content is not as it should be."""
    return UserError(Problem(where, f"cannot be read: {error}", "get it again"))
