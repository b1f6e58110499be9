"""Left and right: a face and its mirror image should be mapped alike."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from bridge.errors import Problem
from bridge.rig.sources import is_source, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.rig.rules import Rule, RuleSet
    from bridge.rig.tables import Curve

_OTHER = {"L": "R", "R": "L"}


def swapped_sides(ruleset: RuleSet) -> Iterator[Problem]:
    """Find pairs of curves of which each is fed from the other's side of the face."""
    for curve, rule in _paired(ruleset):
        partner = ruleset.rules.get(curve.mirror)
        if curve.side not in _OTHER or partner is None:
            continue
        other = _OTHER[curve.side]
        if _sides(rule) == {other} and _sides(partner) == {curve.side}:
            what = f"`{rule.name}` is fed from the {_word(other)} side of the face"
            remedy = f"swap its sources with those of `{partner.name}`"
            yield Problem(rule.where_key("sources"), what, remedy)


def side_warnings(ruleset: RuleSet) -> Iterator[Problem]:
    """Find curves which do to the left of a face what their partners do not do to the right."""
    seen: set[str] = set()
    for curve, rule in _paired(ruleset):
        if curve.name in seen:
            continue
        seen |= {curve.name, curve.mirror}
        partner = ruleset.rules.get(curve.mirror)
        if partner is None:
            what = f"`{rule.name}` is mapped, its mirror image `{curve.mirror}` is not"
            yield Problem(rule.where, what, "map both, or neither")
        elif _form(rule, ruleset, curve.mirror_sign, mirrored=True) != _form(partner, ruleset):
            what = f"`{rule.name}` treats the two sides of the face differently"
            if partner is not rule:
                what = f"`{rule.name}` and `{partner.name}` are not mirror images"
            yield Problem(rule.where, what, "harmless where the character is meant so")


def _paired(ruleset: RuleSet) -> Iterator[tuple[Curve, Rule]]:
    for curve in ruleset.table.curves:
        if rule := ruleset.rules.get(curve.name):
            yield curve, rule


def _sides(rule: Rule) -> set[str]:
    sides = {parse_source(name).axis.side for name in rule.spec.sources}
    return sides - {"C"}


def _word(side: str) -> str:
    return "left" if side == "L" else "right"


def _form(rule: Rule, ruleset: RuleSet, sign: int = 1, *, mirrored: bool = False) -> object:
    """Return what a rule does in a form that compares, of the rule itself or its mirror image."""
    spec = rule.spec
    weights: defaultdict[str, float] = defaultdict(float)
    inner = 1.0 if spec.response else sign * spec.gain
    for name, weight in spec.sources.items():
        source, flip = parse_source(name), 1
        if mirrored:
            source, flip = source.mirrored
        weights[source.name] += inner * flip * weight
    used = {key: round(weight, 6) for key, weight in weights.items() if abs(weight) > 1e-6}
    response = (sign * spec.gain, spec.response) if spec.response else None
    low, high = spec.clamp or (0.0, 0.0)
    limits = (low, high) if sign > 0 else (-high, -low)
    offset = sign * spec.offset if spec.offset else 0.0
    return used, response, offset, limits, spec.smooth, _factor(rule, ruleset, mirrored=mirrored)


def _factor(rule: Rule, ruleset: RuleSet, *, mirrored: bool) -> object:
    name = rule.spec.times
    if name is None:
        return None
    if curve := ruleset.table.by_name.get(name):
        return curve.mirror if mirrored else name
    if is_source(name):
        source = parse_source(name)
        return source.mirrored[0].name if mirrored else source.name
    return name
