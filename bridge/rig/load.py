"""Loads rig map files by name or path: merges, checks, compiles and describes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cstalk_bridge.document import Document, examine, line_and_column, nearest, read_document
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig.compile import compile_rules, limits_of
from cstalk_bridge.rig.curves import CUSTOM, TARGETS, load_table
from cstalk_bridge.rig.schema import RigMapConfig, Rule, RuleSet, rest_rule
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cstalk_bridge.rig.rigmap import RigMap


_PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = next(p / "rigmaps" for p in (_PACKAGE, _PACKAGE.parent) if (p / "rigmaps").is_dir())
"""The folder of the shipped maps."""
MAX_EXTENDS = 8
"""Longest chain of files that extend one another."""


@dataclass(frozen=True, slots=True)
class _Layer:
    document: Document
    config: RigMapConfig
    problems: list[Problem]


def shipped_names() -> list[str]:
    """Return the names of the shipped maps."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_rigmap(name_or_path: str | Path) -> RigMap:
    """Return the compiled map of a shipped name (`metahuman`) or a path (`my/hero.yaml`).

    Raises UserError with every problem of the file and those that it extends.
    """
    return replace(compile_rules(load_rules(name_or_path)), reference=str(name_or_path))


def load_rules(name_or_path: str | Path) -> RuleSet:
    """Return the merged rules of a map, not compiled; UserError as `load_rigmap`."""
    path = _locate(str(name_or_path), Path(), "")
    layers = _read_layers(path)
    targets = [layer.config.target for layer in layers if layer.config.target]
    target = targets[0] if targets else CUSTOM
    problems: list[Problem] = []
    for layer in layers:
        found = [*layer.problems, *_unknown_curves(layer.document, target)]
        problems += sorted(found, key=line_and_column)
    if not targets and not problems:
        where = layers[0].document.where()
        problems.append(Problem(where, "`target` is missing", "name the target of the map"))
    if problems:
        raise UserError.of(problems)
    rules: dict[str, Rule] = {}
    for layer in reversed(layers):
        problems += _extend_rules(rules, layer)
    if problems:
        raise UserError.of(problems)
    where = layers[0].document.where_key(("target",))
    return RuleSet(path.stem, where, target, _in_wire_order(rules, target, where))


def _locate(name: str, folder: Path, where: str) -> Path:
    """Return the file of a shipped name, or of a path relative to `folder`."""
    if name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        path = folder / name
        if not is_file(path):
            place, what = (where, f"no such file: {path}") if where else (name, "no such file")
            raise UserError(Problem(place, what, "check the path"))
        return path
    path = SHIPPED / f"{name}.yaml"
    if not is_file(path):
        remedy = f"{nearest(name, shipped_names())} (a file of your own ends in .yaml)"
        raise UserError(Problem(where, f"no rig map is called `{name}`", remedy))
    return path


def _read_layers(path: Path) -> list[_Layer]:
    """Read a file and those that it extends, the extending file first."""
    layers: list[_Layer] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        seen.append(following.resolve())
        document = read_document(following)
        config, problems = examine(RigMapConfig, document)
        layers.append(_Layer(document, config or _readable_part(document), problems))
        parent = layers[-1].config.extends
        if parent is None:
            break
        where = document.where(("extends",))
        following = _locate(parent, following.parent, where)
        if following.resolve() in seen:
            problems.append(Problem(where, f"`{parent}` extends itself", "break the circle"))
            break
        if len(seen) == MAX_EXTENDS:
            what = f"more than {MAX_EXTENDS} files extend one another"
            problems.append(Problem(where, what, "merge some of them"))
            break
    return layers


def _readable_part(document: Document) -> RigMapConfig:
    """Return target and parent of a file with problems, so that its parents are checked too."""
    data = document.data if isinstance(document.data, dict) else {}
    kept = {key: data[key] for key in ("target", "extends") if isinstance(data.get(key), str)}
    if kept.get("target") not in {*TARGETS, CUSTOM}:
        kept.pop("target", None)
    return RigMapConfig.model_validate(kept)


def _unknown_curves(document: Document, target: str) -> Iterator[Problem]:
    table = load_table(target)
    curves = document.data.get("curves") if isinstance(document.data, dict) else None
    if not table.curves or not isinstance(curves, dict):
        return
    for name in curves:
        if name not in table.by_name:
            what = f"{target} has no curve `{name}`"
            where = document.where_key(("curves", name))
            yield Problem(where, what, nearest(name, table.by_name))


def _extend_rules(rules: dict[str, Rule], layer: _Layer) -> Iterator[Problem]:
    """Merge one file into the rules that it extends; yield its problems."""
    for name, config in layer.config.curves.items():
        path = ("curves", name)
        where = layer.document.where_key(path)
        if config is None:
            if rules.pop(name, None) is None:
                yield Problem(where, f"`{name}` is null but not inherited", "remove it")
            continue
        locations = {
            key: layer.document.where((*path, "from" if key == "sources" else key))
            for key in config.model_fields_set
        }
        if name in rules:
            rules[name] = rules[name].extended_by(config, where, locations)
        elif not config.sources and "offset" not in config.model_fields_set:
            yield Problem(where, f"`{name}` has no source", "add `from` or `offset`")
        else:
            rules[name] = Rule(name, config, where, locations)


def _in_wire_order(rules: dict[str, Rule], target: str, where: str) -> dict[str, Rule]:
    table = load_table(target)
    if not table.curves:
        return rules
    return {
        curve.name: rules.get(curve.name) or rest_rule(curve.name, where, curve.rest)
        for curve in table.curves
        if table.complete or curve.rest or curve.name in rules
    }


class RigMapFindings(NamedTuple):
    """Problems and warnings of some maps."""

    problems: list[Problem]
    warnings: list[Problem]


def check_files(names_or_paths: Iterable[str | Path]) -> RigMapFindings:
    """Return the problems and warnings of all maps."""
    findings = RigMapFindings([], [])
    for name in names_or_paths:
        try:
            findings.warnings.extend(load_rigmap(name).warnings)
        except UserError as error:
            findings.problems.extend(error.problems)
    return findings


def describe_rigmap(rigmap: RigMap) -> str:
    """Return a plain-text table of all curves, in the order in which they are sent."""
    head = ("#", "curve", "range", "gain", "made from")
    rows = [
        (str(place), rule.name, _range(rigmap, rule), f"{rule.config.gain:g}", _recipe(rule))
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
    config = rule.config
    parts = [
        name if weight == 1 else f"{weight:g} {name}" for name, weight in config.sources.items()
    ]
    text = " + ".join(parts).replace("+ -", "- ") or "nothing"
    if config.response:
        points = " ".join(f"{left:g}>{right:g}" for left, right in config.response)
        text += f"  through {points}"
    if config.offset:
        text += f"  offset {config.offset:g}"
    if config.smooth:
        text += f"  smooth {config.smooth.min_cutoff_hz:g} Hz, beta {config.smooth.beta:g}"
    if config.times:
        text += f"  times {config.times}"
    return text
