"""Results of earlier evaluations, read again: one column for each network or rule."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.evaluation.measures import MEASURES
from models.evaluation.options import OFFLINE, RefusalError
from models.evaluation.results import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

LARGEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cell:
    """What was found, and whether the data that trained the maker flatter it."""

    value: float
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One maker; `cells` by measure and look-ahead, which is None where a maker does not wait."""

    name: str
    kind: str
    digest: str
    cells: dict[tuple[str, int | None], Cell] = field(default_factory=dict)

    def cell(self, key: str, lookahead_ms: int) -> Cell | None:
        """Return what was found of a measure at a look-ahead."""
        return self.cells.get((key, lookahead_ms), self.cells.get((key, None)))


def columns_of(paths: Sequence[Path]) -> list[Column]:
    """Read result files; findings on the same weights join, of several the last counts.

    Columns of one name and different weights are told apart by the digest of their weights.
    RefusalError names all files that are no results.
    """
    found: dict[tuple[str, str], Column] = {}
    problems: list[str] = []
    for path in paths:
        try:
            _join(found, _read(path))
        except RefusalError as error:
            problems += error.lines
    if problems:
        raise RefusalError(tuple(problems))
    shared = Counter(name for name, _ in found)
    return [
        one if shared[one.name] == 1 else Column(_apart(one), one.kind, one.digest, one.cells)
        for one in found.values()
    ]


def _apart(column: Column) -> str:
    return f"{column.name} {column.digest[:8]}"


def _join(found: dict[tuple[str, str], Column], columns: Iterable[Column]) -> None:
    for column in columns:
        known = found.setdefault((column.name, column.digest), column)
        known.cells.update(column.cells)


def _read(path: Path) -> list[Column]:
    try:
        if path.stat().st_size <= LARGEST_BYTES:
            document = json.loads(path.read_text("utf-8"))
            if document["format"] == FORMAT:
                return [_column(run) for run in sorted(document["runs"], key=_is_offline)]
        problem = f"not of format {FORMAT}, or larger than {LARGEST_BYTES} bytes"
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        problem = repr(error)
    raise RefusalError(
        (f"{path}: no results ({problem}); name what models.evaluation wrote with --json",)
    )


def _is_offline(run: Mapping[str, Any]) -> bool:
    """Sort what was streamed before what was not: of both, the latter is kept."""
    return bool(run["way"] == OFFLINE)


def _column(run: Mapping[str, Any]) -> Column:
    waits_ms = run["lookahead_ms"]
    cells = {
        (key, None if waits_ms is None else int(waits_ms)): Cell(
            float(one["value"]), bool(one["seen_in_training"])
        )
        for key, one in run["findings"].items()
        if key in MEASURES and one["value"] is not None
    }
    return Column(str(run["maker"]), str(run["kind"]), str(run["weights"]), cells)
