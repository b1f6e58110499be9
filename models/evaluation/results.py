"""What an evaluation found, and the same as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.evaluation.measures import MEASURES
from models.evaluation.options import STREAMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.evaluation.measures import Finding

FORMAT = "cstalk-evaluation-1"
SUITES_OF_VOICES = ("phones", "articulation", "visemes")
"""Suites whose measures begin with the voice that they are taken on."""


@dataclass(frozen=True, slots=True)
class Run:
    """One maker at one look-ahead, one way: a column of the table.

    `kind` is a name in `models.baselines.NETWORKS`, or `rule`; `lookahead_ms` is None for a maker
    that does not wait; `sources` are the data that trained it; `weights` is the SHA-256 of its
    file, if it has one.
    """

    maker: str
    kind: str
    way: str
    lookahead_ms: int | None
    sources: tuple[str, ...]
    findings: Mapping[str, Finding] = field(default_factory=dict)
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

    runs: tuple[Run, ...]
    titles: Mapping[str, str]
    missing: Mapping[str, str]
    source_of: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        """The measures of which anything was found, in the order of their table."""
        return [key for key in MEASURES if any(key in run.findings for run in self.runs)]

    def is_seen(self, run: Run, key: str) -> bool:
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

    def _found(self, run: Run, found: Finding) -> dict[str, Any]:
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
