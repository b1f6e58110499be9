"""Rig map files: found by name or path, extended by one another, checked and compiled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.document import Document, examine, line_and_column, nearest, read_document
from bridge.errors import Problem, UserError
from bridge.paths import is_file
from bridge.rig.compile import compile_rules
from bridge.rig.rules import Rule, RuleSet, rest_rule
from bridge.rig.schema import RigMapSpec
from bridge.rig.tables import CUSTOM, TARGETS, load_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.rig.rigmap import RigMap

SHIPPED = Path(__file__).resolve().parents[2] / "rigmaps"
"""The folder of the maps which come with the program."""
MAX_EXTENDS = 8
"""Files which may stand behind one another."""


@dataclass(frozen=True, slots=True)
class _Layer:
    document: Document
    spec: RigMapSpec
    problems: list[Problem]


def shipped_names() -> list[str]:
    """Return the names of the maps which come with the program."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_rigmap(name_or_path: str | Path) -> RigMap:
    """Return the map of a shipped name (`metahuman`) or of a file (`my/hero.yaml`).

    Raises UserError with every problem of the file and of what it extends.
    """
    return replace(compile_rules(load_rules(name_or_path)), reference=str(name_or_path))


def load_rules(name_or_path: str | Path) -> RuleSet:
    """Return the merged rules of a map; as `load_rigmap`, but not compiled."""
    path = _locate(str(name_or_path), Path(), "")
    layers = _read_layers(path)
    targets = [layer.spec.target for layer in layers if layer.spec.target]
    target = targets[0] if targets else CUSTOM
    problems: list[Problem] = []
    for layer in layers:
        found = [*layer.problems, *_unknown_curves(layer.document, target)]
        problems += sorted(found, key=line_and_column)
    if not targets and not problems:
        where = layers[0].document.where()
        problems.append(Problem(where, "`target` is missing", "write what it is a map for"))
    if problems:
        raise UserError.of(problems)
    rules: dict[str, Rule] = {}
    for layer in reversed(layers):
        problems += _overlay(rules, layer)
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
    """Read a file and what it extends, the extending file first."""
    layers: list[_Layer] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        seen.append(following.resolve())
        document = read_document(following)
        spec, problems = examine(RigMapSpec, document)
        layers.append(_Layer(document, spec or _what_is_readable(document), problems))
        parent = layers[-1].spec.extends
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


def _what_is_readable(document: Document) -> RigMapSpec:
    """Return target and parent of a file with problems, so that the search for problems goes on."""
    data = document.data if isinstance(document.data, dict) else {}
    kept = {key: data[key] for key in ("target", "extends") if isinstance(data.get(key), str)}
    if kept.get("target") not in {*TARGETS, CUSTOM}:
        kept.pop("target", None)
    return RigMapSpec.model_validate(kept)


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


def _overlay(rules: dict[str, Rule], layer: _Layer) -> Iterator[Problem]:
    """Lay one file over the rules of what it extends."""
    for name, spec in layer.spec.curves.items():
        path = ("curves", name)
        where = layer.document.where_key(path)
        if spec is None:
            if rules.pop(name, None) is None:
                yield Problem(where, f"`{name}` is null but not inherited", "leave it out")
            continue
        places = {
            key: layer.document.where((*path, "from" if key == "sources" else key))
            for key in spec.model_fields_set
        }
        if name in rules:
            rules[name] = rules[name].overlaid(spec, where, places)
        elif not spec.sources and "offset" not in spec.model_fields_set:
            yield Problem(where, f"`{name}` comes from nothing", "give it `from` or `offset`")
        else:
            rules[name] = Rule(name, spec, where, places)


def _in_wire_order(rules: dict[str, Rule], target: str, where: str) -> dict[str, Rule]:
    table = load_table(target)
    if not table.curves:
        return rules
    return {
        curve.name: rules.get(curve.name) or rest_rule(curve.name, where, curve.rest)
        for curve in table.curves
        if table.complete or curve.rest or curve.name in rules
    }
