"""Names which every file system takes."""

from __future__ import annotations

import re
from typing import Final

MAX_BYTES: Final = 180
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
    return name.encode("utf-8")[:MAX_BYTES].decode("utf-8", "ignore") or "_"
