"""Object stores, by URL: what lies there, and how it is fetched.

Stores are those of fsspec: `s3://` needs the package s3fs, `gs://` gcsfs. Their credentials are
found as those packages find them.
"""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<path>.*)", re.DOTALL)
"""Two letters or more before the colon: one is a drive of Windows."""

MAX_OBJECT_BYTES: Final = 8 << 30
"""Of one object: four hours at 48 kHz in stereo and 24 bits are half of it."""

_STATES: Final = (
    "ETag",
    "etag",
    "md5Hash",
    "crc32c",
    "mtime",
    "LastModified",
    "updated",
    "created",
)
"""What the listings of stores call something that changes with an object, the best first."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object: its URL, its place below what was listed, its size and a text of its state."""

    url: str
    below: PurePosixPath
    size: int
    state: str


def is_url(argument: str) -> bool:
    """Whether an argument names something in a store, not a path of this machine."""
    return URL.fullmatch(argument) is not None


def list_remote(url: str) -> list[RemoteFile]:
    """Return the objects that a URL names, sorted: one, all below a folder, or all of a pattern.

    UserError where nothing is there, or the store cannot be reached or read.
    """
    filesystem, path = _open_store(url)
    try:
        base, infos = _listing(filesystem, path)
    except Exception as error:  # noqa: BLE001 - every store has its own
        what = f"cannot be listed: {_message(error)}"
        raise UserError(Problem(url, what, "check the URL and your credentials")) from None
    files = [
        RemoteFile(
            filesystem.unstrip_protocol(name),
            PurePosixPath(name).relative_to(base),
            int(info.get("size") or 0),
            next((str(info[key]) for key in _STATES if info.get(key)), ""),
        )
        for name, info in sorted(infos.items())
        if info.get("type") == "file" and not name.endswith("/")
    ]
    if not files:
        raise UserError(Problem(url, "nothing is there", "check the URL"))
    return files


def fetch_remote(url: str, path: Path) -> None:
    """Write an object to a file. UserError where that fails."""
    filesystem, name = _open_store(url)
    try:
        filesystem.get_file(name, str(path))
    except Exception as error:  # noqa: BLE001 - every store has its own
        what = f"cannot be fetched: {_message(error)}"
        raise UserError(Problem(url, what, "run the same command again")) from None


def _listing(filesystem: Any, path: str) -> tuple[str, Mapping[str, Any]]:
    """Return the folder below which outputs keep their places, and what the store says of each."""
    if glob.has_magic(path):
        parts = PurePosixPath(path).parts
        fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        return str(PurePosixPath(*parts[:fixed])), filesystem.glob(path, detail=True)
    if filesystem.isdir(path):
        return path, filesystem.find(path, detail=True)
    # Its sidecars have its name, but for the ending.
    stem = str(PurePosixPath(path).with_suffix(""))
    beside = filesystem.glob(f"{glob.escape(stem)}.*", detail=True)
    return str(PurePosixPath(path).parent), {path: filesystem.info(path), **beside}


def _open_store(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path in it."""
    import fsspec

    try:
        filesystem, path = fsspec.url_to_fs(url)
    except ImportError as error:
        remedy = "install it: s3fs for s3://, gcsfs for gs://"
        raise UserError(Problem(url, f"a package is missing: {error}", remedy)) from None
    except (ValueError, OSError) as error:
        raise UserError(Problem(url, f"cannot be opened: {_message(error)}")) from None
    return filesystem, str(path)


def _message(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
