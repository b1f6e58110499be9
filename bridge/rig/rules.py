"""A rig map as merged from its files: one rule per curve, each key with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.rig.schema import CurveSpec
from bridge.rig.tables import Table, load_table

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Rule:
    """How one curve is made, and where its name and its keys stand (`file:line:column`)."""

    name: str
    spec: CurveSpec
    where: str
    places: Mapping[str, str]

    def overlaid(self, spec: CurveSpec, where: str, places: Mapping[str, str]) -> Rule:
        """Return this rule with the keys which an extending map gives."""
        given = {key: getattr(spec, key) for key in spec.model_fields_set}
        merged = self.spec.model_copy(update=given)
        return Rule(self.name, merged, where, {**self.places, **places})

    def where_key(self, key: str) -> str:
        """Return where a key of the rule stands, or its name."""
        return self.places.get(key, self.where)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one map, by curve, in the order in which the curves are sent."""

    name: str
    where: str
    target: str
    rules: Mapping[str, Rule]

    @property
    def table(self) -> Table:
        """The curves which the target takes."""
        return load_table(self.target)


def rest_rule(name: str, where: str, rest: float = 0.0) -> Rule:
    """Return the rule of a curve which stays at rest."""
    return Rule(name, CurveSpec(offset=rest) if rest else CurveSpec(), where, {})
