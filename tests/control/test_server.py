"""OSC control: dispatching, hostile datagrams, transfers, and the server on real sockets."""

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
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from cstalk_bridge.control.access import ControlConfig, OscAddress
from cstalk_bridge.control.commands import COMMANDS, MAX_WAITING
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.control.phone_app import MESSAGES, PhoneApp
from cstalk_bridge.control.server import (
    MAX_DATAGRAM_BYTES,
    MAX_MESSAGES,
    MAX_REPORTED,
    REPORT_WINDOW_S,
    ControlServer,
    OscDispatcher,
    resolve_host,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from cstalk_bridge.system.addresses import bind
from tests.control.running import RunningBridge, running_bridge
from tests.outputs.receiving import Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.control.commands import Reply


HERE, STRANGER = ("127.0.0.1", 50_000), ("10.0.0.5", 50_000)


class DispatchHarness:
    """A dispatcher on a clock set by hand, with its notices."""

    def __init__(self, controller: Controller) -> None:
        self.now_s = 0.0
        self.notices: list[str] = []
        phone = PhoneApp(
            controller,
            resolve=resolve_host,
            is_allowed=self.is_here,
            send_file=lambda _to, _path: None,
        )
        self.dispatcher = OscDispatcher(
            controller,
            phone,
            is_allowed=self.is_here,
            notice=self.notices.append,
            now=lambda: self.now_s,
        )
        self.counters = self.dispatcher.counters

    @staticmethod
    def is_here(host: str) -> bool:
        return host == HERE[0]

    def handle(self, datagram: bytes) -> list[Reply]:
        return self.dispatcher.handle(datagram, HERE)


@pytest.fixture
def harness(bridge: RunningBridge) -> DispatchHarness:
    return DispatchHarness(bridge.controller)


def bundled(number: int) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for _ in range(number):
        message = OscMessageBuilder("/BatteryQuery")
        message.add_arg(1)
        builder.add_content(message.build())
    return bytes(builder.build().dgram)


def test_a_bundle_is_executed_message_by_message(harness: DispatchHarness) -> None:
    answers = harness.handle(bundled(3))
    addresses = [decode_packet(out.datagram)[0].address for a in answers for out in a.outgoing]
    assert addresses == ["/Battery"] * 3
    assert harness.counters.handled == 3


def test_an_unlisted_sender_is_refused_and_reported(harness: DispatchHarness) -> None:
    assert harness.dispatcher.handle(encode_message("/BatteryQuery"), STRANGER) == []
    assert (harness.counters.rejected, harness.counters.handled) == (1, 0)
    assert harness.notices == [
        "control: 10.0.0.5 is not allowed to control the bridge; see `control: allow:`"
    ]


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\0", b"/a", bundled(MAX_MESSAGES + 1), b"/" + b"a" * MAX_DATAGRAM_BYTES + b"\0" * 7],
    ids=["empty", "nul", "no end", "many", "long"],
)
def test_datagrams_that_are_not_osc_are_counted(harness: DispatchHarness, datagram: bytes) -> None:
    assert harness.handle(datagram) == []
    assert harness.counters.malformed == 1
    assert "not OSC" in harness.notices[0]


def test_commands_that_fail_are_answered_with_an_error(harness: DispatchHarness) -> None:
    (own,) = harness.handle(encode_message("/cstalk/CSTalk/intensity", 9.0))
    (app,) = harness.handle(encode_message("/Take", "three"))
    (other,) = harness.handle(encode_message("/face/jawOpen", 0.5))
    replies = [decode_packet(answer.outgoing[0].datagram)[0] for answer in (own, app, other)]
    assert {message.address for message in replies} == {"/cstalk/error"}
    assert [message.arguments for message in replies] == [
        ("/cstalk/CSTalk/intensity", "factor: must be 0 to 2, found 9.0"),
        ("/Take", "take: must be 0 to 2147483647, whole, found 'three'"),
        (
            "/face/jawOpen",
            "control: no command has this address; docs/control.md lists all commands",
        ),
    ]
    assert harness.counters.invalid == 3
    assert [text.partition(" from ")[0] for text in harness.notices[:2]] == [
        "control: /cstalk/CSTalk/intensity",
        "control: /Take",
    ]
    assert harness.notices[2].startswith("control: /face/jawOpen from 127.0.0.1: ")


