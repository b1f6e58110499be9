"""Whether a receiver listens: the state and advice that a running bridge reports for its links."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from cstalk_bridge.monitor.health import HealthState, health
from cstalk_bridge.monitor.status_lines import StatusReport, status_line
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.system.addresses import bind
from tests.control.running import running_bridge
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control.running import RunningBridge


def closed_port() -> int:
    with receiver() as gone:
        return gone.target.port


def state_of(bridge: RunningBridge) -> HealthState:
    return health(bridge.metrics, bridge.metrics.subjects[0], bridge.now()).state


def test_a_closed_port_is_reported_with_advice_until_a_receiver_listens(tmp_path: Path) -> None:
    port = closed_port()
    link = f"livelink-face://127.0.0.1:{port}"
    subject = {"name": "Ada", "audio": {"input": "test"}, "links": [link]}
    with running_bridge(tmp_path, subjects=[subject]) as bridge:
        report = StatusReport(bridge.metrics)
        bridge.wait_for(lambda: state_of(bridge) is not HealthState.STARTING)
        bridge.wait_for(lambda: state_of(bridge) is HealthState.NO_RECEIVER)
        lines = report.lines(bridge.now())
        assert (
            f"Ada: NO RECEIVER: {link}: nobody listens at 127.0.0.1:{port}; start Unreal with the "
            "plugin Apple ARKit Face Support; its default port is 11111"
        ) in lines
        assert f"{link} NO RECEIVER" in status_line(bridge.metrics, bridge.now())
        (of_link,) = bridge.controller.subject("Ada").state().links
        assert of_link.lamp == "NO RECEIVER"
        assert f"nobody listens at 127.0.0.1:{port}; " in of_link.advice
        with bind("udp", "127.0.0.1", port):
            bridge.wait_for(lambda: state_of(bridge) is HealthState.OK)
            assert report.lines(bridge.now()) == ["Ada: OK"]
            (of_link,) = bridge.controller.subject("Ada").state().links
            assert (of_link.lamp, of_link.advice) == ("listening", "")
        bridge.wait_for(lambda: state_of(bridge) is HealthState.NO_RECEIVER)


def test_a_device_without_a_client_has_no_receiver(tmp_path: Path) -> None:
    with bind("tcp", "127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with receiver() as unreal:
        links = [f"metahuman://127.0.0.1:{port}", f"osc://{unreal.target}/face"]
        subject = {"name": "Ada", "audio": {"input": "test"}, "links": links}
        with running_bridge(tmp_path, subjects=[subject]) as bridge:
            bridge.wait_for(lambda: state_of(bridge) is HealthState.NO_RECEIVER)
            device, osc = bridge.metrics.subjects[0].links
            bridge.wait_for(lambda: osc.status(bridge.now()).delivery is Delivery.LISTENING)
            status = device.status(bridge.now())
            assert status.delivery is Delivery.NO_RECEIVER
            assert status.advice.startswith("no device client is connected; in Unreal, Live Link")


def test_a_silent_remote_machine_is_neither_ok_nor_a_fault(tmp_path: Path) -> None:
    # A multicast group: nobody may answer for it (RFC 1122, section 3.2.2).
    group = ("239.255.77.77", 39539)
    subject = {"name": "Ada", "audio": {"input": "test"}, "links": [f"vmc://{group[0]}"]}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(group)
    except OSError:
        expected = Delivery.NOT_SENT  # This machine has no network at all.
    else:
        expected = Delivery.SENT
    with running_bridge(tmp_path, subjects=[subject]) as bridge:
        (link,) = bridge.metrics.subjects[0].links
        bridge.wait_for(lambda: link.packets.total > 30 or link.failures.total > 30)
        assert link.status(bridge.now()).delivery is expected
        assert f"{group[0]}:{group[1]} {expected.value}" in status_line(
            bridge.metrics, bridge.now()
        )


def test_losses_are_counted_anew_after_a_reset(tmp_path: Path) -> None:
    with running_bridge(tmp_path) as bridge:
        (subject,) = bridge.metrics.subjects
        subject.record_drop("blocks", bridge.now(), 7)
        assert subject.losses["blocks"] == 7
        bridge.controller.subject("CSTalk").reset_losses()
        assert "blocks" not in subject.losses
        subject.record_drop("blocks", bridge.now(), 2)
        assert (subject.losses["blocks"], subject.drops["blocks"].total) == (2, 9)
