"""Lists the available heads: the bundled one, one that was named, and those in the user's
folder.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import is_file, is_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


OWN_HEAD = Path(__file__).with_name("head.glb")
"""The head that comes with the program."""
OWN_ID = "own"
SUFFIXES = (".glb", ".vrm")
MAX_HEADS = 64
"""Heads which are listed; of more in the folder the first by name are taken."""
_APPLICATION = "cstalk-bridge"


@dataclass(frozen=True, slots=True)
class ListedHead:
    """A head to choose; `id` has letters, digits and `-` only, so that it fits a URL."""

    id: str
    name: str
    path: Path


def heads_folder(
    env: Mapping[str, str] | None = None, platform: str = sys.platform, home: Path | None = None
) -> Path:
    """Return the folder of the user's own heads, whether it is there or not.

    Below the data folder of the system: `%APPDATA%` on Windows, `~/Library/Application Support` on
    macOS, else `$XDG_DATA_HOME` or `~/.local/share`.
    """
    env = os.environ if env is None else env
    home = home or Path.home()
    if platform == "win32":
        data = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / _APPLICATION / "heads"


def list_heads(named: Path | None = None, folder: Path | None = None) -> tuple[ListedHead, ...]:
    """Return the heads to choose, the preferred first: the named one, the user's, our own.

    `folder` is that of the user's heads, by default `heads_folder()`. Nothing is opened:
    `cstalk_bridge.heads.reading.open_head` checks whether a file can be shown.
    """
    folder = heads_folder() if folder is None else folder
    paths = [named] if named else []
    if is_folder(folder):
        files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        paths += sorted(path for path in files if is_file(path))
    own = ListedHead(OWN_ID, "CSTalk", OWN_HEAD)
    return (*_listed(paths[: MAX_HEADS - 1]), own)


def chosen_head(named: Path | None) -> Path:
    """Return the file of a named head, by default of our own; UserError where there is none."""
    path = OWN_HEAD if named is None else named
    if not is_file(path):
        raise UserError(Problem(str(path), "no such head", "name a .glb or .vrm file"))
    return path


def _listed(paths: Iterable[Path]) -> list[ListedHead]:
    heads: dict[str, ListedHead] = {}
    for path in dict.fromkeys(paths):
        plain = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "head"
        free = (f"{plain}-{n}" if n > 1 else plain for n in range(1, MAX_HEADS + 2))
        unused = next(name for name in free if name not in heads and name != OWN_ID)
        heads[unused] = ListedHead(unused, path.stem, path)
    return list(heads.values())
