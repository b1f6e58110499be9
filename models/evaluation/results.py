"""What an evaluation found, the same as JSON, and results of earlier evaluations read again."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.evaluation.measures import MEASURES
from cstalk_bridge.models.evaluation.request import OFFLINE, STREAMED, EvaluationRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cstalk_bridge.models.evaluation.measures import Measurement


FORMAT = "cstalk-evaluation-1"
SUITES_OF_VOICES = ("phones", "articulation", "visemes")
"""Suites whose measures begin with the voice that they are taken on."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One maker at one look-ahead, one way: a column of the table.

    `kind` is a name in `cstalk_bridge.models.baselines.NETWORKS`, or `rule`; `lookahead_ms` is None
    for a maker that does not wait; `sources` are the data that trained it; `weights` is the SHA-256
    of its file, if it has one.
    """

    maker: str
    kind: str
    way: str
    lookahead_ms: int | None
    sources: tuple[str, ...]
    findings: Mapping[str, Measurement] = field(default_factory=dict)
    weights: str = ""

    @property
    def title(self) -> str:
        """The head of its column."""
        way = STREAMED if self.way == STREAMED else ""
        waits = "" if self.lookahead_ms is None else f"{self.lookahead_ms} ms"
        return " ".join(word for word in (self.maker, waits, way) if word)

    def is_met(self, key: str) -> bool | None:
        """Say whether a finding reaches its bar; None where there is no bar or no finding."""
        bar = MEASURES[key].bar(self.lookahead_ms if self.lookahead_ms is not None else 10_000)
        return bar.is_met(self.findings[key].value) if bar and key in self.findings else None


@dataclass(frozen=True, slots=True)
class Results:
    """All columns; by suite its title, or why it is `missing`, and the source it measures on.

    A run whose training data hold that source has seen the suite: its figures flatter it.
    """

    runs: tuple[EvaluationRun, ...]
    titles: Mapping[str, str]
    missing: Mapping[str, str]
    source_of: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        """The measures of which anything was found, in the order of their table."""
        return [key for key in MEASURES if any(key in run.findings for run in self.runs)]

    def is_seen(self, run: EvaluationRun, key: str) -> bool:
        """Say whether a run's training data hold what the measure is taken on."""
        suite, _, name = key.partition(".")
        if suite in SUITES_OF_VOICES:
            voice = name.partition("_")[0]
            source = "grid_s1" if voice == "grid" else voice
            return source != "kokoro" and source in run.sources  # those voices are held out
        if key.startswith("facegood.one"):
            return False
        return self.source_of[suite] in run.sources

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON; what is no number becomes null."""
        return {
            "format": FORMAT,
            "suites": dict(self.titles),
            "missing": dict(self.missing),
            "runs": [
                {
                    "maker": run.maker,
                    "kind": run.kind,
                    "weights": run.weights,
                    "way": run.way,
                    "lookahead_ms": run.lookahead_ms,
                    "trained_on": list(run.sources),
                    "findings": {
                        key: self._found(run, found) for key, found in run.findings.items()
                    },
                }
                for run in self.runs
            ],
        }

    def _found(self, run: EvaluationRun, found: Measurement) -> dict[str, Any]:
        measure = MEASURES[found.key]
        return {
            "label": measure.label,
            "unit": measure.unit,
            "value": found.value if math.isfinite(found.value) else None,
            "count": found.count,
            "bars": [
                {"at_least": bar.at_least, "at_most": bar.at_most, "from_ms": bar.from_ms}
                for bar in measure.bars
            ],
            "met": run.is_met(found.key),
            "seen_in_training": self.is_seen(run, found.key),
        }


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


def read_columns(paths: Sequence[Path]) -> list[Column]:
    """Read result files; findings on the same weights join, of several the last counts.

    Columns of one name and different weights are told apart by the digest of their weights.
    RefusalError names all files that are no results.
    """
    found: dict[tuple[str, str], Column] = {}
    problems: list[str] = []
    for path in paths:
        try:
            _join(found, _read(path))
        except EvaluationRequestError as error:
            problems += error.lines
    if problems:
        raise EvaluationRequestError(tuple(problems))
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
    raise EvaluationRequestError(
        (
            f"{path}: no results ({problem}); name what cstalk_bridge.models.evaluation "
            "wrote with --json",
        )
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
