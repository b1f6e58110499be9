"""The Live Link Face app's side of its OSC conversation: a message in, an answer out.

It knows no socket. Answers go to the targets that a controller has set, before that to the sender.
What may wait, for a disk, a name or another machine, is work of the answer.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.control.answer import NOTHING, Answer, Outgoing, said
from bridge.control.live_links import LiveLinks
from bridge.control.phone_messages import ACTIVATED, DEACTIVATED, MESSAGES, PORT, TIMECODE
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
    `is_allowed` become targets. `hand_over` sends a file to an address, and may wait long.
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
        parameters = MESSAGES[message.address].parameters
        if len(message.arguments) < len(parameters):
            what = f"takes {MESSAGES[message.address].usage}, found {len(message.arguments)}"
            raise UserError(Problem(message.address, f"{what} arguments"))
        values = [p.read(a) for p, a in zip(parameters, message.arguments, strict=False)]
        return self._acts[message.address](sender, *values)

    def farewell(self) -> Answer:
        """Tell all targets that the bridge ends."""
        return said(self.targets, DEACTIVATED)

    def _say(self, address: str, *rest: Any) -> Answer:
        *arguments, sender = rest
        return said(self.targets or (sender,), address, *arguments)

    def _aim(self, _sender: Address, host: str, port: int, *, is_only: bool) -> Answer:
        if _is_ip(host):
            return self._aimed(host, port, is_only=is_only)
        return Answer(work=lambda: self._aimed(self._resolve(host), port, is_only=is_only))

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
            raise UserError(Problem("control", f"{host} may not be answered", remedy))

    def _add_receiver(self, _sender: Address, host: str, port: int) -> Answer:
        return _later(partial(self._links.add, host, port))

    def _clear_receivers(self, _sender: Address) -> Answer:
        return _later(self._links.clear)

    def _rename(self, _sender: Address, name: str) -> Answer:
        return _later(partial(self._links.rename, name))

    def _stream(self, _sender: Address, *, is_on: bool) -> Answer:
        return _later(partial(self._links.stream, is_on=is_on))

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

    def _start(self, sender: Address, slate: str, take: int) -> Answer:
        def start() -> Answer:
            self._desk.takes.start(slate, take)
            return self._say("/RecordStartConfirm", TIMECODE, sender)

        return Answer(work=start)

    def _stop(self, sender: Address) -> Answer:
        def stop() -> Answer:
            takes = self._desk.takes
            recorded = takes.stop()
            files = [takes.path(each[0]) for each in (recorded.curves, recorded.sounds)]
            return self._say("/RecordStopConfirm", TIMECODE, *files, sender)

        return Answer(work=stop)

    def _transport(self, _sender: Address, place: str, path: str) -> Answer:
        host, _, port_text = place.rpartition(":")
        port = int(PORT.read(port_text))

        def transport() -> None:
            address = self._resolve(host.strip("[]"))
            self._check(address)
            self._hand_over((address, port), self._desk.takes.file(path))

        return replace(_later(transport), is_transport=True)


def _later(act: Callable[[], None]) -> Answer:
    """Return the answer whose work is an act that says nothing."""

    def work() -> Answer:
        act()
        return NOTHING

    return Answer(work=work)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
