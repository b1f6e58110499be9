"""Ten minutes with a controller as Switchboard is one, on a simulated clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from tests.control.test_server import DispatchHarness

if TYPE_CHECKING:
    from tests.control.running import RunningBridge

PHONE, SWITCHBOARD = ("127.0.0.1", 8000), ("127.0.0.1", 6000)
BEAT_S, TIMEOUT_S, MINUTES = 5.0, 11.0, 10


@dataclass
class Switchboard:
    """Asks for the battery every 5 s, and takes a phone for lost after 11 s without an answer.

    Until it is confirmed as a target it asks for that as well; then it sets the phone up.
    """

    is_connected: bool = False
    last_received_s: float = 0.0
    heartbeats: int = 0
    confirmed: list[str] = field(default_factory=list)

    def beat(self) -> list[bytes]:
        ask = encode_message("/OSCAddSendTarget", *SWITCHBOARD)
        query = encode_message("/BatteryQuery", 1)
        return [query] if self.is_connected else [ask, query]

    def receive(self, message: Message, now_s: float) -> list[bytes]:
        if message.address == "/Battery":
            self.last_received_s = now_s
            self.heartbeats += 1
        else:
            self.confirmed.append(message.address)
        if message.address != "/OSCAddSendTargetConfirm":
            return []
        self.is_connected = True
        return [
            encode_message("/LiveLinkSubject", "Stage"),
            encode_message("/ARSessionStart", 1),
            encode_message("/ClearAllLiveLinkAddresses", 1),
            encode_message("/AddLiveLinkAddress", "127.0.0.1", 11111),
            encode_message("/AddLiveLinkAddress", "127.0.0.1", 11112),
            encode_message("/LiveLinkStreamStart", 1),
        ]


class Exchange:
    """Carries datagrams both ways until neither side sends any more."""

    def __init__(self, harness: DispatchHarness) -> None:
        self.harness = harness
        self.switchboard = Switchboard()

    def carry(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            for answer in self.harness.dispatcher.handle(datagram, SWITCHBOARD):
                done = [answer, answer.work()] if answer.work else [answer]
                for out in (out for part in done for out in part.outgoing):
                    assert out.to == SWITCHBOARD
                    (message,) = decode_packet(out.datagram)
                    self.carry(self.switchboard.receive(message, self.harness.now_s))


def test_no_heartbeat_is_lost_in_ten_minutes_with_takes(bridge: RunningBridge) -> None:
    exchange = Exchange(DispatchHarness(bridge.controller))
    switchboard = exchange.switchboard
    for beat in range(round(60 * MINUTES / BEAT_S)):
        exchange.harness.now_s = beat * BEAT_S
        exchange.carry(switchboard.beat())
        assert exchange.harness.now_s - switchboard.last_received_s < TIMEOUT_S
        if beat % 40 == 10:
            exchange.carry([encode_message("/RecordStart", "Stage", beat)])
            bridge.wait_for_take()
            exchange.carry([encode_message("/RecordStop", 1)])
    assert switchboard.heartbeats == 60 * MINUTES / BEAT_S
    takes = ["/RecordStartConfirm", "/RecordStopConfirm"] * 3
    setup = ["/OSCAddSendTargetConfirm", "/ARSessionStartConfirm", "/AppActivated"]
    assert switchboard.confirmed == [*setup, *takes]
    ports = [
        r.target.port for r in bridge.controller.subject("CSTalk").live_links[0].targets.receivers
    ]
    assert ports == [11111, 11112]
    assert exchange.harness.counters.invalid == 0
