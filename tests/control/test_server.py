"""Remote control over real sockets, by clients that others wrote."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from pythonosc.udp_client import SimpleUDPClient

from cstalk_bridge.config.servers import ControlConfig, OscAddress
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.control.replies import MAX_WAITING
from cstalk_bridge.control.server import ControlServer
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from tests.outputs.receiving import Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.control.running import RunningBridge


def talking_to(port: int) -> closing[SimpleUDPClient]:
    return closing(SimpleUDPClient("127.0.0.1", port))


def heard(controller: Receiver) -> Message:
    (message,) = decode_packet(controller.one())
    return message


def test_a_controller_finds_a_phone(bridge: RunningBridge) -> None:
    with receiver() as controller, talking_to(bridge.control_port) as client:
        client.send_message("/OSCAddSendTarget", ["127.0.0.1", controller.target.port])
        assert heard(controller).address == "/OSCAddSendTargetConfirm"
        assert heard(controller).address == "/AppActivated"
        client.send_message("/BatteryQuery", 1)
        assert heard(controller) == Message("/Battery", (1.0,))
        client.send_message("/RecordStart", ["Socket", 12])
        assert heard(controller).address == "/RecordStartConfirm"
        bridge.wait_for_take()
        client.send_message("/RecordStop", 1)
        curves = str(heard(controller).arguments[1])
        assert transported(client, curves) == (bridge.folder / "takes" / curves).read_bytes()


def transported(client: SimpleUDPClient, path: str) -> bytes:
    """Take a file as a controller does: listen, ask for it, read its size, then so many bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        client.send_message("/Transport", [f"127.0.0.1:{listening.getsockname()[1]}", path])
        accepted, _ = listening.accept()
        with accepted, accepted.makefile("rb") as stream:
            (size,) = struct.unpack(">i", stream.read(4))
            content = stream.read()
    assert len(content) == size
    return content


