"""The phone app's messages, and the transfer of take files to controllers."""

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


class PhoneClient:
    """The phone app of a bridge, with its replies and the files it was to transfer."""

    def __init__(self, bridge: RunningBridge) -> None:
        self.handed: list[tuple[Address, Path]] = []
        self.phone = PhoneApp(
            bridge.controller,
            resolve=resolve_host,
            is_allowed=lambda host: host.startswith("127."),
            send_file=lambda address, path: self.handed.append((address, path)),
        )

    def send(self, address: str, *arguments: str | float) -> list[tuple[Address, Message]]:
        return self.finished(self.phone.handle(Message(address, arguments), SENDER))

    def finished(self, reply: Reply) -> list[tuple[Address, Message]]:
        """Return the replies that are sent at once, and those sent after the work."""
        replies = [(out.to, decode_packet(out.datagram)[0]) for out in reply.outgoing]
        return replies + (self.finished(reply.work()) if reply.work else [])

    def replies(self, address: str, *arguments: str | float) -> list[Message]:
        return [message for _, message in self.send(address, *arguments)]


@pytest.fixture
def client(bridge: RunningBridge) -> PhoneClient:
    return PhoneClient(bridge)


@pytest.mark.parametrize(
    ("address", "arguments", "reply"),
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
    client: PhoneClient,
    address: str,
    arguments: tuple[str | int, ...],
    reply: tuple[str | float, ...] | None,
    dummy: tuple[int, ...],
) -> None:
    expected = [Message(reply[0], reply[1:])] if reply else []  # type: ignore[arg-type]
    assert client.replies(address, *arguments, *dummy) == expected
    assert MESSAGES[address].reply.partition(" ")[0] == (reply[0] if reply else "")


@pytest.mark.parametrize("address", MESSAGES)
def test_a_message_without_its_arguments_is_refused(client: PhoneClient, address: str) -> None:
    wanted = MESSAGES[address].parameters
    if wanted and not MESSAGES[address].is_button:
        with pytest.raises(UserError, match=f"takes {MESSAGES[address].usage}, found 0"):
            client.send(address)


def test_until_a_target_is_set_the_sender_receives_replies(client: PhoneClient) -> None:
    assert client.send("/BatteryQuery", 1) == [(SENDER, Message("/Battery", (1.0,)))]
    confirmed = client.send("/OSCSetSendTarget", *CONTROLLER)
    assert confirmed[0] == (CONTROLLER, Message("/OSCSetSendTargetConfirm", ()))
    assert client.send("/BatteryQuery", 1) == [(CONTROLLER, Message("/Battery", (1.0,)))]


def test_a_new_target_receives_the_app_state_and_all_replies(client: PhoneClient) -> None:
    first = client.replies("/OSCAddSendTarget", "127.0.0.1", 6000)
    again = client.replies("/OSCAddSendTarget", "127.0.0.1", 6000)
    assert [m.address for m in first] == ["/OSCAddSendTargetConfirm", "/AppActivated"]
    assert [m.address for m in again] == ["/OSCAddSendTargetConfirm"]
    assert client.finished(client.phone.shutdown()) == [
        (CONTROLLER, Message("/AppDeactivated", ()))
    ]


def test_added_targets_all_receive_replies_and_a_set_target_alone(client: PhoneClient) -> None:
    for port in (6000, 6001):
        client.send("/OSCAddSendTarget", "localhost", port)
    to = [place for place, _ in client.send("/ThermalsQuery")]
    assert to == [("127.0.0.1", 6000), ("127.0.0.1", 6001)]
    client.send("/OSCSetSendTarget", "127.0.0.1", 6002)
    assert [place for place, _ in client.send("/ThermalsQuery")] == [("127.0.0.1", 6002)]


def test_the_number_of_targets_is_bounded(client: PhoneClient) -> None:
    for port in range(1, 4 * MAX_TARGETS):
        client.send("/OSCAddSendTarget", "127.0.0.1", port)
    assert len(client.phone.targets) == MAX_TARGETS
    assert client.phone.targets[-1] == ("127.0.0.1", 4 * MAX_TARGETS - 1)


def test_hosts_without_permission_receive_no_reply(client: PhoneClient) -> None:
    with pytest.raises(UserError, match=r"10\.0\.0\.5 is not allowed; add it to"):
        client.send("/OSCSetSendTarget", "10.0.0.5", 6000)
    with pytest.raises(UserError, match=r"10\.0\.0\.5 is not allowed"):
        client.send("/Transport", "10.0.0.5:6000", "x.csv")
    with pytest.raises(UserError, match=r"'nobody\.invalid' cannot be found"):
        client.send("/OSCSetSendTarget", "nobody.invalid", 6000)
    assert client.phone.targets == ()


def test_packets_go_to_the_requested_target_in_the_requested_form(
    client: PhoneClient, bridge: RunningBridge
) -> None:
    with receiver() as engine:
        client.send("/ClearAllLiveLinkAddresses", 1)
        client.send("/AddLiveLinkAddress", engine.target.host, engine.target.port)
        client.send("/LiveLinkSubject", "Hero")
        names = {decode(engine.one()).subject for _ in range(20)}
        bridge.wait_for(lambda: bridge.unreal.all_waiting() == [])
        engine.all_waiting()
        client.send("/LiveLinkStreamStop", 1)
        bridge.wait_for(lambda: engine.all_waiting() == [])
        client.send("/LiveLinkStreamStart", 1)
        assert decode(engine.one()).values is not None
    # The first packet after the rename may still be on its way with the old name.
    assert names >= {"Hero", "Ada Lovelace"}
    with pytest.raises(UserError, match="empty or holds"):
        client.send("/LiveLinkSubject", " ")
    with pytest.raises(UserError, match="is not a host"):
        client.send("/AddLiveLinkAddress", "a b", 11111)
    client.send("/ClearAllLiveLinkAddresses")
    client.send("/AddLiveLinkAddress", bridge.unreal.target.host, bridge.unreal.target.port)
    client.send("/LiveLinkSubject", "CSTalk")


