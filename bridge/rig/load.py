"""Loads rig map files by name or path: merges, checks, compiles and describes them.

All errors are reported together, swapped sides of the face among them. Sides that are treated
differently give warnings.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cstalk_bridge.document import Document, examine, line_and_column, nearest, read_document
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig.curves import (
    AXES,
    CUSTOM,
    TARGETS,
    Sources,
    is_source,
    load_table,
    parse_source,
)
from cstalk_bridge.rig.rigmap import OneEuro, Responses, RigMap
from cstalk_bridge.rig.schema import CurveConfig, RigMapConfig, Rule, RuleSet, rest_rule
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.rig.curves import Curve


_OTHER = {"L": "R", "R": "L"}


def swapped_sides(ruleset: RuleSet) -> Iterator[Problem]:
    """Yield a problem for each curve whose sources are on the other side, as are its partner's."""
    for curve, rule in _paired(ruleset):
        partner = ruleset.rules.get(curve.mirror)
        if curve.side not in _OTHER or partner is None:
            continue
        other = _OTHER[curve.side]
        if _sides(rule) == {other} and _sides(partner) == {curve.side}:
            what = f"`{rule.name}` takes its sources from the {_side_name(other)} side of the face"
            remedy = f"swap its sources with those of `{partner.name}`"
            yield Problem(rule.where_key("sources"), what, remedy)


def side_warnings(ruleset: RuleSet) -> Iterator[Problem]:
    """Yield a warning for each curve that is not the mirror image of its partner."""
    seen: set[str] = set()
    for curve, rule in _paired(ruleset):
        if curve.name in seen:
            continue
        seen |= {curve.name, curve.mirror}
        partner = ruleset.rules.get(curve.mirror)
        if partner is None:
            what = f"`{rule.name}` is mapped, its mirror image `{curve.mirror}` is not"
            yield Problem(rule.where, what, "map both, or neither")
        elif _canonical_form(rule, ruleset, curve.mirror_sign, mirrored=True) != _canonical_form(
            partner, ruleset
        ):
            what = f"`{rule.name}` treats the two sides of the face differently"
            if partner is not rule:
                what = f"`{rule.name}` and `{partner.name}` are not mirror images"
            yield Problem(rule.where, what, "harmless if intended")


def _paired(ruleset: RuleSet) -> Iterator[tuple[Curve, Rule]]:
    for curve in ruleset.table.curves:
        if rule := ruleset.rules.get(curve.name):
            yield curve, rule


def _sides(rule: Rule) -> set[str]:
    sides = {parse_source(name).axis.side for name in rule.config.sources}
    return sides - {"C"}


def _side_name(side: str) -> str:
    return "left" if side == "L" else "right"


def _canonical_form(
    rule: Rule, ruleset: RuleSet, sign: int = 1, *, mirrored: bool = False
) -> object:
    """Return the effect of a rule, or of its mirror image, as a value that can be compared."""
    config = rule.config
    weights: defaultdict[str, float] = defaultdict(float)
    inner = 1.0 if config.response else sign * config.gain
    for name, weight in config.sources.items():
        source, flip = parse_source(name), 1
        if mirrored:
            source, flip = source.mirrored
        weights[source.name] += inner * flip * weight
    used = {key: round(weight, 6) for key, weight in weights.items() if abs(weight) > 1e-6}
    response = (sign * config.gain, config.response) if config.response else None
    low, high = config.clamp or (0.0, 0.0)
    limits = (low, high) if sign > 0 else (-high, -low)
    offset = sign * config.offset if config.offset else 0.0
    return used, response, offset, limits, config.smooth, _factor(rule, ruleset, mirrored=mirrored)


def _factor(rule: Rule, ruleset: RuleSet, *, mirrored: bool) -> object:
    name = rule.config.times
    if name is None:
        return None
    if curve := ruleset.table.by_name.get(name):
        return curve.mirror if mirrored else name
    if is_source(name):
        source = parse_source(name)
        return source.mirrored[0].name if mirrored else source.name
    return name


CUSTOM_RANGE = (0.0, 1.0)
"""Range of a curve that is in no table."""


def compile_rules(ruleset: RuleSet) -> RigMap:
    """Return the compiled map, with warnings for sides that are treated differently.

    Raises UserError with every problem: missing required curves, clamps beyond the range of a
    curve, impossible products, swapped sides.
    """
    problems = [
        *_missing_curves(ruleset),
        *_wide_clamps(ruleset),
        *_impossible_products(ruleset),
        *swapped_sides(ruleset),
    ]
    if problems:
        raise UserError.of(problems)
    rules = list(ruleset.rules.values())
    rows = rules + _factor_rules(ruleset)
    limits = np.array([_limits(ruleset, rule) for rule in rows], dtype=np.float32).reshape(-1, 2)
    columns, weights = _weights(rows)
    smooth = [rule.config.smooth for rule in rows]
    return RigMap(
        name=ruleset.name,
        target=ruleset.target,
        outputs=tuple(ruleset.rules),
        ruleset=ruleset,
        warnings=tuple(side_warnings(ruleset)),
        sources=Sources.at(columns),
        weights=weights,
        responses=_responses(rows),
        gains=np.array([rule.config.gain for rule in rows], dtype=np.float32),
        offsets=np.array([rule.config.offset for rule in rows], dtype=np.float32),
        smoothed=np.array([row for row, config in enumerate(smooth) if config], dtype=np.intp),
        smoothing=OneEuro(
            min_cutoff_hz=np.array([config.min_cutoff_hz for config in smooth if config]),
            beta=np.array([config.beta for config in smooth if config]),
        ),
        minimum=limits[:, 0],
        maximum=limits[:, 1],
        products=_products(rows),
    )


