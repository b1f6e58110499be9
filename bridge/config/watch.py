"""Watches files for changes by looking at them now and then.

Unlike the notifications of a system, that also works on network drives, in containers, and for
editors that replace a file by renaming another. A file that is still being written is left alone
until it stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    FileMarks = Mapping[Path, "FileMark | None"]


POLL_S = 0.5
"""Time between two looks."""

MISSING_LOOKS = 6
"""Looks at which a file may be missing: three seconds, in which no editor lets one be."""


class FileMark(NamedTuple):
    """What changes when a file is written or replaced."""

    modified_ns: int
    size: int
    identity: tuple[int, int]


def mark_of(path: Path) -> FileMark | None:
    """Return the mark of a file, None where there is none that can be read."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return FileMark(stat.st_mtime_ns, stat.st_size, (stat.st_dev, stat.st_ino))


class FileWatch:
    """Tells when files have changed and are at rest again; `look` at them every `POLL_S`.

    `known` are marks from when files were read.

    A file that is gone counts as changed once it is missing for `MISSING_LOOKS`.
    """

    def __init__(self, paths: Iterable[Path], known: FileMarks | None = None) -> None:
        self._known = {path: mark_of(path) for path in paths} | dict(known or {})
        self._seen = dict(self._known)
        self._missing = dict.fromkeys(self._known, 0)

    @property
    def paths(self) -> frozenset[Path]:
        """The files that are watched."""
        return frozenset(self._known)

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these files from now on, those that were watched already as before."""
        wanted = set(paths)
        for path in self._known.keys() - wanted:
            del self._known[path], self._seen[path], self._missing[path]
        for path in wanted - self._known.keys():
            self._known[path] = self._seen[path] = mark_of(path)
            self._missing[path] = 0

    def look(self) -> frozenset[Path]:
        """Return the files that have changed since they were last returned, if all are at rest."""
        before, self._seen = self._seen, {path: mark_of(path) for path in self._known}
        if before != self._seen:
            return frozenset()
        changed = frozenset(filter(self._is_changed, self._known))
        for path in changed:
            self._known[path] = self._seen[path]
        return changed

    def _is_changed(self, path: Path) -> bool:
        mark = self._seen[path]
        self._missing[path] = self._missing[path] + 1 if mark is None else 0
        if mark == self._known[path]:
            return False
        return mark is not None or self._missing[path] >= MISSING_LOOKS
