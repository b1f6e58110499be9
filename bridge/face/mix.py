"""A mix of emotions as users write it: `happy:0.7, sad:0.2`, or a mapping of names to weights.

Where a voice is there to be heard, two more may be in the mix: `auto`, what the voice seems to
feel, and `arousal`, by which the chosen emotions swell with a voice that is louder and higher than
usual.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from bridge.document import FieldError
from bridge.face.felt import Shares
from models.emotions import EMOTIONS, MAX_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUTO = "auto"
"""In the place of an emotion: that of the voice, as far as the others of the mix leave room."""
AROUSAL = "arousal"
"""How far the others of the mix swell, and shrink, with the arousal of the voice."""


def _remedy(names: Sequence[str]) -> str:
    return f"use {', '.join(names)}, each with a weight from 0 to {MAX_WEIGHT:g}"


def read_mix(value: Any, names: Sequence[str] = EMOTIONS) -> Any:
    """Read `happy:0.7, sad:0.2`; a name without a weight has 1. FieldError names every fault.

    What is no text is returned as it is, None as the empty mix.
    """
    if not isinstance(value, str):
        return {} if value is None else value
    mix: dict[str, float] = {}
    faults = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, weight = (piece.strip() for piece in part.partition(":"))
        if name in mix:
            faults.append(f"{name} stands twice")
        try:
            known = _known(name, names)
            mix[known] = _weight(weight or "1")
        except FieldError as error:
            faults.append(f"{part}: {error.what}")
    if faults:
        raise FieldError("; ".join(faults), _remedy(names))
    return mix


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= MAX_WEIGHT:
        raise FieldError(f"the weight must be a number from 0 to {MAX_WEIGHT:g}, found {text}")
    return weight


def _known(name: str, names: Sequence[str] = EMOTIONS) -> str:
    if name not in names:
        raise FieldError(f"there is no emotion {name!r}", _remedy(names))
    return name


EmotionName = Annotated[str, AfterValidator(_known)]
Weight = Annotated[float, Field(ge=0.0, le=MAX_WEIGHT, allow_inf_nan=False)]
EmotionMix = Annotated[dict[EmotionName, Weight], BeforeValidator(read_mix)]

_HEARD_NAMES = (*EMOTIONS, AUTO, AROUSAL)
HeardName = Annotated[str, AfterValidator(partial(_known, names=_HEARD_NAMES))]
HeardMix = Annotated[
    dict[HeardName, Weight], BeforeValidator(partial(read_mix, names=_HEARD_NAMES))
]
"""A mix which may also have `auto` and `arousal`."""


def chosen(mix: Mapping[str, float]) -> dict[str, float]:
    """Return a mix without what is left to the voice."""
    return {name: weight for name, weight in mix.items() if name in EMOTIONS}


def shares(mix: Mapping[str, float]) -> Shares:
    """Return how far the voice has a say in a mix."""
    return Shares(mix.get(AUTO, 0.0), mix.get(AROUSAL, 0.0))
