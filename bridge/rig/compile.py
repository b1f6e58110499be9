"""Rules into arrays, once; what cannot be compiled is reported all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.document import nearest
from bridge.errors import Problem, UserError
from bridge.rig.mirror import side_warnings, swapped_sides
from bridge.rig.rigmap import Responses, RigMap
from bridge.rig.rules import Rule
from bridge.rig.schema import CurveSpec
from bridge.rig.smoothing import OneEuro
from bridge.rig.sources import AXES, Sources, is_source, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bridge.rig.rules import RuleSet

CUSTOM_RANGE = (0.0, 1.0)
"""Range of a curve of which no table knows better."""


def compile_rules(ruleset: RuleSet) -> RigMap:
    """Return the map as arrays, with warnings for what treats the two sides of a face differently.

    Raises UserError with every problem: missing required curves, limits beyond the curve's range,
    impossible products, sides which are swapped.
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
    smooth = [rule.spec.smooth for rule in rows]
    return RigMap(
        name=ruleset.name,
        target=ruleset.target,
        outputs=tuple(ruleset.rules),
        ruleset=ruleset,
        warnings=tuple(side_warnings(ruleset)),
        sources=Sources.at(columns),
        weights=weights,
        responses=_responses(rows),
        gains=np.array([rule.spec.gain for rule in rows], dtype=np.float32),
        offsets=np.array([rule.spec.offset for rule in rows], dtype=np.float32),
        smoothed=np.array([row for row, spec in enumerate(smooth) if spec], dtype=np.intp),
        smoothing=OneEuro(
            min_cutoff_hz=np.array([spec.min_cutoff_hz for spec in smooth if spec]),
            beta=np.array([spec.beta for spec in smooth if spec]),
        ),
        minimum=limits[:, 0],
        maximum=limits[:, 1],
        products=_products(rows),
    )


def limits_of(ruleset: RuleSet, rule: Rule) -> tuple[float, float]:
    """Return the range within which a curve is sent."""
    if rule.spec.clamp is not None:
        return rule.spec.clamp
    curve = ruleset.table.by_name.get(rule.name)
    return (curve.minimum, curve.maximum) if curve else CUSTOM_RANGE


def _limits(ruleset: RuleSet, rule: Rule) -> tuple[float, float]:
    if rule.name in ruleset.rules:
        return limits_of(ruleset, rule)
    return parse_source(rule.name).limits


def _missing_curves(ruleset: RuleSet) -> Iterator[Problem]:
    for curve in ruleset.table.curves:
        rule = ruleset.rules.get(curve.name)
        if curve.required and (rule is None or not rule.spec.model_fields_set):
            what = f"the required curve `{curve.name}` of {ruleset.target} is missing"
            yield Problem(ruleset.where, what, f"map it, or write `extends: {ruleset.target}`")


def _wide_clamps(ruleset: RuleSet) -> Iterator[Problem]:
    for rule in ruleset.rules.values():
        curve = ruleset.table.by_name.get(rule.name)
        clamp = rule.spec.clamp
        if curve and clamp and (clamp[0] < curve.minimum or clamp[1] > curve.maximum):
            limits = f"{curve.minimum:g}..{curve.maximum:g}"
            what = f"`{rule.name}` cannot reach {clamp[0]:g}..{clamp[1]:g}: its range is {limits}"
            yield Problem(rule.where_key("clamp"), what, "stay within the range")


def _impossible_products(ruleset: RuleSet) -> Iterator[Problem]:
    for rule in ruleset.rules.values():
        factor = rule.spec.times
        if factor is None:
            continue
        where = rule.where_key("times")
        if factor in ruleset.rules:
            if ruleset.rules[factor].spec.times is not None:
                what = f"`{rule.name}` times `{factor}`, which is itself a product"
                yield Problem(where, what, "name a curve without `times`, or a source")
        elif not is_source(factor):
            what = f"`{factor}` is neither a curve of this map nor a source"
            known = [*ruleset.rules, *(axis.name for axis in AXES)]
            yield Problem(where, what, nearest(factor, known))


def _factor_rules(ruleset: RuleSet) -> list[Rule]:
    """Return one unsent row for each source which multiplies a curve."""
    factors = {rule.spec.times for rule in ruleset.rules.values()} - {None} - set(ruleset.rules)
    return [
        Rule(str(name), CurveSpec.model_validate({"from": name}), ruleset.where, {})
        for name in sorted(map(str, factors))
    ]


def _weights(rows: Sequence[Rule]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    full = np.zeros((len(rows), 3 * len(AXES)), dtype=np.float32)
    for row, rule in enumerate(rows):
        for name, weight in rule.spec.sources.items():
            full[row, parse_source(name).column] += weight
    columns = np.flatnonzero(full.any(axis=0))
    return columns, np.ascontiguousarray(full[:, columns])


def _responses(rows: Sequence[Rule]) -> Responses:
    responses = {
        row: np.array(rule.spec.response, dtype=np.float32)
        for row, rule in enumerate(rows)
        if rule.spec.response
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
    pairs = [(places[rule.name], places[rule.spec.times]) for rule in rows if rule.spec.times]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)