def test_a_take_is_recorded_and_its_files_are_transferred(
    client: PhoneClient, bridge: RunningBridge
) -> None:
    client.send("/OSCSetSendTarget", *CONTROLLER)
    started = client.send("/RecordStart", "MySlate", 3)
    assert started == [(CONTROLLER, Message("/RecordStartConfirm", ("00:00:00.000",)))]
    with pytest.raises(UserError, match="is being recorded"):
        client.send("/RecordStart", "MySlate", 4)
    take = bridge.controller.takes
    assert (take.is_recording, take.slate, take.take) == (True, "MySlate", 4)
    bridge.wait_for_take()
    ((_, stopped),) = client.send("/RecordStop", 1)
    timecode, curves, sound = stopped.arguments
    assert (stopped.address, timecode) == ("/RecordStopConfirm", "00:00:00.000")
    assert str(curves).endswith("/MySlate_take_3_CSTalk_cal.csv")
    assert str(sound).endswith("/MySlate_take_3_CSTalk.wav")
    for path in (curves, sound):
        client.send("/Transport", "127.0.0.1:7000", str(path))
    assert [place for place, _ in client.handed] == [("127.0.0.1", 7000)] * 2
    assert all(path.stat().st_size > 1000 for _, path in client.handed)
    with pytest.raises(UserError, match="no take is being recorded"):
        client.send("/RecordStop", 1)


def test_a_transfer_needs_an_address(client: PhoneClient) -> None:
    for place in ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:port", ""):
        with pytest.raises(UserError, match="port: must be 1 to 65535"):
            client.send("/Transport", place, "x")


def test_a_link_without_a_target_sends_no_rest_face(bridge: RunningBridge) -> None:
    """No stream of the tests above is left."""
    bridge.wait_for(lambda: np.any(bridge.packet().values))


def test_two_subjects_never_share_a_name(client: PhoneClient, bridge: RunningBridge) -> None:
    for name in ("Ada Lovelace", "ADA LOVELACE", " ada lovelace ", "ada love\u006cace"):
        with pytest.raises(UserError, match="is the name of another subject"):
            client.send("/LiveLinkSubject", name)
    (link,) = bridge.controller.subject("CSTalk").live_links
    assert link.subject == "CSTalk"
    for name in ("cstalk", "CSTalk"):
        client.send("/LiveLinkSubject", name)


@pytest.mark.parametrize("host", ["10.0.0.5", "255.255.255.255", "224.0.0.1", "8.8.8.8"])
def test_no_packet_is_sent_to_hosts_without_permission(
    client: PhoneClient, bridge: RunningBridge, host: str
) -> None:
    before = [link.receivers for link in bridge.controller.subjects[0].live_links]
    with pytest.raises(UserError, match="is not allowed; add it to `control: allow:`"):
        client.send("/AddLiveLinkAddress", host, 9)
    client.phone._resolve = lambda _name: host
    with pytest.raises(UserError, match="is not allowed"):
        client.send("/AddLiveLinkAddress", "harmless.example", 9)
    assert [link.receivers for link in bridge.controller.subjects[0].live_links] == before


def test_a_target_removed_during_name_resolution_stays_removed(
    client: PhoneClient, bridge: RunningBridge
) -> None:
    added = client.phone.handle(Message("/AddLiveLinkAddress", ("localhost", 9)), SENDER)
    aimed = client.phone.handle(Message("/OSCSetSendTarget", ("localhost", 6000)), SENDER)
    client.send("/ClearAllLiveLinkAddresses")
    client.send("/OSCSetSendTarget", "127.0.0.1", 6001)
    client.finished(added)
    client.finished(aimed)
    assert bridge.controller.subjects[0].live_links[0].receivers == ()
    assert client.phone.targets == (("127.0.0.1", 6001),)
    client.send("/AddLiveLinkAddress", bridge.unreal.target.host, bridge.unreal.target.port)


def test_one_address_is_one_receiver_under_any_name(
    client: PhoneClient, bridge: RunningBridge
) -> None:
    port = bridge.unreal.target.port
    for host in ("127.0.0.1", "localhost", "127.0.0.1"):
        client.send("/AddLiveLinkAddress", host, port)
    assert len(bridge.controller.subjects[0].live_links[0].receivers) == 1


@pytest.mark.parametrize(("on", "off"), [(1, 0), (1.0, 0.0), (True, False)])
def test_a_button_starts_recording(
    client: PhoneClient, bridge: RunningBridge, on: float, off: float
) -> None:
    client.send("/Slate", "Button")
    client.send("/Take", 5)
    assert client.send("/RecordStart", off) == []
    assert [m.address for m in client.replies("/RecordStart", on)] == ["/RecordStartConfirm"]
    assert client.send("/RecordStart", off) == []
    assert client.send("/RecordStop", off) == []
    bridge.wait_for_take()
    (stopped,) = client.replies("/RecordStop", on)
    assert "Button_5" in str(stopped.arguments[1])
    assert client.send("/RecordStop", off) == []
