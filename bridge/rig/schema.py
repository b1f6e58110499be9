"""What a rig map file may hold, and its rules as merged, each key with its place."""

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
"""Largest factor; degrees for a head that is turned by radians need 57.3."""
MAX_POINTS = 64
"""Points of one response."""


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
    """Hertz which one unit per second of motion adds to the cut-off."""


class CurveConfig(BaseModel):
    """How one curve is made.

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
    """Another curve of the map, at its finished value, or a source."""

    @model_validator(mode="before")
    @classmethod
    def _only_a_source(cls, value: object) -> object:
        return {"from": value} if isinstance(value, str) else value


class RigMapConfig(BaseModel):
    """One rig map file. A curve which is null is taken out of what the file extends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Literal["metahuman", "livelinkface61", "vrm", "custom"] | None = None
    extends: str | None = None
    curves: dict[Annotated[str, Field(min_length=1, max_length=256)], CurveConfig | None] = Field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """How one curve is made, and where its name and its keys stand (`file:line:column`)."""

    name: str
    config: CurveConfig
    where: str
    locations: Mapping[str, str]

    def extended_by(self, config: CurveConfig, where: str, locations: Mapping[str, str]) -> Rule:
        """Return this rule with the keys which an extending map gives."""
        given = {key: getattr(config, key) for key in config.model_fields_set}
        merged = self.config.model_copy(update=given)
        return Rule(self.name, merged, where, {**self.locations, **locations})

    def where_key(self, key: str) -> str:
        """Return where a key of the rule stands, or its name."""
        return self.locations.get(key, self.where)


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
    return Rule(name, CurveConfig(offset=rest) if rest else CurveConfig(), where, {})
