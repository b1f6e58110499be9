"""A mix of emotions as users write it: `happy:0.7, sad:0.2`, or a mapping of names to weights."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from bridge.document import FieldError
from models.emotions import EMOTIONS, MAX_WEIGHT

REMEDY = f"use {', '.join(EMOTIONS)}, each with a weight from 0 to {MAX_WEIGHT:g}"


def read_mix(value: Any) -> Any:
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
            known = _known_emotion(name)
            mix[known] = _weight(weight or "1")
        except FieldError as error:
            faults.append(f"{part}: {error.what}")
    if faults:
        raise FieldError("; ".join(faults), REMEDY)
    return mix


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= MAX_WEIGHT:
        raise FieldError(f"the weight must be a number from 0 to {MAX_WEIGHT:g}, found {text}")
    return weight


def _known_emotion(name: str) -> str:
    if name not in EMOTIONS:
        raise FieldError(f"there is no emotion {name!r}", REMEDY)
    return name


EmotionName = Annotated[str, AfterValidator(_known_emotion)]
Weight = Annotated[float, Field(ge=0.0, le=MAX_WEIGHT, allow_inf_nan=False)]
EmotionMix = Annotated[dict[EmotionName, Weight], BeforeValidator(read_mix)]
