"""Files of takes on their way to whoever asked for them."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.control.phone_app import (
    MAX_FILE_BYTES,
    MAX_TARGETS,
    MESSAGES,
    PhoneApp,
    send_file,
)
from cstalk_bridge.control.server import resolve_host
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.outputs.osc_messages import Message, decode_packet
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.control.commands import Address, Reply
    from tests.control.running import RunningBridge


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_001])
def test_the_size_is_sent_before_the_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "curves.csv"
    path.write_bytes(bytes(number % 251 for number in range(size)))
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            accepted, _ = listening.accept()
            with accepted, accepted.makefile("rb") as stream:
                taken.append(stream.read())

        thread = threading.Thread(target=take)
        thread.start()
        send_file(listening.getsockname(), path)
        thread.join(5)
    assert taken == [struct.pack(">i", size) + path.read_bytes()]


def test_a_missing_or_stalled_receiver_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(bytes(20_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with pytest.raises(UserError, match=r"sound\.wav could not be sent: timed out"):
            send_file(address, path, timeout_s=0.2)
    with pytest.raises(UserError, match="could not be sent: Connection refused"):
        send_file(address, path)


def test_a_file_too_large_for_the_size_field_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(UserError, match=f"{MAX_FILE_BYTES} can be sent at most"):
        send_file(("127.0.0.1", 9), path)


def test_a_deleted_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        send_file(("127.0.0.1", 9), tmp_path / "gone.csv")


SENDER = ("127.0.0.1", 50_000)
CONTROLLER = ("127.0.0.1", 6000)


class Call:
    """A phone that is talked to; `said` is what it answered, and to whom."""

    def __init__(self, bridge: RunningBridge) -> None:
        self.handed: list[tuple[Address, Path]] = []
        self.phone = PhoneApp(
            bridge.controller,
            resolve=resolve_host,
            is_allowed=lambda host: host.startswith("127."),
            send_file=lambda address, path: self.handed.append((address, path)),
        )

    def say(self, address: str, *arguments: str | float) -> list[tuple[Address, Message]]:
        return self.finished(self.phone.handle(Message(address, arguments), SENDER))

    def finished(self, answer: Reply) -> list[tuple[Address, Message]]:
        """What is sent at once and, when its work is done, afterwards."""
        said = [(out.to, decode_packet(out.datagram)[0]) for out in answer.outgoing]
        return said + (self.finished(answer.work()) if answer.work else [])

    def answer(self, address: str, *arguments: str | float) -> list[Message]:
        return [message for _, message in self.say(address, *arguments)]


@pytest.fixture
def call(bridge: RunningBridge) -> Call:
    return Call(bridge)


@pytest.mark.parametrize(
    ("address", "arguments", "answer"),
    [
        ("/BatteryQuery", (), ("/Battery", 1.0)),
        ("/ThermalsQuery", (), ("/Thermals", 0)),
        ("/Slate", ("Scene é",), ("/SlateConfirm",)),
        ("/SlateQuery", (), ("/Slate", "Scene é")),
        ("/Take", (7,), ("/TakeConfirm",)),
        ("/TakeQuery", (), ("/Take", 7)),
        ("/ARSessionStart", (), ("/ARSessionStartConfirm",)),
        ("/ARSessionStop", (), ("/ARSessionStopConfirm",)),
        ("/LiveLinkStreamStart", (), None),
        ("/VideoDisplayOn", (), None),
        ("/VideoDisplayOff", (), None),
    ],
)
@pytest.mark.parametrize("dummy", [(), (1,)], ids=["plain", "dummy"])
def test_replies_follow_the_table_whatever_follows_the_arguments(
    call: Call,
    address: str,
    arguments: tuple[str | int, ...],
    answer: tuple[str | float, ...] | None,
    dummy: tuple[int, ...],
) -> None:
    expected = [Message(answer[0], answer[1:])] if answer else []  # type: ignore[arg-type]
    assert call.answer(address, *arguments, *dummy) == expected
    assert MESSAGES[address].reply.partition(" ")[0] == (answer[0] if answer else "")


@pytest.mark.parametrize("address", MESSAGES)
def test_a_message_without_its_arguments_is_refused(call: Call, address: str) -> None:
    wanted = MESSAGES[address].parameters
    if wanted and not MESSAGES[address].is_button:
        with pytest.raises(UserError, match=f"takes {MESSAGES[address].usage}, found 0"):
            call.say(address)


def test_until_a_target_is_set_the_sender_receives_replies(call: Call) -> None:
    assert call.say("/BatteryQuery", 1) == [(SENDER, Message("/Battery", (1.0,)))]
    confirmed = call.say("/OSCSetSendTarget", *CONTROLLER)
    assert confirmed[0] == (CONTROLLER, Message("/OSCSetSendTargetConfirm", ()))
    assert call.say("/BatteryQuery", 1) == [(CONTROLLER, Message("/Battery", (1.0,)))]


def test_a_new_target_receives_the_app_state_and_all_replies(call: Call) -> None:
    first = call.answer("/OSCAddSendTarget", "127.0.0.1", 6000)
    again = call.answer("/OSCAddSendTarget", "127.0.0.1", 6000)
    assert [m.address for m in first] == ["/OSCAddSendTargetConfirm", "/AppActivated"]
    assert [m.address for m in again] == ["/OSCAddSendTargetConfirm"]
    assert call.finished(call.phone.shutdown()) == [(CONTROLLER, Message("/AppDeactivated", ()))]


def test_added_targets_all_receive_replies_and_a_set_target_alone(call: Call) -> None:
    for port in (6000, 6001):
        call.say("/OSCAddSendTarget", "localhost", port)
    to = [place for place, _ in call.say("/ThermalsQuery")]
    assert to == [("127.0.0.1", 6000), ("127.0.0.1", 6001)]
    call.say("/OSCSetSendTarget", "127.0.0.1", 6002)
    assert [place for place, _ in call.say("/ThermalsQuery")] == [("127.0.0.1", 6002)]


def test_the_number_of_targets_is_bounded(call: Call) -> None:
    for port in range(1, 4 * MAX_TARGETS):
        call.say("/OSCAddSendTarget", "127.0.0.1", port)
    assert len(call.phone.targets) == MAX_TARGETS
    assert call.phone.targets[-1] == ("127.0.0.1", 4 * MAX_TARGETS - 1)


def test_hosts_without_permission_receive_no_reply(call: Call) -> None:
    with pytest.raises(UserError, match=r"10\.0\.0\.5 is not allowed; add it to"):
        call.say("/OSCSetSendTarget", "10.0.0.5", 6000)
    with pytest.raises(UserError, match=r"10\.0\.0\.5 is not allowed"):
        call.say("/Transport", "10.0.0.5:6000", "x.csv")
    with pytest.raises(UserError, match=r"'nobody\.invalid' cannot be found"):
        call.say("/OSCSetSendTarget", "nobody.invalid", 6000)
    assert call.phone.targets == ()


def test_packets_go_to_the_requested_target_in_the_requested_form(
    call: Call, bridge: RunningBridge
) -> None:
    with receiver() as engine:
        call.say("/ClearAllLiveLinkAddresses", 1)
        call.say("/AddLiveLinkAddress", engine.target.host, engine.target.port)
        call.say("/LiveLinkSubject", "Hero")
        names = {decode(engine.one()).subject for _ in range(20)}
        bridge.wait_for(lambda: bridge.unreal.all_waiting() == [])
        engine.all_waiting()
        call.say("/LiveLinkStreamStop", 1)
        bridge.wait_for(lambda: engine.all_waiting() == [])
        call.say("/LiveLinkStreamStart", 1)
        assert decode(engine.one()).values is not None
    # The first packet after the rename may still be on its way with the old name.
    assert names >= {"Hero", "Ada Lovelace"}
    with pytest.raises(UserError, match="empty or holds"):
        call.say("/LiveLinkSubject", " ")
    with pytest.raises(UserError, match="is not a host"):
        call.say("/AddLiveLinkAddress", "a b", 11111)
    call.say("/ClearAllLiveLinkAddresses")
    call.say("/AddLiveLinkAddress", bridge.unreal.target.host, bridge.unreal.target.port)
    call.say("/LiveLinkSubject", "CSTalk")


def test_a_take_is_recorded_and_its_files_are_transferred(
    call: Call, bridge: RunningBridge
) -> None:
    call.say("/OSCSetSendTarget", *CONTROLLER)
    started = call.say("/RecordStart", "MySlate", 3)
    assert started == [(CONTROLLER, Message("/RecordStartConfirm", ("00:00:00.000",)))]
    with pytest.raises(UserError, match="is being recorded"):
        call.say("/RecordStart", "MySlate", 4)
    take = bridge.controller.takes
    assert (take.is_recording, take.slate, take.take) == (True, "MySlate", 4)
    bridge.wait_for_take()
    ((_, stopped),) = call.say("/RecordStop", 1)
    timecode, curves, sound = stopped.arguments
    assert (stopped.address, timecode) == ("/RecordStopConfirm", "00:00:00.000")
    assert str(curves).endswith("/MySlate_take_3_CSTalk_cal.csv")
    assert str(sound).endswith("/MySlate_take_3_CSTalk.wav")
    for path in (curves, sound):
        call.say("/Transport", "127.0.0.1:7000", str(path))
    assert [place for place, _ in call.handed] == [("127.0.0.1", 7000)] * 2
    assert all(path.stat().st_size > 1000 for _, path in call.handed)
    with pytest.raises(UserError, match="no take is being recorded"):
        call.say("/RecordStop", 1)


def test_a_transfer_needs_an_address(call: Call) -> None:
    for place in ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:port", ""):
        with pytest.raises(UserError, match="port: must be 1 to 65535"):
            call.say("/Transport", place, "x")


def test_a_link_without_a_target_sends_no_rest_face(bridge: RunningBridge) -> None:
    """The streams above came back."""
    bridge.wait_for(lambda: np.any(bridge.packet().values))


def test_two_subjects_never_share_a_name(call: Call, bridge: RunningBridge) -> None:
    for name in ("Ada Lovelace", "ADA LOVELACE", " ada lovelace ", "ada love\u006cace"):
        with pytest.raises(UserError, match="is the name of another subject"):
            call.say("/LiveLinkSubject", name)
    (link,) = bridge.controller.subject("CSTalk").live_links
    assert link.subject == "CSTalk"
    for name in ("cstalk", "CSTalk"):
        call.say("/LiveLinkSubject", name)


@pytest.mark.parametrize("host", ["10.0.0.5", "255.255.255.255", "224.0.0.1", "8.8.8.8"])
def test_no_packet_is_sent_to_hosts_without_permission(
    call: Call, bridge: RunningBridge, host: str
) -> None:
    before = [link.receivers for link in bridge.controller.subjects[0].live_links]
    with pytest.raises(UserError, match="is not allowed; add it to `control: allow:`"):
        call.say("/AddLiveLinkAddress", host, 9)
    call.phone._resolve = lambda _name: host
    with pytest.raises(UserError, match="is not allowed"):
        call.say("/AddLiveLinkAddress", "harmless.example", 9)
    assert [link.receivers for link in bridge.controller.subjects[0].live_links] == before


def test_a_target_removed_during_name_resolution_stays_removed(
    call: Call, bridge: RunningBridge
) -> None:
    added = call.phone.handle(Message("/AddLiveLinkAddress", ("localhost", 9)), SENDER)
    aimed = call.phone.handle(Message("/OSCSetSendTarget", ("localhost", 6000)), SENDER)
    call.say("/ClearAllLiveLinkAddresses")
    call.say("/OSCSetSendTarget", "127.0.0.1", 6001)
    call.finished(added)
    call.finished(aimed)
    assert bridge.controller.subjects[0].live_links[0].receivers == ()
    assert call.phone.targets == (("127.0.0.1", 6001),)
    call.say("/AddLiveLinkAddress", bridge.unreal.target.host, bridge.unreal.target.port)


def test_one_address_is_one_receiver_under_any_name(call: Call, bridge: RunningBridge) -> None:
    port = bridge.unreal.target.port
    for host in ("127.0.0.1", "localhost", "127.0.0.1"):
        call.say("/AddLiveLinkAddress", host, port)
    assert len(bridge.controller.subjects[0].live_links[0].receivers) == 1


@pytest.mark.parametrize(("on", "off"), [(1, 0), (1.0, 0.0), (True, False)])
def test_a_button_starts_recording(
    call: Call, bridge: RunningBridge, on: float, off: float
) -> None:
    call.say("/Slate", "Button")
    call.say("/Take", 5)
    assert call.say("/RecordStart", off) == []
    assert [m.address for m in call.answer("/RecordStart", on)] == ["/RecordStartConfirm"]
    assert call.say("/RecordStart", off) == []
    assert call.say("/RecordStop", off) == []
    bridge.wait_for_take()
    (stopped,) = call.answer("/RecordStop", on)
    assert "Button_5" in str(stopped.arguments[1])
    assert call.say("/RecordStop", off) == []
