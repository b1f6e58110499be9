"""The table of commands, their parameters and replies: OSC addresses below `/cstalk`, and Python
methods of the same names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from cstalk_bridge.face.procedural.animation import LEVEL_NAMES
from cstalk_bridge.face.timeline import LOOKAHEAD_SLEW
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import HOP_MS
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.settings.subject import MAX_LEVEL
from cstalk_bridge.settings.table import command_settings, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cstalk_bridge.settings.declaration import Setting


MAX_WAITING = 32
"""Pieces of work that wait, of each kind; the next is dropped and reported."""


class WorkKind(Enum):
    """Kinds of work, by what they wait for; each has a thread."""

    TAKES = "takes"
    """The disk on which takes are recorded; nothing else waits in their way."""
    FILES = "files"
    """Other files: rig maps, networks."""
    QUESTIONS = "questions"
    """Nothing; the answer is long."""
    NAMES = "names"
    """A name server, which may be silent for half a minute."""
    TRANSPORT = "transport"
    """Another machine that takes a file."""


Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One datagram and where it goes."""

    to: Address
    datagram: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Datagrams to send at once, and work for the thread of its kind, which gives another reply.

    `if_dropped` is sent in place of that reply where the queue of the thread is full.
    """

    outgoing: tuple[Outgoing, ...] = ()
    work: Callable[[], Reply] | None = None
    kind: WorkKind = WorkKind.FILES
    if_dropped: tuple[Outgoing, ...] = ()


NO_REPLY = Reply()


def message_reply(to: Iterable[Address], address: str, *arguments: str | int | float) -> Reply:
    """Return the reply that sends one message to each of `to`."""
    datagram = encode_message(address, *arguments)
    return Reply(tuple(Outgoing(place, datagram) for place in to))


Value = str | int | float | bool
"""The value of an argument."""

MAX_TEXT = 200
"""Characters of a text argument; names of subjects and slates are shorter."""

MAX_SHOWN = 40
"""Characters of a wrong value in a problem."""


class ParameterType(Enum):
    """Type of an argument, as text for the user."""

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
    kind: ParameterType = ParameterType.NUMBER
    minimum: float = -math.inf
    maximum: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    by_number: tuple[str, ...] = ()
    is_optional: bool = False

    @classmethod
    def of(cls, declared: Setting, name: str = "", *, is_optional: bool = False) -> Parameter:
        """Return the argument that sets a number, called `name` or as the setting."""
        low, high = declared.bounds
        return cls(
            name or declared.name,
            minimum=low,
            maximum=high,
            unit=declared.unit,
            is_optional=is_optional,
        )

    def read(self, argument: object) -> Value:
        """Return the value of an argument as it came. UserError states what it must be.

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
        """The allowed values, as text."""
        if self.choices:
            text = ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}"
            numbers = (f"{name} {number}" for number, name in enumerate(self.by_number))
            return f"{text} (as a number: {', '.join(numbers)})" if self.by_number else text
        if self.kind in (ParameterType.TEXT, ParameterType.SWITCH) or not math.isfinite(
            self.minimum
        ):
            return self.kind.value
        text = f"{self.minimum:.10g} to {self.maximum:.10g}"
        whole = ", whole" if self.kind is ParameterType.WHOLE else ""
        return f"{text} {self.unit}".rstrip() + whole

    def _named(self, argument: object) -> object:
        """Return the choice that a number stands for, other arguments as they are."""
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


READERS: dict[ParameterType, Callable[[object], Value | None]] = {
    ParameterType.TEXT: _text,
    ParameterType.NUMBER: _number,
    ParameterType.WHOLE: _whole,
    ParameterType.SWITCH: _switch,
}


PREFIX = "cstalk"
"""First part of the address of all commands of our own."""

ALL_SUBJECTS = "*"

MAX_INT32 = 2**31 - 1
"""The highest whole number of OSC's type `i`, as take numbers and counts are sent."""

FADER_S = 0.15
"""Time over which one weight is eased in: short enough to follow a moving fader, long enough to
hide its steps."""