def limits_of(ruleset: RuleSet, rule: Rule) -> tuple[float, float]:
    """Return the range to which a curve is clamped."""
    if rule.config.clamp is not None:
        return rule.config.clamp
    curve = ruleset.table.by_name.get(rule.name)
    return (curve.minimum, curve.maximum) if curve else CUSTOM_RANGE


def _limits(ruleset: RuleSet, rule: Rule) -> tuple[float, float]:
    if rule.name in ruleset.rules:
        return limits_of(ruleset, rule)
    return parse_source(rule.name).limits


def _missing_curves(ruleset: RuleSet) -> Iterator[Problem]:
    for curve in ruleset.table.curves:
        rule = ruleset.rules.get(curve.name)
        if curve.required and (rule is None or not rule.config.model_fields_set):
            what = f"the required curve `{curve.name}` of {ruleset.target} is missing"
            yield Problem(ruleset.where, what, f"map it, or write `extends: {ruleset.target}`")


def _wide_clamps(ruleset: RuleSet) -> Iterator[Problem]:
    for rule in ruleset.rules.values():
        curve = ruleset.table.by_name.get(rule.name)
        clamp = rule.config.clamp
        if curve and clamp and (clamp[0] < curve.minimum or clamp[1] > curve.maximum):
            limits = f"{curve.minimum:g}..{curve.maximum:g}"
            clamped = f"{clamp[0]:g}..{clamp[1]:g}"
            what = f"the clamp {clamped} of `{rule.name}` exceeds its range {limits}"
            yield Problem(rule.where_key("clamp"), what, "stay within the range")


def _impossible_products(ruleset: RuleSet) -> Iterator[Problem]:
    for rule in ruleset.rules.values():
        factor = rule.config.times
        if factor is None:
            continue
        where = rule.where_key("times")
        if factor in ruleset.rules:
            if ruleset.rules[factor].config.times is not None:
                what = f"`{rule.name}` times `{factor}`, which is itself a product"
                yield Problem(where, what, "name a curve without `times`, or a source")
        elif not is_source(factor):
            what = f"`{factor}` is neither a curve of this map nor a source"
            known = [*ruleset.rules, *(axis.name for axis in AXES)]
            yield Problem(where, what, nearest(factor, known))


def _factor_rules(ruleset: RuleSet) -> list[Rule]:
    """Return a rule for each source that multiplies a curve; its row is not sent."""
    factors = {rule.config.times for rule in ruleset.rules.values()} - {None} - set(ruleset.rules)
    return [
        Rule(str(name), CurveConfig.model_validate({"from": name}), ruleset.where, {})
        for name in sorted(map(str, factors))
    ]


def _weights(rows: Sequence[Rule]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    full = np.zeros((len(rows), 3 * len(AXES)), dtype=np.float32)
    for row, rule in enumerate(rows):
        for name, weight in rule.config.sources.items():
            full[row, parse_source(name).column] += weight
    columns = np.flatnonzero(full.any(axis=0))
    return columns, np.ascontiguousarray(full[:, columns])


def _responses(rows: Sequence[Rule]) -> Responses:
    responses = {
        row: np.array(rule.config.response, dtype=np.float32)
        for row, rule in enumerate(rows)
        if rule.config.response
    }
    segments = max((len(points) - 1 for points in responses.values()), default=0)
    lefts, widths, slopes = np.zeros((3, len(responses), segments), dtype=np.float32)
    for place, points in enumerate(responses.values()):
        count = len(points) - 1
        spans = np.diff(points, axis=0)
        lefts[place, :count] = points[:-1, 0]
        widths[place, :count] = spans[:, 0]
        slopes[place, :count] = spans[:, 1] / spans[:, 0]
    start = np.array([points[0, 1] for points in responses.values()], dtype=np.float32)
    return Responses(np.array(list(responses), dtype=np.intp), start, lefts, widths, slopes)


def _products(rows: Sequence[Rule]) -> NDArray[np.intp]:
    places = {rule.name: row for row, rule in enumerate(rows)}
    pairs = [(places[rule.name], places[rule.config.times]) for rule in rows if rule.config.times]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


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


def rigmap_files(name_or_path: str | Path) -> tuple[Path, ...]:
    """Return the files of a map, as far as they can be read; those it extends come last."""
    files: list[Path] = []
    with suppress(UserError):
        following: Path | None = _locate(str(name_or_path), Path(), "")
        while following is not None and following not in files and len(files) <= MAX_EXTENDS:
            files.append(following)
            data = read_document(following).data
            parent = data.get("extends") if isinstance(data, dict) else None
            following = _locate(parent, following.parent, "") if isinstance(parent, str) else None
    return tuple(files)


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
