"""Rig maps that the page can choose, and the curves which they make of takes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.requests import NOT_FOUND, http_error, problems_list
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import SHIPPED, load_rigmap, shipped_names
from cstalk_bridge.system.files import is_file, printable
from cstalk_bridge.takes.take import curve_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.take import Take


MAX_FILES = 64
"""Rig maps of the user that are looked at."""

UNITS = 10_000
"""Steps of one in the curves which a page gets: they go from -3.2767 to 3.2767."""

MAX_HELD_BYTES = 1 << 27
"""Size of all curves that are held: an hour of a MetaHuman's 251."""


class RigMaps:
    """The shipped rig maps and those of `folders`, read when they are first needed.

    A file is read again after it changed. One that is no rig map is left out; the problems of a
    faulty one are listed.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._paths = dict(_named(folders))
        self._read: dict[str, tuple[tuple[int, int], RigMap]] = {}
        self._lock = threading.Lock()

    def listed(self) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Return all maps with their curves, and the problems of those that cannot be read."""
        maps, problems = [], []
        for name in self._paths:
            try:
                maps.append(_described(self.get(name), name))
            except UserError as error:
                problems += problems_list(error.problems)
            except Exception as error:  # noqa: BLE001 - one file must not take the page down
                what = f"an internal error: {type(error).__name__}: {error}"
                problems += problems_list((Problem(name, what),))
        return maps, problems

    def get(self, name: str) -> RigMap:
        """Return a map of `listed`. UserError with its problems; HttpError for another name."""
        path = self._paths.get(name)
        if path is None:
            remedy = f"choose one of {', '.join(self._paths)}"
            raise http_error(NOT_FOUND, "rigmap", f"there is no {name[:80]!r}", remedy)
        with self._lock:
            try:
                status = path.stat()
                state = (status.st_mtime_ns, status.st_size)
            except OSError:
                state = (0, 0)
            known = self._read.get(name)
            if known is None or known[0] != state:
                known = self._read[name] = (state, load_rigmap(path))
            return known[1]


class CurveStore:
    """Curves of takes, as pages get them, within `MAX_HELD_BYTES`; the least recently used go."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int], tuple[Take, RigMap, list[bytes]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def blocks(self, take: Take, rigmap: RigMap) -> Iterator[bytes]:
        """Yield int16 little-endian [rows, curves] in `UNITS`, block after block."""
        key = (id(take), id(rigmap))
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
        if held is not None:
            yield from held[2]
            return
        if 2 * take.rows * len(rigmap.outputs) > MAX_HELD_BYTES:
            yield from _packed(take, rigmap)
            return
        blocks = list(_packed(take, rigmap))
        self._hold(key, (take, rigmap, blocks))
        yield from blocks

    def _hold(self, key: tuple[int, int], curves: tuple[Take, RigMap, list[bytes]]) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = curves
            self._bytes += _size(curves[2])
            while self._bytes > MAX_HELD_BYTES:
                _, (_, _, blocks) = self._held.popitem(last=False)
                self._bytes -= _size(blocks)


def _packed(take: Take, rigmap: RigMap) -> Iterator[bytes]:
    for block in curve_blocks(take, rigmap):
        units = np.clip(np.round(block * UNITS), -32767, 32767)
        yield units.astype("<i2").tobytes()


def _size(blocks: list[bytes]) -> int:
    return sum(map(len, blocks))


def _named(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the shipped maps by name, then files that look like maps, by name or path."""
    names = set(shipped_names())
    yield from ((name, SHIPPED / f"{name}.yaml") for name in sorted(names))
    found = (path for folder in folders for path in sorted(folder.glob("*.yaml")))
    own = (path for path in found if _looks_like_map(path) and path.resolve().parent != SHIPPED)
    for path, _ in zip(own, range(MAX_FILES), strict=False):
        name = printable(path.stem)
        name = name if name not in names else printable(str(path))
        names.add(name)
        yield name, path


def _looks_like_map(path: Path) -> bool:
    """Whether it is a file in which a key of a rig map begins a line."""
    try:
        if not is_file(path):
            return False
        with path.open(encoding="utf-8", errors="replace") as file:
            begin = file.read(1 << 16)
    except OSError:
        return False
    return any(line.startswith(("curves:", "extends:")) for line in begin.splitlines())


def _described(rigmap: RigMap, name: str) -> dict[str, Any]:
    table = load_table(rigmap.target).by_name
    curves = []
    for output in rigmap.outputs:
        curve = table.get(output)
        region, side = (curve.region, curve.side) if curve else ("other", "C")
        curves.append({"name": printable(output), "region": region, "side": side})
    return {"name": name, "target": rigmap.target, "curves": curves}
