"""Declaration of a setting: its name, range, default, unit, scope and texts.

Free of pydantic, so that `--help` stays quick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Scope(Enum):
    """What a setting belongs to."""

    BRIDGE = "bridge"
    """The whole run: a key at the top of the config."""
    SUBJECT = "subject"
    """One subject: a key of an entry of `subjects`."""
    LIVE = "live"
    """A subject of a running bridge: no key of the config."""


class Effect(Enum):
    """When a change of a config file reaches a running bridge."""

    AT_ONCE = "at once"
    BETWEEN_TAKES = "at once, or after the take that is being recorded"
    AT_START = "needs a restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, from which every place that knows it derives.

    `key` is its path in its scope of the config, such as `audio.gain_db`; `default` is its value
    as a config writes it. A number goes from `minimum` to `maximum`; `step` is that of a slider,
    and of the number too where `is_stepped`. `help` is one sentence, to which `note` adds what a
    config file says, and `flag_note` what the help of its flag says.

    A setting with a `metavar` has a flag, and with `is_of_takes` `render` has it too. One with a
    `label` has a control on the page; its slider goes over `slider` where the number itself goes
    further. One with a `command`, which says what the command does, has a remote-control command of
    its name with one `argument`; it and those with `is_live` change while a subject runs.

    `effect` says when its change in the file of a running bridge counts.
    """

    key: str
    help: str
    default: Any = None
    scope: Scope = Scope.BRIDGE
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    is_stepped: bool = False
    unit: str = ""
    choices: tuple[str, ...] = ()
    note: str = ""
    flag_note: str = ""
    metavar: str = ""
    flag_name: str = ""
    is_optional_value: bool = False
    is_repeated: bool = False
    is_of_takes: bool = False
    label: str = ""
    slider: tuple[float, float] | None = None
    is_live: bool = False
    command: str = ""
    argument: str = ""
    effect: Effect = Effect.AT_START

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition(".")[2]

    @property
    def option(self) -> str:
        """The name of its flag in Python: `lookahead_ms`."""
        return self.flag_name or self.name

    @property
    def field_name(self) -> str:
        """Its key as one word of Python and JSON: `audio_gate_open_db`."""
        return self.key.replace(".", "_")

    @property
    def flag(self) -> str:
        """Its flag: `--lookahead-ms`."""
        return f"--{self.option.replace('_', '-')}"

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number; infinite where none is declared."""
        low = -math.inf if self.minimum is None else self.minimum
        return low, math.inf if self.maximum is None else self.maximum

    @property
    def slider_bounds(self) -> tuple[float, float]:
        """The lowest and the highest number of its slider."""
        return self.slider or self.bounds

    @property
    def range(self) -> str:
        """The allowed numbers as text; empty where nothing is declared."""
        if self.choices:
            return ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}"
        if self.minimum is None or self.maximum is None:
            return ""
        text = f"{self.minimum:.10g} to {self.maximum:.10g}"
        if self.unit:
            text += f" {self.unit}"
        return f"{text} in steps of {self.step:g}" if self.is_stepped and self.step else text

    @property
    def sentence(self) -> str:
        """Its help with its range."""
        return f"{self.help[:-1]} ({self.range})." if self.range else self.help

    @property
    def flag_help(self) -> str:
        """The help of its flag: a sentence with range and default."""
        is_shown = isinstance(self.default, str | float | int) and not isinstance(
            self.default, bool
        )
        default = f"default: {_shown(self.default)}" if is_shown else ""
        added = "; ".join(filter(None, (self.range, default)))
        text = f"{self.help[:-1]} ({added})." if added else self.help
        return f"{text} {self.flag_note}".rstrip()

    def field(self, **others: Any) -> Any:
        """Return its field of a pydantic model, with the same limits.

        `others` are further arguments of `pydantic.Field`; a `default` goes before its own.
        """
        from pydantic import Field

        limits: dict[str, Any] = {}
        if self.minimum is not None:
            limits["ge"] = self.minimum
        if self.maximum is not None:
            limits["le"] = self.maximum
        if isinstance(self.maximum, float):
            limits["allow_inf_nan"] = False
        if self.is_stepped:
            limits["multiple_of"] = self.step
        if "default" not in others and "default_factory" not in others:
            limits["default"] = self.default
        return Field(description=self.sentence, **limits, **others)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
