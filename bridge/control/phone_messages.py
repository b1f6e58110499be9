"""The table of what the Live Link Face app takes and answers over OSC, and what it does here.

The facts are those of the app's documentation and of the controllers that drive it (Switchboard,
Peel, a Chataigne module). Controllers send a `1` after messages that need no argument, and more
may follow: what the table does not name is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.control.parameters import Kind, Parameter

MAX_INT32 = 2**31 - 1
"""Take numbers are int32 over OSC."""

HOST = Parameter("host", Kind.TEXT)
PORT = Parameter("port", Kind.WHOLE, minimum=1, maximum=65535)
SUBJECT = Parameter("subject", Kind.TEXT)
SLATE = Parameter("slate", Kind.TEXT)
TAKE = Parameter("take", Kind.WHOLE, minimum=0, maximum=MAX_INT32)
ADDRESS = Parameter("host:port", Kind.TEXT)
PATH = Parameter("path", Kind.TEXT)


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """One message: its arguments, what it is answered with as users read it, and what it does.

    A button may send it with a 1 alone as it is pressed and a 0 as it is released, which does
    nothing.
    """

    address: str
    answer: str
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
            "answers go there from now on, and to nobody else",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/OSCAddSendTarget",
            "/OSCAddSendTargetConfirm",
            "answers go there too",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/AddLiveLinkAddress",
            "",
            "sends the Live Link Face packets of all subjects there too, if it may control",
            (HOST, PORT),
        ),
        PhoneMessage(
            "/ClearAllLiveLinkAddresses", "", "sends Live Link Face packets to nobody any more"
        ),
        PhoneMessage(
            "/LiveLinkSubject",
            "",
            "renames the first subject in Unreal; not to the name of another",
            (SUBJECT,),
        ),
        PhoneMessage("/LiveLinkStreamStart", "", "sends Live Link Face packets; so it starts"),
        PhoneMessage("/LiveLinkStreamStop", "", "leaves the faces at rest and sends none"),
        PhoneMessage("/BatteryQuery", "/Battery 1.0", "says that there is power"),
        PhoneMessage("/ThermalsQuery", "/Thermals 0", "says that nothing is hot"),
        PhoneMessage("/Slate", "/SlateConfirm", "sets the slate of the next take", (SLATE,)),
        PhoneMessage("/Take", "/TakeConfirm", "sets the number of the next take", (TAKE,)),
        PhoneMessage("/SlateQuery", "/Slate slate", "tells the slate of the next take"),
        PhoneMessage("/TakeQuery", "/Take take", "tells the number of the next take"),
        PhoneMessage("/ARSessionStart", "/ARSessionStartConfirm", "nothing: faces are always made"),
        PhoneMessage("/ARSessionStop", "/ARSessionStopConfirm", "nothing"),
        PhoneMessage(
            "/RecordStart",
            "/RecordStartConfirm timecode",
            "starts a take of all subjects; a button starts the next of the slate",
            (SLATE, TAKE),
            is_button=True,
        ),
        PhoneMessage(
            "/RecordStop",
            "/RecordStopConfirm timecode csv wav",
            "ends the take; the files are those of the first subject",
            is_button=True,
        ),
        PhoneMessage(
            "/Transport",
            "",
            "connects there over TCP, sends the size of a take's file as int32, then the file",
            (ADDRESS, PATH),
        ),
        PhoneMessage("/VideoDisplayOn", "", "nothing"),
        PhoneMessage("/VideoDisplayOff", "", "nothing"),
    )
}
"""Every message by its address, in the order of the documentation."""

ACTIVATED, DEACTIVATED = "/AppActivated", "/AppDeactivated"
"""What is sent unasked: to whoever becomes a send target, and to all when the bridge ends."""

TIMECODE = "00:00:00.000"
"""What the app says in place of a timecode; the take's own stand in its `take.json`."""
