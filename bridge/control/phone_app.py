"""Emulates the Live Link Face app for OSC controllers: the table of its messages, and the reply to
each.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cstalk_bridge.control.commands import (
    MAX_INT32,
    NO_REPLY,
    Outgoing,
    Parameter,
    ParameterType,
    Reply,
    WorkKind,
    message_reply,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.outputs.udp import Target
from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cstalk_bridge.control.commands import Address
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.outputs.livelink_face import LiveLinkFaceLink
    from cstalk_bridge.outputs.osc_messages import Message


HOST = Parameter("host", ParameterType.TEXT)
PORT = Parameter("port", ParameterType.WHOLE, minimum=1, maximum=65535)
SUBJECT = Parameter("subject", ParameterType.TEXT)
SLATE = Parameter("slate", ParameterType.TEXT)
TAKE = Parameter("take", ParameterType.WHOLE, minimum=0, maximum=MAX_INT32)
ADDRESS = Parameter("host:port", ParameterType.TEXT)
PATH = Parameter("path", ParameterType.TEXT)


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """One message: its arguments, the reply as users read it, and what it does.

    A button may send it with a 1 alone as it is pressed and a 0 as it is released, which does
    nothing.
    """

    address: str
    reply: str
    does: str
    parameters: tuple[Parameter, ...] = ()
    is_button: bool = False

    @property
    def usage(self) -> str:
        """Its arguments as users write them."""
        return " ".join(parameter.name for parameter in self.parameters)


MESSAGES: dict[str, PhoneMessage] = {
    message.address: message
    for message in (
        PhoneMessage(
            "/OSCSetSendTarget",
            "/OSCSetSendTargetConfirm",
            "sets the only target of replies",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/OSCAddSendTarget",
            "/OSCAddSendTargetConfirm",
            "adds a target of replies",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/AddLiveLinkAddress",
            "",
            "adds a receiver of Live Link Face packets of all subjects, if it may control",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/ClearAllLiveLinkAddresses", "", "removes all receivers of Live Link Face packets"
        ),
        PhoneMessage(
            "/LiveLinkSubject",
            "",
            "renames the first subject in Unreal; the name of another subject is refused",
            (SUBJECT,),
        ),
        PhoneMessage(
            "/LiveLinkStreamStart", "", "sends Live Link Face packets, as after the start"
        ),
        PhoneMessage(
            "/LiveLinkStreamStop",
            "",
            "leaves the faces at rest and sends no Live Link Face packets",
        ),
        PhoneMessage("/BatteryQuery", "/Battery 1.0", "reports a full battery"),
        PhoneMessage("/ThermalsQuery", "/Thermals 0", "reports a cool device"),
        PhoneMessage("/Slate", "/SlateConfirm", "sets the slate of the next take", (SLATE,)),
        PhoneMessage("/Take", "/TakeConfirm", "sets the number of the next take", (TAKE,)),
        PhoneMessage("/SlateQuery", "/Slate slate", "reports the slate of the next take"),
        PhoneMessage("/TakeQuery", "/Take take", "reports the number of the next take"),
        PhoneMessage(
            "/ARSessionStart", "/ARSessionStartConfirm", "does nothing: faces are always animated"
        ),
        PhoneMessage("/ARSessionStop", "/ARSessionStopConfirm", "does nothing"),
        PhoneMessage(
            "/RecordStart",
            "/RecordStartConfirm timecode",
            "starts a take of all subjects; a button starts the next take of the slate",
            (SLATE, TAKE),
            is_button=True,
        ),
        PhoneMessage(
            "/RecordStop",
            "/RecordStopConfirm timecode csv wav",
            "stops the take; the files are those of the first subject",
            is_button=True,
        ),
        PhoneMessage(
            "/Transport",
            "",
            "connects over TCP, sends the size of a file of a take as int32, then the file",
            (ADDRESS, PATH),
        ),
        PhoneMessage("/VideoDisplayOn", "", "does nothing"),
        PhoneMessage("/VideoDisplayOff", "", "does nothing"),
    )
}
"""Every message by its address, in the order of the documentation."""

ACTIVATED, DEACTIVATED = "/AppActivated", "/AppDeactivated"
"""Messages to each new send target, and to all when the bridge ends."""

TIMECODE = "00:00:00.000"
"""Sent in place of a timecode, as by the app; the take's own is in its `take.json`."""


MAX_FILE_BYTES = MAX_INT32
"""Limit of the protocol's size field: three hours of sound at 48 kHz."""

SEND_TIMEOUT_S = 10.0
"""Time a receiver has to accept a connection, and to take the next chunk."""

CHUNK_BYTES = 1 << 16


