"""Our own commands over OSC: a message below `/cstalk` in, what was done, or what is so, out.

/cstalk/ok address              it was done
/cstalk/error address words     it was not, and why
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from bridge.control.answer import Answer, said
from bridge.control.commands import COMMANDS, PREFIX
from bridge.document import nearest
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.control.answer import Address
    from bridge.control.commands import Command
    from bridge.control.desk import Desk
    from bridge.control.state import DeskState, SubjectState, Words
    from bridge.links.osc import Message

OK, ERROR = f"/{PREFIX}/ok", f"/{PREFIX}/error"
ANSWERS = (OK, ERROR)
"""What another bridge answers; two that answer each other would never end."""

MAX_QUESTIONS, QUESTIONS_S = 10, 1.0
"""Questions that are answered within that time, of all senders."""

MAX_WORDS = 400
"""Characters of an error that are sent."""


class Own:
    """The commands of the table, done at a desk."""

    def __init__(self, desk: Desk, now: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._now = now
        self._asked_s: deque[float] = deque(maxlen=MAX_QUESTIONS)

    @staticmethod
    def knows(message: Message) -> bool:
        """Whether the message is below our prefix."""
        return message.address.startswith(f"/{PREFIX}/")

    def hear(self, message: Message, sender: Address) -> Answer:
        """Do as a message says. UserError where that cannot be; nothing was done then."""
        command, act = self._act(message)
        if command.is_question:
            self._count_question(command)

        def work() -> Answer:
            done = act()
            told = _told(done) if command.is_question else []
            said_first = [out for words in told for out in said([sender], *words).outgoing]
            return Answer((*said_first, *said([sender], OK, message.address).outgoing))

        return work() if command.work is None else Answer(work=work, kind=command.work)

    def _count_question(self, command: Command) -> None:
        """Refuse a question too many: an answer costs a hundred times what asking does."""
        now_s = self._now()
        if len(self._asked_s) == MAX_QUESTIONS and now_s - self._asked_s[0] < QUESTIONS_S:
            what = f"is answered {MAX_QUESTIONS} times in {QUESTIONS_S:g} s"
            raise UserError(Problem(command.name, what, "ask less often"))
        self._asked_s.append(now_s)

    def _act(self, message: Message) -> tuple[Command, Callable[[], Any]]:
        """Return the command that a message means, and what does it."""
        first, *others = message.address.split("/")[2:]
        if not others or (f"/{first}" in COMMANDS and others[0] not in COMMANDS):
            command = _command(first, is_of_subject=False)
            leading = others
            owners: tuple[object, ...] = (self._desk,)
        else:
            command = _command(others[0], is_of_subject=True)
            leading, owners = others[1:], self._desk.chosen(first)
        arguments = message.arguments
        if command.is_button(leading, arguments):
            if not arguments[0]:
                return command, list
            arguments = ()
        values = command.read((*leading, *arguments))
        methods = [getattr(owner, command.name) for owner in owners]
        return command, lambda: [method(**values) for method in methods]


def _told(states: Iterable[SubjectState | DeskState]) -> list[Words]:
    return [words for state in states for words in state.messages()]


def told_error(message: Message, error: UserError, to: Iterable[Address]) -> Answer:
    """Return the answer to a message that could not be followed."""
    return said(
        to, ERROR, _sendable(message.address), _sendable("; ".join(map(str, error.problems)))
    )


def _sendable(words: str) -> str:
    return words.replace("\0", "").encode("utf-8", "replace").decode()[:MAX_WORDS]


def _command(name: str, *, is_of_subject: bool) -> Command:
    known = {c.name: c for c in COMMANDS.values() if c.is_of_subject == is_of_subject}
    if name not in known:
        what = f"there is no command {name[:80]!r}"
        raise UserError(Problem(f"/{PREFIX}", what, nearest(name[:80], known)))
    return known[name]