@pytest.mark.parametrize("address", ["/cstalk/ok", "/cstalk/error"])
def test_two_bridges_do_not_reply_to_replies(harness: DispatchHarness, address: str) -> None:
    (answer,) = harness.handle(encode_message(address, "/cstalk/CSTalk/mute", "words"))
    assert answer.outgoing == ()
    assert harness.counters.invalid == 1


def test_a_flood_is_reported_and_answered_a_few_times_only(harness: DispatchHarness) -> None:
    wrong = encode_message("/cstalk/CSTalk/intensity", 9.0)
    sent = sum(len(answer.outgoing) for _ in range(1000) for answer in harness.handle(wrong))
    assert sent == len(harness.notices) == MAX_REPORTED
    assert harness.counters.invalid == 1000
    harness.now_s += REPORT_WINDOW_S
    harness.handle(wrong)
    assert len(harness.notices) == MAX_REPORTED + 1


def test_without_a_run_commands_do_nothing() -> None:
    harness = DispatchHarness(Controller())
    for address in ("/cstalk/CSTalk/mute", "/RecordStop", "/SlateQuery", "/LiveLinkStreamStop"):
        for answer in harness.handle(encode_message(address)):
            if answer.work:
                answer.work()
    assert harness.counters.invalid == 4
    assert all("no bridge is running" in text for text in harness.notices)


