"""What `rigmap check` and `rigmap show` say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import Problem, UserError
from bridge.rig.compile import limits_of
from bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bridge.rig.rigmap import RigMap
    from bridge.rig.rules import Rule


class Findings(NamedTuple):
    """What is wrong with some maps, and what is only unusual."""

    problems: list[Problem]
    warnings: list[Problem]


def check_files(names_or_paths: Iterable[str | Path]) -> Findings:
    """Load each map; return the problems and warnings of all of them."""
    findings = Findings([], [])
    for name in names_or_paths:
        try:
            findings.warnings.extend(load_rigmap(name).warnings)
        except UserError as error:
            findings.problems.extend(error.problems)
    return findings


def show(rigmap: RigMap) -> str:
    """Return a table of all curves in the order in which they are sent, as plain text."""
    head = ("#", "curve", "range", "gain", "made from")
    rows = [
        (str(place), rule.name, _range(rigmap, rule), f"{rule.spec.gain:g}", _recipe(rule))
        for place, rule in enumerate(rigmap.ruleset.rules.values())
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in [head, *rows]
    ]
    title = f"{rigmap.name}: {len(rows)} curves for {rigmap.target}"
    return "\n".join([title, "", *lines])


def _range(rigmap: RigMap, rule: Rule) -> str:
    low, high = limits_of(rigmap.ruleset, rule)
    return f"{low:g}..{high:g}"


def _recipe(rule: Rule) -> str:
    spec = rule.spec
    parts = [name if weight == 1 else f"{weight:g} {name}" for name, weight in spec.sources.items()]
    text = " + ".join(parts).replace("+ -", "- ") or "nothing"
    if spec.response:
        points = " ".join(f"{left:g}>{right:g}" for left, right in spec.response)
        text += f"  through {points}"
    if spec.offset:
        text += f"  offset {spec.offset:g}"
    if spec.smooth:
        text += f"  smooth {spec.smooth.min_cutoff_hz:g} Hz, beta {spec.smooth.beta:g}"
    if spec.times:
        text += f"  times {spec.times}"
    return text
