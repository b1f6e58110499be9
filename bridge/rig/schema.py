"""The schema of rig map files, and merged rules with the position of each key."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.rig.curves import Table, load_table, parse_source

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_WEIGHT = 1000.0
"""Largest factor; conversion of radians to degrees needs 57.3."""
MAX_POINTS = 64
"""Most points of one response."""


def _one_source_as_weights(value: object) -> object:
    return {value: 1.0} if isinstance(value, str) else value


def _known_source(name: str) -> str:
    parse_source(name)
    return name


def _rising_points(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    for (left, _), (right, _) in itertools.pairwise(points):
        if right <= left:
            raise FieldError(
                f"the points of a response must run from left to right, found {left:g}, {right:g}",
                "sort them by their first number",
            )
    return points


def _ordered_pair(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise FieldError(f"the lower limit {pair[0]:g} is above the upper {pair[1]:g}", "swap them")
    return pair


Finite = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)]
Weights = Annotated[
    dict[Annotated[str, AfterValidator(_known_source)], Finite],
    BeforeValidator(_one_source_as_weights),
]
Points = Annotated[
    list[tuple[Finite, Finite]],
    Field(min_length=2, max_length=MAX_POINTS),
    AfterValidator(_rising_points),
]


class SmoothingConfig(BaseModel):
    """One-Euro smoothing: less jitter at rest, less lag in motion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_cutoff_hz: float = Field(gt=0, le=1000, allow_inf_nan=False)
    """Cut-off frequency of a curve at rest."""
    beta: float = Field(default=0.0, ge=0, le=MAX_WEIGHT, allow_inf_nan=False)
    """Hertz added to the cut-off per unit per second of motion."""


class CurveConfig(BaseModel):
    """The config of one curve.

    value = times * clamp(smooth(offset + gain * response(sum of weight * source)))
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: Weights = Field(default_factory=dict, alias="from")
    response: Points | None = None
    gain: Finite = 1.0
    offset: Finite = 0.0
    smooth: SmoothingConfig | None = None
    clamp: Annotated[tuple[Finite, Finite], AfterValidator(_ordered_pair)] | None = None
    times: str | None = None
    """A source, or another curve of the map with its final value, which multiplies this one."""

    @model_validator(mode="before")
    @classmethod
    def _only_a_source(cls, value: object) -> object:
        return {"from": value} if isinstance(value, str) else value


class RigMapConfig(BaseModel):
    """One rig map file. A curve that is null is removed from the inherited ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Literal["metahuman", "livelinkface61", "vrm", "custom"] | None = None
    extends: str | None = None
    curves: dict[Annotated[str, Field(min_length=1, max_length=256)], CurveConfig | None] = Field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """The config of one curve, with the positions of its name and its keys (`file:line:column`)."""

    name: str
    """The name of the curve."""
    config: CurveConfig
    where: str
    """The position of the name."""
    locations: Mapping[str, str]
    """The positions of the given keys."""

    def extended_by(self, config: CurveConfig, where: str, locations: Mapping[str, str]) -> Rule:
        """Return this rule with the keys given by an extending map."""
        given = {key: getattr(config, key) for key in config.model_fields_set}
        merged = self.config.model_copy(update=given)
        return Rule(self.name, merged, where, {**self.locations, **locations})

    def where_key(self, key: str) -> str:
        """Return the position of a key of the rule, or of its name."""
        return self.locations.get(key, self.where)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a map, by curve, in the order in which the curves are sent."""

    name: str
    """The name of the map: its file without folder and suffix."""
    where: str
    """The position of `target`, else the file."""
    target: str
    rules: Mapping[str, Rule]

    @property
    def table(self) -> Table:
        """The table of the target's curves."""
        return load_table(self.target)


def rest_rule(name: str, where: str, rest: float = 0.0) -> Rule:
    """Return the rule of a curve that stays at rest."""
    return Rule(name, CurveConfig(offset=rest) if rest else CurveConfig(), where, {})
