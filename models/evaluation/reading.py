"""Files that others made: what cannot be read is said with its path and the remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import soundfile

from models.evaluation.recordings import MissingDataError
from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@contextmanager
def reading(path: Path, remedy: str = "fetch it again") -> Iterator[None]:
    """Turn what goes wrong while a file is read into a MissingDataError that names it."""
    try:
        yield
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise MissingDataError(f"{path} cannot be read ({error!r}); {remedy}") from error


@contextmanager
def archive_of(path: Path) -> Iterator[Any]:
    """Open an archive of arrays; MissingDataError for what goes wrong meanwhile."""
    with reading(path), path.open("rb") as file, np.load(file) as archive:
        yield archive


def sound_of(path: Path) -> NDArray[np.float32]:
    """Read mono 16 kHz sound, [time], -1..1; MissingDataError for any other."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise MissingDataError(f"{path} cannot be read ({error}); fetch it again") from error
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1 or not len(samples):
        told = f"{len(samples)} samples at {rate_hz} Hz, {samples.ndim}-dimensional"
        wanted = f"the data set's are mono at {SAMPLE_RATE_HZ} Hz, and not empty"
        raise MissingDataError(f"{path} holds {told}; {wanted}: fetch it again")
    return np.asarray(samples, dtype=np.float32)
