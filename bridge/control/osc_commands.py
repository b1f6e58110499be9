"""Handles OSC commands below `/cstalk`, replies to them, and notifies their senders of recordings.

/cstalk/ok address              done
/cstalk/error address text      failed, with the reason
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from cstalk_bridge.control.commands import COMMANDS, PREFIX, Reply, WorkKind, message_reply
from cstalk_bridge.control.subject_controller import record_message
from cstalk_bridge.document import nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cstalk_bridge.control.commands import Address, Command
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.subject_controller import BridgeState, OscWords, SubjectState
    from cstalk_bridge.takes.recording.open_take import RecordedTake
    from cstalk_bridge.takes.recording.recorder import Recorder


OK, ERROR = f"/{PREFIX}/ok", f"/{PREFIX}/error"
REPLY_ADDRESSES = (OK, ERROR)
"""Addresses of replies, which get none: two bridges would answer each other forever."""

MAX_QUESTIONS, QUESTIONS_S = 10, 1.0
"""Questions answered within that time, of all senders together."""

MAX_ERROR_CHARACTERS = 400
"""Characters of an error reply."""


class CommandHandler:
    """Handles the commands of the table by a controller."""

    def __init__(self, controller: Controller, now: Callable[[], float] = time.monotonic) -> None:
        self._controller = controller
        self._now = now
        self._question_times_s: deque[float] = deque(maxlen=MAX_QUESTIONS)

    @staticmethod
    def accepts(message: Message) -> bool:
        """Whether the message is below our prefix."""
        return message.address.startswith(f"/{PREFIX}/")

    def handle(self, message: Message, sender: Address) -> Reply:
        """Handle a message. UserError where it cannot be done; nothing was changed then."""
        command, act = self._act(message)
        if command.is_question:
            self._count_question(command)

        def work() -> Reply:
            done = act()
            messages = _state_messages(done) if command.is_question else []
            outgoing = [
                out
                for message_arguments in messages
                for out in message_reply([sender], *message_arguments).outgoing
            ]
            return Reply((*outgoing, *message_reply([sender], OK, message.address).outgoing))

        return work() if command.work is None else Reply(work=work, kind=command.work)

    def _count_question(self, command: Command) -> None:
        """Limit the rate of questions: an answer costs a hundred times as much as its question."""
        now_s = self._now()
        if (
            len(self._question_times_s) == MAX_QUESTIONS
            and now_s - self._question_times_s[0] < QUESTIONS_S
        ):
            what = f"answers {MAX_QUESTIONS} times in {QUESTIONS_S:g} s at most"
            raise UserError(Problem(command.name, what, "ask less often"))
        self._question_times_s.append(now_s)

    def _act(self, message: Message) -> tuple[Command, Callable[[], Any]]:
        """Return the command of a message, and the function that does it."""
        first, *others = message.address.split("/")[2:]
        if not others or (f"/{first}" in COMMANDS and others[0] not in COMMANDS):
            command = _find_command(first, is_of_subject=False)
            leading = others
            owners: tuple[object, ...] = (self._controller,)
        else:
            command = _find_command(others[0], is_of_subject=True)
            leading, owners = others[1:], self._controller.chosen(first)
        arguments = message.arguments
        if command.is_button(leading, arguments):
            if not arguments[0]:
                return command, list
            arguments = ()
        values = command.read((*leading, *arguments))
        methods = [getattr(owner, command.name) for owner in owners]
        return command, lambda: [method(**values) for method in methods]


def _state_messages(states: Iterable[SubjectState | BridgeState]) -> list[OscWords]:
    return [message for state in states for message in state.messages()]


def error_reply(message: Message, error: UserError, to: Iterable[Address]) -> Reply:
    """Return the reply to a message that failed."""
    return message_reply(
        to, ERROR, _sendable(message.address), _sendable("; ".join(map(str, error.problems)))
    )


def _sendable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:MAX_ERROR_CHARACTERS]


def _find_command(name: str, *, is_of_subject: bool) -> Command:
    known = {c.name: c for c in COMMANDS.values() if c.is_of_subject == is_of_subject}
    if name not in known:
        what = f"there is no command {name[:80]!r}"
        raise UserError(Problem(f"/{PREFIX}", what, nearest(name[:80], known)))
    return known[name]


MAX_SUBSCRIBERS = 8
"""Subscribers; a new one replaces the one whose last message is the oldest."""

STATE_ADDRESS = COMMANDS["/state"].address
RECORD_ADDRESS = record_message(is_on=True)[0]


class StateSubscribers:
    """Senders who asked for the state or for a take; `send` sends from any thread.

    The former get `/cstalk/record`, and the lamps of a subject, whenever they change. Both, and the
    app's `targets`, get an error as soon as a take is lost.
    """

    def __init__(
        self, send: Callable[[Reply], None], targets: Callable[[], Iterable[Address]]
    ) -> None:
        self._send = send
        self._targets = targets
        self._watching: tuple[Address, ...] = ()
        self._recording: tuple[Address, ...] = ()
        self._lamps: dict[str, tuple[str, ...]] = {}

    def note(self, message: Message, kind: WorkKind, sender: Address) -> None:
        """Subscribe the sender of a message that led to work; one thread at a time."""
        if message.address == STATE_ADDRESS:
            self._watching = _added(self._watching, sender)
        elif kind is WorkKind.TAKES:
            self._recording = _added(self._recording, sender)

    def watch(self, recorder: Recorder) -> None:
        """Report all recordings of a recorder."""
        recorder.watch(lambda _take: self._notify(is_on=True), self._ended)

    def report_lamps(self, controller: Controller) -> None:
        """Send the lamps of the subjects that have changed since the last call; one thread.

        The first call sends all, as some may have changed since the reply to the first watcher.
        Costs nothing while nobody watches. UserError while no bridge runs.
        """
        if not self._watching:
            self._lamps = {}
            return
        states = controller.state().subjects
        before, self._lamps = self._lamps, {state.name: state.lamps for state in states}
        for state in states:
            if before.get(state.name) != state.lamps:
                for message in state.lamp_messages():
                    self._send(message_reply(self._watching, *message))

    def _notify(self, *, is_on: bool) -> None:
        self._send(message_reply(self._watching, *record_message(is_on=is_on)))

    def _ended(self, take: RecordedTake) -> None:
        self._notify(is_on=False)
        if take.problem is not None:
            to = dict.fromkeys((*self._targets(), *self._watching, *self._recording))
            self._send(error_reply(Message(RECORD_ADDRESS, ()), UserError(take.problem), to))


def _added(senders: tuple[Address, ...], sender: Address) -> tuple[Address, ...]:
    others = tuple(other for other in senders if other != sender)
    return (*others, sender)[-MAX_SUBSCRIBERS:]