ADDRESSES = st.sampled_from(
    [*MESSAGES, *(c.address.replace("<subject>", "*") for c in COMMANDS.values())]
) | st.from_regex(r"/cstalk(/[ -~]{0,6}){0,4}", fullmatch=True)
ARGUMENTS = st.lists(
    st.integers(-(2**31), 2**31 - 1)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.booleans()
    | st.binary(min_size=1, max_size=9),
    max_size=6,
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Valid messages of an independent encoder, some of them truncated or changed."""
    builder = OscMessageBuilder(draw(ADDRESSES))
    for argument in draw(ARGUMENTS):
        builder.add_arg(argument)
    datagram = bytearray(builder.build().dgram)
    if draw(st.booleans()):
        datagram[draw(st.integers(0, len(datagram) - 1))] = draw(st.integers(0, 255))
    return bytes(datagram[: draw(st.integers(1, len(datagram)) | st.just(len(datagram)))])


STOPPED = DispatchHarness(Controller())


@given(messages() | st.binary(max_size=3000))
def test_no_datagram_raises_an_unexpected_error(datagram: bytes) -> None:
    STOPPED.now_s += REPORT_WINDOW_S
    for answer in STOPPED.handle(datagram):
        if answer.work:
            answer.work()
    assert not any("internal error" in text for text in STOPPED.notices)
    del STOPPED.notices[:]


@given(messages().filter(lambda datagram: b"ecord" not in datagram and b"Address" not in datagram))
def test_no_datagram_raises_an_unexpected_error_in_a_running_bridge(
    bridge: RunningBridge, datagram: bytes
) -> None:
    harness = DispatchHarness(bridge.controller)
    for answer in harness.handle(datagram):
        if answer.work:
            answer.work()
    assert not any("internal error" in text for text in harness.notices)


def client_of(port: int) -> closing[SimpleUDPClient]:
    return closing(SimpleUDPClient("127.0.0.1", port))


def received(controller: Receiver) -> Message:
    (message,) = decode_packet(controller.one())
    return message


def test_a_controller_finds_a_phone(bridge: RunningBridge) -> None:
    with receiver() as controller, client_of(bridge.control_port) as client:
        client.send_message("/OSCAddSendTarget", ["127.0.0.1", controller.target.port])
        assert received(controller).address == "/OSCAddSendTargetConfirm"
        assert received(controller).address == "/AppActivated"
        client.send_message("/BatteryQuery", 1)
        assert received(controller) == Message("/Battery", (1.0,))
        client.send_message("/RecordStart", ["Socket", 12])
        assert received(controller).address == "/RecordStartConfirm"
        bridge.wait_for_take()
        client.send_message("/RecordStop", 1)
        curves = str(received(controller).arguments[1])
        assert transferred(client, curves) == (bridge.folder / "takes" / curves).read_bytes()


def transferred(client: SimpleUDPClient, path: str) -> bytes:
    """Fetch a file as a controller does: listen, request it, read its size, then so many bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        client.send_message("/Transport", [f"127.0.0.1:{listening.getsockname()[1]}", path])
        accepted, _ = listening.accept()
        with accepted, accepted.makefile("rb") as stream:
            (size,) = struct.unpack(">i", stream.read(4))
            content = stream.read()
    assert len(content) == size
    return content


def test_replies_go_to_the_sender_of_a_command(bridge: RunningBridge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(5)
        own.bind(("127.0.0.1", 0))
        own.connect(("127.0.0.1", bridge.control_port))
        own.send(encode_message("/cstalk/CSTalk/emotion", "happy", 0.8, 1.5))
        assert decode_packet(own.recv(2048)) == [Message("/cstalk/ok", ("/cstalk/CSTalk/emotion",))]
        own.send(encode_message("/cstalk/CSTalk/reload"))
        assert decode_packet(own.recv(2048)) == [Message("/cstalk/ok", ("/cstalk/CSTalk/reload",))]


@pytest.mark.skipif(shutil.which("oscsend") is None, reason="needs liblo-tools")
def test_messages_of_liblo_are_read(bridge: RunningBridge) -> None:
    port = str(bridge.control_port)
    address = "/cstalk/Ada_Lovelace/emotion"
    subprocess.run(["oscsend", "127.0.0.1", port, address, "sf", "sad", "0.4"], check=True)
    bridge.wait_for(
        lambda: bridge.controller.subject("Ada Lovelace").mix == {"sad": pytest.approx(0.4)}
    )


def test_the_server_stays_responsive_after_a_flood(bridge: RunningBridge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for number in range(20_000):
            flood.sendto(b"\xff" * (number % 1500), ("127.0.0.1", bridge.control_port))
    with receiver() as controller, client_of(bridge.control_port) as client:

        def is_responsive() -> bool:
            client.send_message("/OSCSetSendTarget", ["127.0.0.1", controller.target.port])
            return bool(controller.all_waiting())

        bridge.wait_for(is_responsive)


def server(controller: Controller, port: int = 0) -> ControlServer:
    place = OscAddress(port=port)
    return ControlServer(
        ControlConfig(osc=place), place, controller, notice=lambda _text: None, now=time.monotonic
    )


def test_shutdown_is_reported_and_the_port_released() -> None:
    first = server(Controller())
    port = first.address[1]
    first.start()
    with receiver() as controller, client_of(port) as client:
        client.send_message("/OSCSetSendTarget", ["127.0.0.1", controller.target.port])
        assert [received(controller).address for _ in range(2)] == [
            "/OSCSetSendTargetConfirm",
            "/AppActivated",
        ]
        first.stop()
        assert received(controller).address == "/AppDeactivated"
    again = server(Controller(), port)
    first.stop()
    again.stop()


def test_a_port_in_use_is_reported() -> None:
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


def reply_among(opened: socket.socket, *addresses: str) -> Message:
    """Return the next answer with one of the addresses."""
    while True:
        (message,) = decode_packet(opened.recv(2048))
        if message.address in addresses:
            return message


@pytest.fixture
def silent(bridge: RunningBridge) -> Iterator[ControlServer]:
    """Remote control on a machine whose name server does not reply."""
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


def test_name_resolution_does_not_delay_takes(bridge: RunningBridge, silent: ControlServer) -> None:
    with controller(silent.address[1]) as own:
        for number in range(3):
            own.send(encode_message("/AddLiveLinkAddress", f"silent{number}.example", 11111))
            own.send(encode_message("/OSCAddSendTarget", f"silent{number}.example", 11111))
        own.send(encode_message("/RecordStart", "Names", 1))
        assert reply_among(own, "/RecordStartConfirm", "/cstalk/error").address == (
            "/RecordStartConfirm"
        )
        bridge.wait_for_take()
        own.send(encode_message("/cstalk/CSTalk/reload"))
        assert reply_among(own, "/cstalk/ok").arguments == ("/cstalk/CSTalk/reload",)
        own.send(encode_message("/RecordStop"))
        assert reply_among(own, "/RecordStopConfirm", "/cstalk/error").address == (
            "/RecordStopConfirm"
        )


def test_names_beyond_the_limit_are_refused(silent: ControlServer) -> None:
    with controller(silent.address[1]) as own:
        for _ in range(MAX_WAITING + 2):
            own.send(encode_message("/AddLiveLinkAddress", "silent.example", 11111))
        message = reply_among(own, "/cstalk/error")
        assert message.arguments[0] == "/AddLiveLinkAddress"
        assert "too many requests at once" in str(message.arguments[1])


def test_record_lamps_follow_the_recorder(bridge: RunningBridge) -> None:
    with controller(bridge.control_port) as lamp, controller(bridge.control_port) as button:
        lamp.send(encode_message("/cstalk/state"))
        assert reply_among(lamp, "/cstalk/record").arguments == (0,)
        assert reply_among(lamp, "/cstalk/ok").arguments == ("/cstalk/state",)
        button.send(encode_message("/cstalk/record/start", 1))
        assert reply_among(lamp, "/cstalk/record").arguments == (1,)
        bridge.wait_for_take()
        button.send(encode_message("/cstalk/record/stop", 1))
        assert reply_among(lamp, "/cstalk/record").arguments == (0,)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")
def test_a_lost_take_is_reported_at_once_to_all_clients_and_never_confirmed(
    bridge: RunningBridge,
) -> None:
    takes = bridge.folder / "takes"
    with (
        controller(bridge.control_port) as own,
        controller(bridge.control_port) as lamp,
        receiver() as phone,
    ):
        lamp.send(encode_message("/cstalk/state"))
        reply_among(lamp, "/cstalk/ok")
        own.send(encode_message("/OSCSetSendTarget", "127.0.0.1", phone.target.port))
        own.send(encode_message("/cstalk/record", "start", "Lost", 1))
        reply_among(own, "/cstalk/ok")
        bridge.wait_for_take()
        shutil.rmtree(next(takes.glob("*Lost*.recording")), ignore_errors=True)
        assert [reply_among(lamp, "/cstalk/record").arguments for _ in "10"] == [(1,), (0,)]
        for opened in (own, lamp):
            lost = reply_among(opened, "/cstalk/error")
            assert lost.arguments[0] == "/cstalk/record"
            assert "its files were removed" in str(lost.arguments[1])
        replies = [decode_packet(phone.one())[0].address for _ in range(3)]
        assert replies == ["/OSCSetSendTargetConfirm", "/AppActivated", "/cstalk/error"]
        own.send(encode_message("/RecordStop"))
        answer = reply_among(own, "/cstalk/error", "/RecordStopConfirm")
        assert answer.address == "/cstalk/error"
        assert "its files were removed" in str(answer.arguments[1])
        # The state was reset: the next take can be recorded.
        own.send(encode_message("/cstalk/record", "start", "Lost", 2))
        reply_among(own, "/cstalk/ok")
        bridge.wait_for_take()
        own.send(encode_message("/cstalk/record", "stop"))
        assert reply_among(own, "/cstalk/ok", "/cstalk/error").address == "/cstalk/ok"


def test_lamps_follow_the_state_of_a_subject_and_its_links(tmp_path: Path) -> None:
    with receiver() as gone:
        port = gone.target.port
    link = f"osc://127.0.0.1:{port}/ada"
    subject = {"name": "Ada", "audio": {"input": "test"}, "links": [link]}
    with running_bridge(tmp_path, subjects=[subject], control={"osc": "127.0.0.1:0"}) as bridge:

        def lamps() -> tuple[str, ...]:
            return bridge.controller.subject("Ada").state().lamps

        # The state is not waited for below: a busy machine makes it BEHIND beside the lamp.
        bridge.wait_for(lambda: lamps() == ("NO RECEIVER", f"{link} NO RECEIVER"))
        with controller(bridge.control_port) as lamp:
            lamp.settimeout(60)
            lamp.send(encode_message("/cstalk/state"))
            state, advice = reply_among(lamp, "/cstalk/Ada/health").arguments
            assert (state, bool(advice)) != ("OK", False)
            assert reply_among(lamp, "/cstalk/Ada/fault").arguments == (1,)
            name, *_, of_link, advice = reply_among(lamp, "/cstalk/Ada/link").arguments
            assert (name, of_link) == (link, "NO RECEIVER")
            assert f"nobody listens at 127.0.0.1:{port}" in str(advice)
            assert reply_among(lamp, "/cstalk/ok").arguments == ("/cstalk/state",)
            with bind("udp", "127.0.0.1", port):
                while reply_among(lamp, "/cstalk/Ada/link").arguments[4] != "listening":
                    pass
            while reply_among(lamp, "/cstalk/Ada/link").arguments[4] != "NO RECEIVER":
                pass
