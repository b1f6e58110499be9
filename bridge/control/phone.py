"""The Live Link Face app's side of its OSC conversation: a message in, an answer out.

It knows no socket. Answers go to the targets that a controller has set, before that to the sender.
What may wait, for a disk, a name or another machine, is work of the answer.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.control.answer import NOTHING, Answer, Outgoing, said
from bridge.control.live_links import LiveLinks, receiver
from bridge.control.phone_messages import ACTIVATED, DEACTIVATED, MESSAGES, PORT, TIMECODE
from bridge.control.worker import Kind
from bridge.errors import Problem, UserError
from bridge.links.osc import encode_message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.control.answer import Address
    from bridge.control.desk import Desk
    from bridge.links.osc import Message

MAX_TARGETS = 8
"""Controllers that are answered at once."""


class Phone:
    """One phone: all subjects of a desk, of which the first gives it its name.

    `resolve` returns the IP address of a host, or raises UserError; it may wait. Only hosts that
    `is_allowed` become targets or receivers of packets. `hand_over` sends a file to an address, and
    may wait long.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        resolve: Callable[[str], str],
        is_allowed: Callable[[str], bool],
        hand_over: Callable[[Address, Path], None],
    ) -> None:
        self.targets: tuple[Address, ...] = ()
        self._settings = 0
        self._desk = desk
        self._links = LiveLinks(desk)
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._hand_over = hand_over
        self._acts: dict[str, Callable[..., Answer]] = {
            "/OSCSetSendTarget": partial(self._aim, is_only=True),
            "/OSCAddSendTarget": partial(self._aim, is_only=False),
            "/AddLiveLinkAddress": self._add_receiver,
            "/ClearAllLiveLinkAddresses": self._clear_receivers,
            "/LiveLinkSubject": self._rename,
            "/LiveLinkStreamStart": partial(self._stream, is_on=True),
            "/LiveLinkStreamStop": partial(self._stream, is_on=False),
            "/BatteryQuery": partial(self._say, "/Battery", 1.0),
            "/ThermalsQuery": partial(self._say, "/Thermals", 0),
            "/Slate": self._set_slate,
            "/Take": self._set_take,
            "/SlateQuery": self._tell_slate,
            "/TakeQuery": self._tell_take,
            "/ARSessionStart": partial(self._say, "/ARSessionStartConfirm"),
            "/ARSessionStop": partial(self._say, "/ARSessionStopConfirm"),
            "/RecordStart": self._start,
            "/RecordStop": self._stop,
            "/Transport": self._transport,
            "/VideoDisplayOn": lambda _sender: NOTHING,
            "/VideoDisplayOff": lambda _sender: NOTHING,
        }

    @staticmethod
    def knows(message: Message) -> bool:
        """Whether the message is one of the app's."""
        return message.address in MESSAGES

    def hear(self, message: Message, sender: Address) -> Answer:
        """Do as a message says, which it knows. UserError where that cannot be."""
        told, arguments = MESSAGES[message.address], message.arguments
        act = self._acts[message.address]
        if told.is_button and (not arguments or (len(arguments) == 1 and arguments[0] in (0, 1))):
            # What a button sends as it is released.
            return NOTHING if arguments and not arguments[0] else act(sender)
        if len(arguments) < len(told.parameters):
            what = f"takes {told.usage}, found {len(arguments)} arguments"
            raise UserError(Problem(message.address, what))
        values = [p.read(a) for p, a in zip(told.parameters, arguments, strict=False)]
        return act(sender, *values)

    def listeners(self, sender: Address) -> tuple[Address, ...]:
        """Return who is told of what a message of that sender led to."""
        return tuple(dict.fromkeys((*self.targets, sender)))

    def farewell(self) -> Answer:
        """Tell all targets that the bridge ends."""
        return said(self.targets, DEACTIVATED)

    def _say(self, address: str, *rest: Any) -> Answer:
        *arguments, sender = rest
        return said(self.targets or (sender,), address, *arguments)

    def _aim(self, _sender: Address, host: str, port: int, *, is_only: bool) -> Answer:
        if is_only:
            self._settings += 1
        setting = self._settings

        def aim(address: str) -> Answer:
            # Who was set while the name was looked for is the newer one.
            is_late = is_only and setting != self._settings
            return NOTHING if is_late else self._aimed(address, port, is_only=is_only)

        return self._found(host, aim)

    def _aimed(self, host: str, port: int, *, is_only: bool) -> Answer:
        self._check(host)
        target = (host, port)
        is_new = target not in self.targets
        kept = () if is_only else tuple(other for other in self.targets if other != target)
        self.targets = (*kept, target)[-MAX_TARGETS:]
        confirm = "/OSCSetSendTargetConfirm" if is_only else "/OSCAddSendTargetConfirm"
        replies = [confirm, ACTIVATED] if is_new else [confirm]
        return Answer(tuple(Outgoing(target, encode_message(reply)) for reply in replies))

    def _check(self, host: str) -> None:
        if not self._is_allowed(host):
            remedy = "add it to `control: allow:` of the config"
            raise UserError(Problem("control", f"{host} may not be sent to", remedy))

    def _found(self, host: str, act: Callable[[str], Answer]) -> Answer:
        """Return what follows from acting on the IP address of a host; a name is looked for."""
        if _is_ip(host):
            return act(host)
        return Answer(work=lambda: act(self._resolve(host)), kind=Kind.NAMES)

    def _add_receiver(self, _sender: Address, host: str, port: int) -> Answer:
        receiver(host, port)
        clearings = self._links.clearings

        def add(address: str) -> Answer:
            self._check(address)
            # Who was dropped while the name was looked for stays dropped.
            if clearings == self._links.clearings:
                self._links.add(address, port)
            return NOTHING

        return self._found(host, add)

    def _clear_receivers(self, _sender: Address) -> Answer:
        self._links.clear()
        return NOTHING

    def _rename(self, _sender: Address, name: str) -> Answer:
        self._links.rename(name)
        return NOTHING

    def _stream(self, _sender: Address, *, is_on: bool) -> Answer:
        self._links.stream(is_on=is_on)
        return NOTHING

    def _set_slate(self, sender: Address, slate: str) -> Answer:
        self._desk.takes.slate = slate
        return self._say("/SlateConfirm", sender)

    def _set_take(self, sender: Address, take: int) -> Answer:
        self._desk.takes.take = take
        return self._say("/TakeConfirm", sender)

    def _tell_slate(self, sender: Address) -> Answer:
        return self._say("/Slate", self._desk.takes.slate, sender)

    def _tell_take(self, sender: Address) -> Answer:
        return self._say("/Take", self._desk.takes.take, sender)

    def _start(self, sender: Address, slate: str | None = None, take: int | None = None) -> Answer:
        def start() -> Answer:
            self._desk.takes.start(slate, take)
            return self._say("/RecordStartConfirm", TIMECODE, sender)

        return Answer(work=start, kind=Kind.TAKES)

    def _stop(self, sender: Address) -> Answer:
        def stop() -> Answer:
            takes = self._desk.takes
            recorded = takes.stop()
            files = [takes.path(each[0]) for each in (recorded.curves, recorded.sounds)]
            return self._say("/RecordStopConfirm", TIMECODE, *files, sender)

        return Answer(work=stop, kind=Kind.TAKES)

    def _transport(self, _sender: Address, place: str, path: str) -> Answer:
        host, _, port_text = place.rpartition(":")
        port = int(PORT.read(port_text))

        def transport() -> Answer:
            address = self._resolve(host.strip("[]"))
            self._check(address)
            self._hand_over((address, port), self._desk.takes.file(path))
            return NOTHING

        return Answer(work=transport, kind=Kind.TRANSPORT)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