def test_our_commands_answer_their_sender(bridge: RunningBridge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(5)
        own.bind(("127.0.0.1", 0))
        own.connect(("127.0.0.1", bridge.control_port))
        own.send(encode_message("/cstalk/CSTalk/emotion", "happy", 0.8, 1.5))
        assert decode_packet(own.recv(2048)) == [Message("/cstalk/ok", ("/cstalk/CSTalk/emotion",))]
        own.send(encode_message("/cstalk/CSTalk/reload"))
        assert decode_packet(own.recv(2048)) == [Message("/cstalk/ok", ("/cstalk/CSTalk/reload",))]


@pytest.mark.skipif(shutil.which("oscsend") is None, reason="needs liblo-tools")
def test_liblo_is_understood(bridge: RunningBridge) -> None:
    port = str(bridge.control_port)
    address = "/cstalk/Ada_Lovelace/emotion"
    subprocess.run(["oscsend", "127.0.0.1", port, address, "sf", "sad", "0.4"], check=True)
    bridge.wait_for(
        lambda: bridge.controller.subject("Ada Lovelace").mix == {"sad": pytest.approx(0.4)}
    )


def test_a_flood_leaves_the_door_open(bridge: RunningBridge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for number in range(20_000):
            flood.sendto(b"\xff" * (number % 1500), ("127.0.0.1", bridge.control_port))
    with receiver() as controller, talking_to(bridge.control_port) as client:

        def is_answered() -> bool:
            client.send_message("/OSCSetSendTarget", ["127.0.0.1", controller.target.port])
            return bool(controller.all_waiting())

        bridge.wait_for(is_answered)


def server(controller: Controller, port: int = 0) -> ControlServer:
    place = OscAddress(port=port)
    return ControlServer(
        ControlConfig(osc=place), place, controller, notice=lambda _text: None, now=time.monotonic
    )


def test_the_end_is_told_and_the_port_given_back() -> None:
    first = server(Controller())
    port = first.address[1]
    first.start()
    with receiver() as controller, talking_to(port) as client:
        client.send_message("/OSCSetSendTarget", ["127.0.0.1", controller.target.port])
        assert [heard(controller).address for _ in range(2)] == [
            "/OSCSetSendTargetConfirm",
            "/AppActivated",
        ]
        first.stop()
        assert heard(controller).address == "/AppDeactivated"
    again = server(Controller(), port)
    first.stop()
    again.stop()


def test_a_port_that_is_taken_is_told() -> None:
    first = server(Controller())
    port = first.address[1]
    with pytest.raises(UserError, match=f"UDP port {port} is in use; end the program"):
        server(Controller(), port)
    first.stop()


@contextmanager
def controller(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(10)
        opened.bind(("127.0.0.1", 0))
        opened.connect(("127.0.0.1", port))
        yield opened


def answer_of(opened: socket.socket, *addresses: str) -> Message:
    """Return the next answer with one of the addresses."""
    while True:
        (message,) = decode_packet(opened.recv(2048))
        if message.address in addresses:
            return message


@pytest.fixture
def silent(bridge: RunningBridge) -> Iterator[ControlServer]:
    """Remote control of a machine whose name server does not answer."""
    answered, place = threading.Event(), OscAddress(port=0)

    def resolve(_host: str) -> str:
        answered.wait(60)
        raise UserError(Problem("control", "no name server"))

    opened = ControlServer(
        ControlConfig(osc=place),
        place,
        bridge.controller,
        notice=lambda _text: None,
        now=time.monotonic,
        resolve=resolve,
    )
    opened.start(bridge.controller.takes.recorder)
    yield opened
    answered.set()
    opened.stop()


def test_names_that_are_looked_for_hold_up_no_take(
    bridge: RunningBridge, silent: ControlServer
) -> None:
    with controller(silent.address[1]) as own:
        for number in range(3):
            own.send(encode_message("/AddLiveLinkAddress", f"silent{number}.example", 11111))
            own.send(encode_message("/OSCAddSendTarget", f"silent{number}.example", 11111))
        own.send(encode_message("/RecordStart", "Names", 1))
        assert answer_of(own, "/RecordStartConfirm", "/cstalk/error").address == (
            "/RecordStartConfirm"
        )
        bridge.wait_for_take()
        own.send(encode_message("/cstalk/CSTalk/reload"))
        assert answer_of(own, "/cstalk/ok").arguments == ("/cstalk/CSTalk/reload",)
        own.send(encode_message("/RecordStop"))
        assert answer_of(own, "/RecordStopConfirm", "/cstalk/error").address == (
            "/RecordStopConfirm"
        )


def test_names_beyond_the_bound_are_refused(silent: ControlServer) -> None:
    with controller(silent.address[1]) as own:
        for _ in range(MAX_WAITING + 2):
            own.send(encode_message("/AddLiveLinkAddress", "silent.example", 11111))
        message = answer_of(own, "/cstalk/error")
        assert message.arguments[0] == "/AddLiveLinkAddress"
        assert "too many requests at once" in str(message.arguments[1])


def test_lamps_follow_what_is_recorded(bridge: RunningBridge) -> None:
    with controller(bridge.control_port) as lamp, controller(bridge.control_port) as button:
        lamp.send(encode_message("/cstalk/state"))
        assert answer_of(lamp, "/cstalk/record").arguments == (0,)
        assert answer_of(lamp, "/cstalk/ok").arguments == ("/cstalk/state",)
        button.send(encode_message("/cstalk/record/start", 1))
        assert answer_of(lamp, "/cstalk/record").arguments == (1,)
        bridge.wait_for_take()
        button.send(encode_message("/cstalk/record/stop", 1))
        assert answer_of(lamp, "/cstalk/record").arguments == (0,)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")
def test_a_lost_take_is_told_at_once_to_all_who_asked_and_never_confirmed(
    bridge: RunningBridge,
) -> None:
    takes = bridge.folder / "takes"
    with (
        controller(bridge.control_port) as own,
        controller(bridge.control_port) as lamp,
        receiver() as phone,
    ):
        lamp.send(encode_message("/cstalk/state"))
        answer_of(lamp, "/cstalk/ok")
        own.send(encode_message("/OSCSetSendTarget", "127.0.0.1", phone.target.port))
        own.send(encode_message("/cstalk/record", "start", "Lost", 1))
        answer_of(own, "/cstalk/ok")
        bridge.wait_for_take()
        shutil.rmtree(next(takes.glob("*Lost*.recording")), ignore_errors=True)
        assert [answer_of(lamp, "/cstalk/record").arguments for _ in "10"] == [(1,), (0,)]
        for opened in (own, lamp):
            lost = answer_of(opened, "/cstalk/error")
            assert lost.arguments[0] == "/cstalk/record"
            assert "its files were removed" in str(lost.arguments[1])
        told = [decode_packet(phone.one())[0].address for _ in range(3)]
        assert told == ["/OSCSetSendTargetConfirm", "/AppActivated", "/cstalk/error"]
        own.send(encode_message("/RecordStop"))
        answer = answer_of(own, "/cstalk/error", "/RecordStopConfirm")
        assert answer.address == "/cstalk/error"
        assert "its files were removed" in str(answer.arguments[1])
        # The state is clear: the next take is one.
        own.send(encode_message("/cstalk/record", "start", "Lost", 2))
        answer_of(own, "/cstalk/ok")
        bridge.wait_for_take()
        own.send(encode_message("/cstalk/record", "stop"))
        assert answer_of(own, "/cstalk/ok", "/cstalk/error").address == "/cstalk/ok"
