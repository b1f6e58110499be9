"""What the shapes of other people's heads are called, told as ARKit names.

Exporters write `eyeBlinkLeft` also as `EyeBlinkLeft`, `eyeBlink_L`, `Face.eyeBlinkLeft`,
`mixamorig:EyeBlink_L` or `blendShape1_eyeBlinkLeft`. The preview's page reads names by the same
rule.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from bridge.rig.tables import load_table

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = 52
"""The ARKit coefficients, which stand first in the table of Live Link Face."""

_PREFIX = re.compile(r"^.*[.:]|^blendshapes?\d*_", re.IGNORECASE)
_SIDES = {"_l": "left", "_r": "right"}


@cache
def arkit_names() -> tuple[str, ...]:
    """Return the 52 ARKit names in the order of a Live Link Face packet, as `eyeBlinkLeft`."""
    return tuple(map(lower_first, curve_names()))


@cache
def curve_names() -> tuple[str, ...]:
    """Return the same as the curves of `livelinkface61` spell them, as `EyeBlinkLeft`."""
    return tuple(curve.name for curve in load_table("livelinkface61").curves[:SHAPES])


def lower_first(name: str) -> str:
    """Return `eyeBlinkLeft` for `EyeBlinkLeft`."""
    return name[:1].lower() + name[1:]


def arkit_name(name: str) -> str | None:
    """Return the ARKit name which a shape's name means, or None.

    Case does not matter. A prefix up to the last `.` or `:`, then one like `blendShape1_`, is left
    away; `_L` and `_R` at the end stand for `Left` and `Right`.
    """
    plain = bare_name(name)
    side = _SIDES.get(plain[-2:])
    return _by_folded().get(plain[:-2] + side if side else plain)


def bare_name(name: str) -> str:
    """Return a name in lower case without its prefixes."""
    while (shorter := _PREFIX.sub("", name, count=1)) != name:
        name = shorter
    return name.lower()


def missing_names(found: Iterable[str]) -> tuple[str, ...]:
    """Return the ARKit names that are not in `found`, in their order."""
    present = set(found)
    return tuple(name for name in arkit_names() if name not in present)


@cache
def _by_folded() -> dict[str, str]:
    return {name.lower(): name for name in arkit_names()}
