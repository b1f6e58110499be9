"""The results of an evaluation, their JSON form, and reading earlier results."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.evaluation.catalog import MEASURES
from cstalk_bridge.models.evaluation.request import OFFLINE, STREAMED, EvaluationRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cstalk_bridge.models.evaluation.measures import Measurement


FORMAT = "cstalk-evaluation-1"
SUITES_OF_VOICES = ("phones", "articulation", "visemes")
"""Suites whose measures begin with the name of a voice."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One predictor at one look-ahead, offline or streamed: a column of the table.

    `kind` is a name in `cstalk_bridge.models.baselines.NETWORKS`, or `rule`; `lookahead_ms` is None
    for a predictor without look-ahead; `sources` are the data that trained it; `weights` is the
    SHA-256 of its file, if it has one.
    """

    predictor: str
    kind: str
    way: str
    lookahead_ms: int | None
    sources: tuple[str, ...]
    findings: Mapping[str, Measurement] = field(default_factory=dict)
    weights: str = ""

    @property
    def title(self) -> str:
        """The heading of its column."""
        way = STREAMED if self.way == STREAMED else ""
        waits = "" if self.lookahead_ms is None else f"{self.lookahead_ms} ms"
        return " ".join(word for word in (self.predictor, waits, way) if word)

    def is_met(self, key: str) -> bool | None:
        """Return whether a measurement reaches its bar; None where either is missing."""
        bar = MEASURES[key].bar(self.lookahead_ms if self.lookahead_ms is not None else 10_000)
        return bar.is_met(self.findings[key].value) if bar and key in self.findings else None


@dataclass(frozen=True, slots=True)
class Results:
    """All columns; for each suite its title, or why it is `missing`, and its data source.

    A run that was trained on that source scores too well in the suite.
    """

    runs: tuple[EvaluationRun, ...]
    titles: Mapping[str, str]
    missing: Mapping[str, str]
    source_of: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        """The measures that were taken, in the order of the table."""
        return [key for key in MEASURES if any(key in run.findings for run in self.runs)]

    def is_seen(self, run: EvaluationRun, key: str) -> bool:
        """Return whether a run was trained on the data that a measure is taken on."""
        suite, _, name = key.partition(".")
        if suite in SUITES_OF_VOICES:
            voice = name.partition("_")[0]
            source = "grid_s1" if voice == "grid" else voice
            return source != "kokoro" and source in run.sources  # its test voices are held out
        if key.startswith("facegood.one"):
            return False
        return self.source_of[suite] in run.sources

    def document(self) -> dict[str, Any]:
        """Return the results for JSON; NaN becomes null."""
        return {
            "format": FORMAT,
            "suites": dict(self.titles),
            "missing": dict(self.missing),
            "runs": [
                {
                    "maker": run.predictor,
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
    """A value, and whether the predictor was trained on the data that it is taken on."""

    value: float
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One predictor; `cells` by measure and look-ahead, None for a predictor without look-ahead."""

    name: str
    kind: str
    digest: str
    cells: dict[tuple[str, int | None], Cell] = field(default_factory=dict)

    def cell(self, key: str, lookahead_ms: int) -> Cell | None:
        """Return the cell of a measure at a look-ahead; None where it was not taken."""
        return self.cells.get((key, lookahead_ms), self.cells.get((key, None)))


def read_columns(paths: Sequence[Path]) -> list[Column]:
    """Read result files and join those of the same weights; the last value of a measure counts.

    Where columns share a name but not their weights, the digest of the weights is added to it.
    EvaluationRequestError names all files that are not results.
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
        one
        if shared[one.name] == 1
        else Column(_name_with_digest(one), one.kind, one.digest, one.cells)
        for one in found.values()
    ]


def _name_with_digest(column: Column) -> str:
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
            f"{path}: not results ({problem}); name a file that cstalk_bridge.models.evaluation"
            " wrote with --json",
        )
    )


def _is_offline(run: Mapping[str, Any]) -> bool:
    """Return the sort key that puts streamed runs first: of both, the offline one is kept."""
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