def send_file(address: tuple[str, int], path: Path, timeout_s: float = SEND_TIMEOUT_S) -> None:
    """Connect to an IP address and port and send a file; waits. UserError where that fails."""
    where = f"{address[0]}:{address[1]}"
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size > MAX_FILE_BYTES:
                what = f"has {size} bytes; {MAX_FILE_BYTES} can be sent at most"
                raise UserError(Problem(path.name, what, "copy it from the folder of the takes"))
            with socket.create_connection(address, timeout=timeout_s) as receiver:
                receiver.sendall(struct.pack(">i", size))
                while piece := file.read(min(CHUNK_BYTES, size)):
                    receiver.sendall(piece)
                    size -= len(piece)
    except OSError as error:
        what = f"{path.name} could not be sent: {error.strerror or error}"
        raise UserError(Problem(where, what)) from None


class LiveLinkStream:
    """Receivers, names and state of all Live Link Face links. Its methods never wait."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self.clearings = 0
        """How often all receivers were removed."""

    def add(self, host: str, port: int) -> None:
        """Add a receiver of all subjects; `host` is an allowed IP address. UserError."""
        for subject in self._controller.subjects:
            if not subject.live_links:
                remedy = "give it a livelink-face:// link"
                raise UserError(Problem(subject.name, "has no Live Link Face link", remedy))
            subject.live_links[0].targets.add(create_target(host, port))

    def clear(self) -> None:
        """Remove all receivers."""
        self.clearings += 1
        for link in self._all():
            link.targets.drop_all()

    def rename(self, name: str) -> None:
        """Rename the first subject in Unreal. UserError where the name is invalid or taken.

        Unreal compares names without case, and drops one of two subjects of one name.
        """
        first, *others = self._controller.subjects
        for other in others:
            names = {other.name, *(link.subject for link in other.live_links)}
            if name_key(name) in map(name_key, names):
                what = f"{name[:80]!r} is the name of another subject"
                raise UserError(Problem("control", what, "give every subject a name of its own"))
        try:
            for link in first.live_links:
                link.rename(name)
        except ValueError as error:
            raise UserError(Problem("control", str(error))) from None

    def stream(self, *, is_on: bool) -> None:
        """Send packets, or leave the faces at rest and stop sending."""
        for link in self._all():
            link.is_streaming = is_on

    def _all(self) -> Iterator[LiveLinkFaceLink]:
        for subject in self._controller.subjects:
            yield from subject.live_links


def create_target(host: str, port: int) -> Target:
    """Return the target of packets with this host, a name or an address. UserError."""
    try:
        return Target(host=host, port=port)
    except ValidationError:
        raise UserError(Problem("control", f"{host[:80]!r} is not a host")) from None


MAX_TARGETS = 8
"""Send targets at once."""


class PhoneApp:
    """One phone: all subjects of a controller, named after the first.

    `resolve` returns the IP address of a host, or raises UserError; it may wait. Only hosts that
    `is_allowed` become targets or receivers of packets. `send_file` sends a file to an address, and
    may wait long.
    """

    def __init__(
        self,
        controller: Controller,
        *,
        resolve: Callable[[str], str],
        is_allowed: Callable[[str], bool],
        send_file: Callable[[Address, Path], None],
    ) -> None:
        self.targets: tuple[Address, ...] = ()
        self._settings = 0
        self._controller = controller
        self._links = LiveLinkStream(controller)
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._send_file = send_file
        self._actions: dict[str, Callable[..., Reply]] = {
            "/OSCSetSendTarget": partial(self._set_target, is_only=True),
            "/OSCAddSendTarget": partial(self._set_target, is_only=False),
            "/AddLiveLinkAddress": self._add_receiver,
            "/ClearAllLiveLinkAddresses": self._clear_receivers,
            "/LiveLinkSubject": self._rename,
            "/LiveLinkStreamStart": partial(self._stream, is_on=True),
            "/LiveLinkStreamStop": partial(self._stream, is_on=False),
            "/BatteryQuery": partial(self._reply, "/Battery", 1.0),
            "/ThermalsQuery": partial(self._reply, "/Thermals", 0),
            "/Slate": self._set_slate,
            "/Take": self._set_take,
            "/SlateQuery": self._report_slate,
            "/TakeQuery": self._report_take,
            "/ARSessionStart": partial(self._reply, "/ARSessionStartConfirm"),
            "/ARSessionStop": partial(self._reply, "/ARSessionStopConfirm"),
            "/RecordStart": self._start,
            "/RecordStop": self._stop,
            "/Transport": self._transport,
            "/VideoDisplayOn": lambda _sender: NO_REPLY,
            "/VideoDisplayOff": lambda _sender: NO_REPLY,
        }

    @staticmethod
    def accepts(message: Message) -> bool:
        """Whether the message is one of the app's."""
        return message.address in MESSAGES

    def handle(self, message: Message, sender: Address) -> Reply:
        """Handle a message that it accepts. UserError where it cannot be done."""
        declared, arguments = MESSAGES[message.address], message.arguments
        act = self._actions[message.address]
        if declared.is_button and (
            not arguments or (len(arguments) == 1 and arguments[0] in (0, 1))
        ):
            # A button sends 0 as it is released.
            return NO_REPLY if arguments and not arguments[0] else act(sender)
        if len(arguments) < len(declared.parameters):
            what = f"takes {declared.usage}, found {len(arguments)} arguments"
            raise UserError(Problem(message.address, what))
        values = [p.read(a) for p, a in zip(declared.parameters, arguments, strict=False)]
        return act(sender, *values)

    def receivers_of(self, sender: Address) -> tuple[Address, ...]:
        """Return who receives the outcome of a message of that sender."""
        return tuple(dict.fromkeys((*self.targets, sender)))

    def shutdown(self) -> Reply:
        """Return the message to all targets that the bridge ends."""
        return message_reply(self.targets, DEACTIVATED)

    def _reply(self, address: str, *rest: Any) -> Reply:
        *arguments, sender = rest
        return message_reply(self.targets or (sender,), address, *arguments)

    def _set_target(self, _sender: Address, host: str, port: int, *, is_only: bool) -> Reply:
        if is_only:
            self._settings += 1
        setting = self._settings

        def aim(address: str) -> Reply:
            # A target set during the look-up is newer.
            is_late = is_only and setting != self._settings
            return NO_REPLY if is_late else self._add_target(address, port, is_only=is_only)

        return self._with_address(host, aim)

    def _add_target(self, host: str, port: int, *, is_only: bool) -> Reply:
        self._check(host)
        target = (host, port)
        is_new = target not in self.targets
        kept = () if is_only else tuple(other for other in self.targets if other != target)
        self.targets = (*kept, target)[-MAX_TARGETS:]
        confirm = "/OSCSetSendTargetConfirm" if is_only else "/OSCAddSendTargetConfirm"
        replies = [confirm, ACTIVATED] if is_new else [confirm]
        return Reply(tuple(Outgoing(target, encode_message(reply)) for reply in replies))

    def _check(self, host: str) -> None:
        if not self._is_allowed(host):
            remedy = "add it to `control: allow:` of the config"
            raise UserError(Problem("control", f"{host} is not allowed", remedy))

    def _with_address(self, host: str, act: Callable[[str], Reply]) -> Reply:
        """Return the reply of `act` for a host's IP address; a name is looked up in a thread."""
        if _is_ip(host):
            return act(host)
        return Reply(work=lambda: act(self._resolve(host)), kind=WorkKind.NAMES)

    def _add_receiver(self, _sender: Address, host: str, port: int) -> Reply:
        create_target(host, port)
        clearings = self._links.clearings

        def add(address: str) -> Reply:
            self._check(address)
            # A receiver removed during the look-up stays removed.
            if clearings == self._links.clearings:
                self._links.add(address, port)
            return NO_REPLY

        return self._with_address(host, add)

    def _clear_receivers(self, _sender: Address) -> Reply:
        self._links.clear()
        return NO_REPLY

    def _rename(self, _sender: Address, name: str) -> Reply:
        self._links.rename(name)
        return NO_REPLY

    def _stream(self, _sender: Address, *, is_on: bool) -> Reply:
        self._links.stream(is_on=is_on)
        return NO_REPLY

    def _set_slate(self, sender: Address, slate: str) -> Reply:
        self._controller.takes.slate = slate
        return self._reply("/SlateConfirm", sender)

    def _set_take(self, sender: Address, take: int) -> Reply:
        self._controller.takes.take = take
        return self._reply("/TakeConfirm", sender)

    def _report_slate(self, sender: Address) -> Reply:
        return self._reply("/Slate", self._controller.takes.slate, sender)

    def _report_take(self, sender: Address) -> Reply:
        return self._reply("/Take", self._controller.takes.take, sender)

    def _start(self, sender: Address, slate: str | None = None, take: int | None = None) -> Reply:
        def start() -> Reply:
            self._controller.takes.start(slate, take)
            return self._reply("/RecordStartConfirm", TIMECODE, sender)

        return Reply(work=start, kind=WorkKind.TAKES)

    def _stop(self, sender: Address) -> Reply:
        def stop() -> Reply:
            takes = self._controller.takes
            recorded = takes.stop()
            files = [takes.path(each[0]) for each in (recorded.curves, recorded.sounds)]
            return self._reply("/RecordStopConfirm", TIMECODE, *files, sender)

        return Reply(work=stop, kind=WorkKind.TAKES)

    def _transport(self, _sender: Address, place: str, path: str) -> Reply:
        host, _, port_text = place.rpartition(":")
        port = int(PORT.read(port_text))

        def transport() -> Reply:
            address = self._resolve(host.strip("[]"))
            self._check(address)
            self._send_file((address, port), self._controller.takes.file(path))
            return NO_REPLY

        return Reply(work=transport, kind=WorkKind.TRANSPORT)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
