"""Arguments of commands: what kind they are, how far they go, and how they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | int | float | bool
"""What an argument is read as."""

MAX_TEXT = 200
"""Characters of a text; the longest name of a subject or a slate is shorter."""

MAX_SHOWN = 40
"""Characters of a wrong value in a problem."""


class Kind(Enum):
    """What an argument is, in words for the user."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    SWITCH = "1 or 0"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument. A number goes from `minimum` to `maximum`; a text is one of `choices`, if any.

    `by_number` names the choices that whole numbers from 0 on stand for.

    Optional ones stand at the end and may be left out.
    """

    name: str
    kind: Kind = Kind.NUMBER
    minimum: float = -math.inf
    maximum: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    by_number: tuple[str, ...] = ()
    is_optional: bool = False

    def read(self, argument: object) -> Value:
        """Return the value of an argument as it came. UserError says what it must be.

        Numbers may come as any OSC number, switches as numbers too, and either as text.
        """
        value = READERS[self.kind](self._named(argument))
        if value is None or not self._holds(value):
            shown = repr(argument)
            shown = shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 3] + "..."
            raise UserError(Problem(self.name, f"must be {self.range}, found {shown}"))
        return value

    @property
    def range(self) -> str:
        """What the argument may be, in words."""
        if self.choices:
            words = ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}"
            numbers = (f"{name} {number}" for number, name in enumerate(self.by_number))
            return f"{words} (as a number: {', '.join(numbers)})" if self.by_number else words
        if self.kind in (Kind.TEXT, Kind.SWITCH) or not math.isfinite(self.minimum):
            return self.kind.value
        words = f"{self.minimum:.10g} to {self.maximum:.10g}"
        whole = ", whole" if self.kind is Kind.WHOLE else ""
        return f"{words} {self.unit}".rstrip() + whole

    def _named(self, argument: object) -> object:
        """Return the choice for which a number stands, other arguments as they are."""
        number = None if isinstance(argument, str) else _whole_or_switch(argument)
        if number is None or not 0 <= number < len(self.by_number):
            return argument
        return self.by_number[number]

    def _holds(self, value: Value) -> bool:
        if isinstance(value, str):
            return len(value) <= MAX_TEXT and (not self.choices or value in self.choices)
        return self.minimum <= value <= self.maximum


def _text(argument: object) -> str | None:
    return argument if isinstance(argument, str) else None


def _number(argument: object) -> float | None:
    if isinstance(argument, bool) or not isinstance(argument, str | int | float):
        return None
    try:
        number = float(argument)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(argument: object) -> int | None:
    number = _number(argument)
    return int(number) if number is not None and number.is_integer() else None


def _whole_or_switch(argument: object) -> int | None:
    return int(argument) if isinstance(argument, bool) else _whole(argument)


def _switch(argument: object) -> bool | None:
    if isinstance(argument, bool):
        return argument
    number = _number(argument)
    return bool(number) if number in (0.0, 1.0) else None


READERS: dict[Kind, Callable[[object], Value | None]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.SWITCH: _switch,
}
