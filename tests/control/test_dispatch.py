"""Everything that can come in at the harness, and what is remembered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from cstalk_bridge.control.commands import COMMANDS
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.control.dispatch import (
    MAX_DATAGRAM_BYTES,
    MAX_MESSAGES,
    MAX_REPORTED,
    REPORT_WINDOW_S,
    OscDispatcher,
)
from cstalk_bridge.control.phone_app import MESSAGES, PhoneApp
from cstalk_bridge.control.server import resolve_host
from cstalk_bridge.outputs.osc_messages import decode_packet, encode_message

if TYPE_CHECKING:
    from cstalk_bridge.control.replies import Reply
    from tests.control.running import RunningBridge


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


def test_a_bundle_is_followed_message_by_message(harness: DispatchHarness) -> None:
    answers = harness.handle(bundled(3))
    addresses = [decode_packet(out.datagram)[0].address for a in answers for out in a.outgoing]
    assert addresses == ["/Battery"] * 3
    assert harness.counters.handled == 3


def test_a_stranger_is_turned_away_and_told_of(harness: DispatchHarness) -> None:
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
def test_what_is_no_message_is_counted(harness: DispatchHarness, datagram: bytes) -> None:
    assert harness.handle(datagram) == []
    assert harness.counters.malformed == 1
    assert "not OSC" in harness.notices[0]


def test_what_cannot_be_followed_is_answered(harness: DispatchHarness) -> None:
    (own,) = harness.handle(encode_message("/cstalk/CSTalk/intensity", 9.0))
    (app,) = harness.handle(encode_message("/Take", "three"))
    (other,) = harness.handle(encode_message("/face/jawOpen", 0.5))
    told = [decode_packet(answer.outgoing[0].datagram)[0] for answer in (own, app, other)]
    assert {message.address for message in told} == {"/cstalk/error"}
    assert [message.arguments for message in told] == [
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


def test_a_flood_is_told_and_answered_a_few_times_only(harness: DispatchHarness) -> None:
    wrong = encode_message("/cstalk/CSTalk/intensity", 9.0)
    sent = sum(len(answer.outgoing) for _ in range(1000) for answer in harness.handle(wrong))
    assert sent == len(harness.notices) == MAX_REPORTED
    assert harness.counters.invalid == 1000
    harness.now_s += REPORT_WINDOW_S
    harness.handle(wrong)
    assert len(harness.notices) == MAX_REPORTED + 1


def test_without_a_run_nothing_is_done_and_nothing_breaks() -> None:
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
    """Messages that look right, of another encoder, and some of them cut or changed."""
    builder = OscMessageBuilder(draw(ADDRESSES))
    for argument in draw(ARGUMENTS):
        builder.add_arg(argument)
    datagram = bytearray(builder.build().dgram)
    if draw(st.booleans()):
        datagram[draw(st.integers(0, len(datagram) - 1))] = draw(st.integers(0, 255))
    return bytes(datagram[: draw(st.integers(1, len(datagram)) | st.just(len(datagram)))])


STOPPED = DispatchHarness(Controller())


@given(messages() | st.binary(max_size=3000))
def test_no_datagram_gets_through_the_door_as_a_fault(datagram: bytes) -> None:
    STOPPED.now_s += REPORT_WINDOW_S
    for answer in STOPPED.handle(datagram):
        if answer.work:
            answer.work()
    assert not any("internal error" in text for text in STOPPED.notices)
    del STOPPED.notices[:]


@given(messages().filter(lambda datagram: b"ecord" not in datagram and b"Address" not in datagram))
def test_nor_does_any_while_a_bridge_runs(bridge: RunningBridge, datagram: bytes) -> None:
    harness = DispatchHarness(bridge.controller)
    for answer in harness.handle(datagram):
        if answer.work:
            answer.work()
    assert not any("internal error" in text for text in harness.notices)
