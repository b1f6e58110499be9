"""The curves of each target rig: names, wire order, ranges and mirrored partners.

One CSV table per target lies in `tables/`:

- `metahuman`: the raw curves of a MetaHuman, in the order seen on the wire of Live Link Face's
  MetaHuman Animator mode; then those which turn and move its head, by the names and in the order in
  which Unreal adds them: degrees in the axes of the head bone, and centimetres.
- `livelinkface61`: the values of a Live Link Face packet in packet order. The first 52 are ARKit
  coefficients, the last 9 rotations in radians.
- `vrm`: the expression presets of VRM 1.0, then the turns of the head bone in radians.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

TARGETS = ("metahuman", "livelinkface61", "vrm")
"""The targets which have a table. A map for the target `custom` names its curves itself."""

CUSTOM = "custom"

ARKIT_MAP = "arkit"
"""The shipped rig map for heads with ARKit shapes, whatever program shows them."""

STOCK_MAP = "livelinkface61"
"""That for the stock blueprint of a MetaHuman, which makes its own curves of ARKit's by a pose
asset."""

_COMPLETE = {"livelinkface61"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One value which a target takes, between `minimum` and `maximum`.

    `mirror` is the curve which a mirrored face moves instead, with its value times `mirror_sign`;
    a centre curve may be its own mirror. Without a `required` curve a face of this target does not
    speak or is not recognised. `rest` is its value in a face at rest; a curve that rests elsewhere
    than at 0 is always sent.
    """

    name: str
    minimum: float
    maximum: float
    side: str
    region: str
    mirror: str
    mirror_sign: int
    required: bool
    rest: float = 0.0


@dataclass(frozen=True)
class Table:
    """The curves of one target in wire order.

    A `complete` target has a fixed place for every curve, so that all of them are sent, the
    unmapped ones at rest.
    """

    target: str
    curves: tuple[Curve, ...]
    complete: bool
    by_name: dict[str, Curve] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {curve.name: curve for curve in self.curves})


@cache
def load_table(target: str) -> Table:
    """Return the table of one of `TARGETS`, or an empty one for `custom`."""
    if target not in TARGETS:
        return Table(target, (), complete=False)
    text = resources.files("bridge.rig").joinpath("tables", f"{target}.csv").read_text("utf-8")
    curves = tuple(
        Curve(
            name=row["name"],
            minimum=float(row["minimum"]),
            maximum=float(row["maximum"]),
            side=row["side"],
            region=row["region"],
            mirror=row["mirror"],
            mirror_sign=int(row["mirror_sign"]),
            required=row["required"] == "1",
            rest=float(row.get("rest", 0)),
        )
        for row in csv.DictReader(text.splitlines())
    )
    return Table(target, curves, complete=target in _COMPLETE)
