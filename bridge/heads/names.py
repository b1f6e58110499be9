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

ROLES = {"head": ("head",), "eyeLeft": ("eyeleft", "lefteye"), "eyeRight": ("eyeright", "righteye")}
"""The nodes that are turned, and the keys of their names."""

_PREFIX = re.compile(r"^.*[.:]")
_MAYA = re.compile(r"^blendshapes?[0-9]*_", re.IGNORECASE)
_SIDE = re.compile(r"_([LRlr])\Z")
_SIDES = {"l": "left", "r": "right"}


@cache
def arkit_names() -> tuple[str, ...]:
    """Return the 52 ARKit names in the order of a Live Link Face packet, as `eyeBlinkLeft`."""
    curves = load_table("livelinkface61").curves[:SHAPES]
    return tuple(curve.name[:1].lower() + curve.name[1:] for curve in curves)


def shape_key(name: str) -> str:
    """Return what all spellings of a name have in common: `eyeblinkleft` for `Face.eyeBlink_L`.

    A prefix up to the last `.` or `:`, then one like `blendShape1_`, is left away; `_L` and `_R` at
    the end stand for `Left` and `Right`; case does not matter.
    """
    plain = _MAYA.sub("", _PREFIX.sub("", name, count=1), count=1)
    return _SIDE.sub(lambda match: _SIDES[match[1].lower()], plain).lower()


def arkit_name(name: str) -> str | None:
    """Return the ARKit name which a shape's name means, or None."""
    return _by_key().get(shape_key(name))


def role_of(name: str) -> str | None:
    """Return which of `ROLES` a node of this name has, or None."""
    key = shape_key(name)
    return next((role for role, keys in ROLES.items() if key in keys), None)


def missing_names(found: Iterable[str]) -> tuple[str, ...]:
    """Return the ARKit names that are not in `found`, in their order."""
    present = set(found)
    return tuple(name for name in arkit_names() if name not in present)


@cache
def _by_key() -> dict[str, str]:
    return {shape_key(name): name for name in arkit_names()}