EMOTION = Parameter("emotion", ParameterType.TEXT, choices=EMOTIONS)
WEIGHT = Parameter("weight", minimum=0.0, maximum=MAX_WEIGHT)
OVER_S = Parameter.of(setting("over_s"), is_optional=True)
FACTOR = Parameter.of(setting("intensity"), "factor")
AUTO = Parameter.of(setting("auto"), "share")
AROUSAL = Parameter.of(setting("arousal"), "share")
PART = Parameter("part", ParameterType.TEXT, choices=LEVEL_NAMES)
LEVEL = Parameter("level", minimum=0.0, maximum=MAX_LEVEL)
IS_MUTED = Parameter("is_muted", ParameterType.SWITCH, is_optional=True)
IS_PAUSED = Parameter("is_paused", ParameterType.SWITCH, is_optional=True)
LOOKAHEAD_MS = Parameter.of(setting("lookahead_ms"))
GAIN_DB = Parameter.of(setting("audio.gain_db"))
TRANSITION_MS = Parameter.of(setting("transition_ms"))
SOUND_DELAY_MS = Parameter.of(setting("passthrough.delay_ms"))
SOUND_LEVEL_DB = Parameter.of(setting("passthrough.level_db"))
ACTION = Parameter(
    "action", ParameterType.TEXT, choices=("start", "stop"), by_number=("stop", "start")
)
SLATE = Parameter("slate", ParameterType.TEXT, is_optional=True)
TAKE = Parameter("take", ParameterType.WHOLE, minimum=0, maximum=MAX_INT32, is_optional=True)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, its arguments and what it does.

    With `is_repeated` the required arguments may be repeated, as pairs of one `mix`. A command that
    waits has the kind of its `work`. An `is_question` is answered with messages.
    """

    name: str
    does: str
    parameters: tuple[Parameter, ...] = ()
    is_of_subject: bool = True
    is_repeated: bool = False
    work: WorkKind | None = None
    is_question: bool = False

    @property
    def address(self) -> str:
        """Its address as users write it."""
        subject = "/<subject>" if self.is_of_subject else ""
        return f"/{PREFIX}{subject}/{self.name}"

    @property
    def usage(self) -> str:
        """Its arguments as users write them: `emotion weight ... [over_s]`."""
        required = [p.name for p in self.parameters if not p.is_optional]
        optional = [f"[{p.name}]" for p in self.parameters if p.is_optional]
        return " ".join([*required, *(["..."] if self.is_repeated else []), *optional])

    @property
    def key(self) -> str:
        """Its key in the table."""
        return self.name if self.is_of_subject else f"/{self.name}"

    def is_button(self, leading: Sequence[str], arguments: Sequence[object]) -> bool:
        """Whether the one argument is that of a button: 1 or 0, behind all that is required."""
        required = sum(not parameter.is_optional for parameter in self.parameters)
        takes_it = self.parameters[len(leading) : len(leading) + 1]
        is_whole = len(leading) >= required and not self.is_repeated
        return (
            is_whole
            and len(arguments) == 1
            and arguments[0] in (0, 1)
            and all(parameter.kind is ParameterType.TEXT for parameter in takes_it)
        )

    def read(self, arguments: Sequence[object]) -> dict[str, Any]:
        """Return the arguments of a message by their names, for the method of the command's name.

        UserError names every argument that does not fit.
        """
        required = [p for p in self.parameters if not p.is_optional]
        optional = self.parameters[len(required) :]
        times = max(1, len(arguments) // len(required)) if self.is_repeated else 1
        wanted = required * times
        if not len(wanted) <= len(arguments) <= len(wanted) + len(optional):
            what = f"takes {self.usage or 'no arguments'}, found {len(arguments)} arguments"
            raise UserError(Problem(self.name, what))
        values: list[Value] = []
        problems: list[Problem] = []
        for parameter, argument in zip([*wanted, *optional], arguments, strict=False):
            try:
                values.append(parameter.read(argument))
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError.of(problems)
        named = {p.name: value for p, value in zip([*wanted, *optional], values, strict=False)}
        if not self.is_repeated:
            return named
        pairs = values[: len(wanted)]
        over = {p.name: named[p.name] for p in optional if p.name in named}
        return {"mix": dict(zip(pairs[::2], pairs[1::2], strict=True)), **over}


COMMANDS: dict[str, Command] = {
    command.key: command
    for command in (
        Command(
            "emotion",
            "changes to this mix of emotions, all others 0, within `over_s`, "
            "by default `transition_ms` of the config",
            (EMOTION, WEIGHT, OVER_S),
            is_repeated=True,
        ),
        Command(
            "weight",
            f"changes one weight of the mix and keeps the others, by default within {FADER_S:g} s, "
            "as suits a fader",
            (EMOTION, WEIGHT, OVER_S),
        ),
        Command(
            "intensity",
            f"multiplies all weights of the mix, which stay below {MAX_WEIGHT:g}",
            (FACTOR, OVER_S),
        ),
        *(
            Command(entry.name, entry.command, (Parameter.of(entry, entry.argument), OVER_S))
            for entry in command_settings()
        ),
        Command(
            "auto",
            "adds the emotion estimated from the voice, as far as the mix leaves room up to 1 (a "
            "research build, non-commercial); neutral with weight 1 leaves none",
            (AUTO, OVER_S),
            work=WorkKind.FILES,
        ),
        Command(
            "arousal",
            "raises the mix while the voice is louder and higher than usual",
            (AROUSAL, OVER_S),
            work=WorkKind.FILES,
        ),
        Command("level", "sets the level of a part of the face", (PART, LEVEL)),
        Command(
            "gain",
            "sets the input gain, before level meter and gate; takes keep the original sound",
            (GAIN_DB,),
        ),
        Command(
            "passthrough_delay",
            "sets the delay of the audio passthrough beyond that of the face",
            (SOUND_DELAY_MS,),
        ),
        Command("passthrough_level", "sets the level of the audio passthrough", (SOUND_LEVEL_DB,)),
        Command(
            "mute",
            "mutes the sound (1, or no argument) or unmutes it (0); the face rests and packets "
            "continue; a take records the silence",
            (IS_MUTED,),
        ),
        Command(
            "pause",
            "pauses the face as `rest` of the config sets (1, or no argument), or resumes it (0)",
            (IS_PAUSED,),
        ),
        Command(
            "lookahead",
            f"changes the look-ahead, rounded to {HOP_MS} ms, while faces play at "
            f"{1 - LOOKAHEAD_SLEW:g} or {1 + LOOKAHEAD_SLEW:g} of their speed; "
            "refused while a take is recorded",
            (LOOKAHEAD_MS,),
        ),
        Command(
            "reload",
            "reads the rig maps of the subject from disk again; "
            "a faulty file is reported, and the old map stays",
            work=WorkKind.FILES,
        ),
        Command(
            "reset_losses",
            "counts losses, and packets that were not sent, anew from 0",
        ),
        Command(
            "state",
            "replies with the settings of the subject, each as the command that would set it, then "
            "`/cstalk/<subject>/sound state level_db`, `/passthrough device total_delay_ms gaps "
            "fault` where it has an audio passthrough, and `/link name sent failed error lamp "
            "advice` of each link",
            work=WorkKind.QUESTIONS,
            is_question=True,
        ),
        Command(
            "state",
            "replies with `/cstalk/record`, 1 while a take is recorded, else 0, and the state of "
            "every subject; from then on the sender gets `/cstalk/record`, and `/health`, `/fault` "
            "and `/link` of a subject, whenever they change",
            is_of_subject=False,
            work=WorkKind.QUESTIONS,
            is_question=True,
        ),
        Command(
            "record",
            "starts or stops a take of all subjects, by default with the last slate and the next "
            "number",
            (ACTION, SLATE, TAKE),
            is_of_subject=False,
            work=WorkKind.TAKES,
        ),
    )
}
"""Every command by its name, those of the whole bridge behind a `/`, in the order of the
documentation."""
