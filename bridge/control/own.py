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
    from bridge.control.state import SubjectState, Words
    from bridge.links.osc import Message

OK, ERROR = f"/{PREFIX}/ok", f"/{PREFIX}/error"

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

        return Answer(work=work) if command.is_slow else work()

    def _count_question(self, command: Command) -> None:
        """Refuse a question too many: an answer costs a hundred times what asking does."""
        now_s = self._now()
        if len(self._asked_s) == MAX_QUESTIONS and now_s - self._asked_s[0] < QUESTIONS_S:
            what = f"is answered {MAX_QUESTIONS} times in {QUESTIONS_S:g} s"
            raise UserError(Problem(command.name, what, "ask less often"))
        self._asked_s.append(now_s)

    def _act(self, message: Message) -> tuple[Command, Callable[[], Any]]:
        """Return the command that a message means, and what does it."""
        parts = message.address.split("/")[2:]
        if len(parts) == 1:
            command = _command(parts[0], is_of_subject=False)
            values = command.read(message.arguments)
            method = getattr(self._desk, command.name)
            return command, lambda: method(**values)
        name, word, *leading = parts
        command = _command(word, is_of_subject=True)
        values = command.read((*leading, *message.arguments))
        methods = [getattr(subject, command.name) for subject in self._desk.chosen(name)]
        return command, lambda: [method(**values) for method in methods]


def _told(states: Iterable[SubjectState]) -> list[Words]:
    return [words for state in states for words in state.messages()]


def told_error(message: Message, error: UserError, sender: Address) -> Answer:
    """Return the answer to a message that could not be followed."""
    words = "; ".join(map(str, error.problems)).replace("\0", "")[:MAX_WORDS]
    return said([sender], ERROR, message.address.replace("\0", ""), words)


def _command(name: str, *, is_of_subject: bool) -> Command:
    known = {key: each for key, each in COMMANDS.items() if each.is_of_subject == is_of_subject}
    if name not in known:
        what = f"there is no command {name[:80]!r}"
        raise UserError(Problem(f"/{PREFIX}", what, nearest(name[:80], known)))
    return known[name]
