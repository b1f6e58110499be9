"""The ports of the bridge itself: free, taken, wanted twice, sent to by its own links."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.config.servers import ControlConfig, OscAddress, PreviewConfig
from cstalk_bridge.diagnostics.checks import Finding, FindingState
from cstalk_bridge.diagnostics.network_check import (
    Port,
    PortOwner,
    TargetReach,
    examine_ports,
    examine_target,
    firewall_remedy,
    judge_target,
    listening_ports,
    probe_target,
)
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.parse import parse_link_url
from cstalk_bridge.outputs.udp import Target
from tests.diagnostics.programs import free_tcp_port, free_udp_port, program_with_port
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from cstalk_bridge.outputs.config import LinkConfig


def config_of(*urls: str, preview: PreviewConfig | None = None) -> Config:
    links: tuple[LinkConfig, ...] = tuple(map(parse_link_url, urls))
    return Config(subjects=(SubjectConfig(links=links),), preview=preview)


def only(config: Config) -> Finding:
    (finding,) = examine_ports(config)
    return finding


def with_control(config: Config, port: int) -> Config:
    return config.model_copy(update={"control": ControlConfig(osc=OscAddress(port=port))})


def test_a_link_that_sends_listens_nowhere() -> None:
    assert listening_ports(config_of("livelink-face://127.0.0.1", "osc://10.0.0.5")) == []


def test_every_place_at_which_a_run_listens_is_examined_once() -> None:
    link = parse_link_url("metahuman://127.0.0.1:14785")
    both = tuple(SubjectConfig(name=name, links=(link,)) for name in ("Ada", "Ben"))
    config = with_control(Config(subjects=both, preview=PreviewConfig(port=8520)), 8000)
    assert listening_ports(config) == [
        Port("metahuman://127.0.0.1:14785", "tcp", "127.0.0.1", 14785),
        Port("preview", "tcp", "127.0.0.1", 8520),
        Port("control", "udp", "127.0.0.1", 8000),
    ]


def test_a_free_port_is_free_and_stays_so() -> None:
    port = free_tcp_port()
    config = config_of(f"metahuman://127.0.0.1:{port}")
    for _ in range(2):
        finding = only(config)
        assert (finding.state, "is free" in finding.what) == (FindingState.OK, True)


def test_a_port_open_to_others_is_told_with_its_firewall() -> None:
    finding = only(config_of(f"metahuman://0.0.0.0:{free_tcp_port()}?allow=10.0.0.0/24"))
    assert finding.state is FindingState.OK
    assert "other machines reach it at" in finding.what
    assert finding.remedy


def test_subjects_that_share_a_device_are_warned_of() -> None:
    port = free_tcp_port()
    url = f"metahuman://127.0.0.1:{port}"
    both = tuple(SubjectConfig(name=name, links=(parse_link_url(url),)) for name in ("Ada", "Ben"))
    free, shared = examine_ports(Config(subjects=both))
    assert free.state is FindingState.OK
    assert (shared.where, shared.state) == (url, FindingState.WARNING)
    assert shared.what == "Ada and Ben share one device, and Unreal takes Ada alone"


def test_a_taken_port_is_told_with_the_program_that_has_it() -> None:
    with program_with_port("tcp") as (port, process_id):
        finding = only(config_of("osc://10.0.0.5", preview=PreviewConfig(port=port)))
    assert finding.state is FindingState.FAULT
    assert f"(pid {process_id})" in finding.what


def test_another_bridge_is_known_as_one_with_whoever_is_connected() -> None:
    with program_with_port("tcp", "cstalk-bridge") as (port, _):
        config = config_of(f"metahuman://127.0.0.1:{port}")
        alone = only(config)
        with socket.create_connection(("127.0.0.1", port)):
            connected = only(config)
    assert alone.state is FindingState.WARNING
    assert alone.what.endswith("connected to it: nobody")
    assert connected.what.endswith("connected to it: 127.0.0.1")


def test_a_taken_udp_port_is_found_too() -> None:
    with program_with_port("udp") as (port, process_id):
        finding = only(with_control(config_of("livelink-face://127.0.0.1"), port))
    assert (finding.state, finding.where) == (FindingState.FAULT, "control")
    assert f"(pid {process_id})" in finding.what


def test_an_address_that_is_not_ours_is_a_fault() -> None:
    finding = only(config_of("metahuman://198.51.100.7?allow=198.51.100.8"))
    assert (finding.state, "no address" in finding.what) == (FindingState.FAULT, True)


def test_two_parts_of_the_bridge_cannot_share_a_port() -> None:
    port = free_tcp_port()
    everywhere = PreviewConfig(host="0.0.0.0", port=port)  # noqa: S104 - one that is all the others
    config = config_of(f"metahuman://127.0.0.1:{port}", preview=everywhere)
    *_, finding = examine_ports(config)
    assert (finding.state, "is also used by" in finding.what) == (FindingState.FAULT, True)


def test_a_link_that_sends_to_our_own_control_is_found() -> None:
    port = free_udp_port()
    config = with_control(config_of(f"osc://127.0.0.1:{port}"), port)
    free, ourselves = examine_ports(config)
    assert free.state is FindingState.OK
    assert ourselves.state is FindingState.FAULT
    assert "this bridge itself" in ourselves.what


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_every_system_has_its_way_to_open_a_port(platform: str) -> None:
    words = firewall_remedy("udp", 8000, platform)
    assert ("8000" in words) is (platform != "darwin")


def link_to(port: int, protocol: str = "livelink-face") -> LinkConfig:
    return parse_link_url(f"{protocol}://127.0.0.1:{port}")


def remote(**changes: object) -> TargetReach:
    given = {"error": None, "received_by": None, **changes}
    return TargetReach("10.0.0.5", 11111, "10.0.0.2", is_here=False, **given)  # type: ignore[arg-type]


LINK = parse_link_url("livelink-face://10.0.0.5")


def test_a_program_that_listens_is_named() -> None:
    with program_with_port("udp") as (port, process_id):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.OK
    assert f"(pid {process_id}) listens" in finding.what


def test_our_knock_is_a_datagram_without_a_byte() -> None:
    with receiver() as received:
        found = probe_target(received.target)
        assert received.all_waiting() == [b""]
    assert (found.is_here, found.error) == (True, None)


@pytest.mark.parametrize("protocol", ["livelink-face", "osc", "vmc"])
def test_a_port_where_nobody_listens_is_a_fault_with_what_to_start(protocol: str) -> None:
    port = free_udp_port()
    link = link_to(port, protocol)
    finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.FAULT
    assert finding.what == f"no program listens at UDP port {port} of 127.0.0.1"
    assert ("Unreal" in finding.remedy) is (protocol == "livelink-face")


def test_two_programs_on_one_port_are_told_of() -> None:
    found = TargetReach(
        "127.0.0.1",
        11111,
        "127.0.0.1",
        is_here=True,
        received_by=(PortOwner("::", "UnrealEditor", 5), PortOwner("127.0.0.1", "LiveLinkHub", 6)),
    )
    finding = judge_target(link_to(11111), found)
    assert finding.state is FindingState.WARNING
    assert "UnrealEditor (pid 5), LiveLinkHub (pid 6)" in finding.what


def test_a_bridge_that_listens_is_not_the_engine() -> None:
    with program_with_port("udp", "cstalk-bridge") as (port, _):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.WARNING
    assert "not the engine" in finding.what


def test_a_host_that_is_not_known_is_named() -> None:
    link = parse_link_url("osc://nohost.invalid:9000")
    with pytest.raises(UserError, match=r"nohost\.invalid"):
        examine_target(link, link.targets[0])


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (None, FindingState.OK, "no refusal arrived"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
            FindingState.FAULT,
            "no program listens",
        ),
        (ConnectionResetError(errno.ECONNRESET, "reset"), FindingState.FAULT, "no program listens"),
        (
            OSError(errno.EHOSTUNREACH, "No route to host"),
            FindingState.FAULT,
            "no route to 10.0.0.5",
        ),
        (OSError(errno.EPERM, "not permitted"), FindingState.FAULT, "cannot be sent to"),
    ],
)
def test_what_the_system_says_of_another_machine(
    error: OSError | None, state: FindingState, words: str
) -> None:
    finding = judge_target(LINK, remote(error=error))
    assert finding.state is state
    assert words in finding.what


def test_of_a_silent_machine_it_is_told_how_to_see_more() -> None:
    remedy = judge_target(LINK, remote()).remedy
    assert "cstalk-bridge listen --port 11111" in remedy
    assert "UDP port 11111" in remedy


def test_a_whole_network_may_be_a_target() -> None:
    found = probe_target(Target(host="255.255.255.255", port=free_udp_port()), timeout_s=0.1)
    assert not found.is_here


def test_an_ipv6_address_is_reached() -> None:
    with ExitStack() as closing:
        bound = closing.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        try:
            bound.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        found = probe_target(Target(host="::1", port=bound.getsockname()[1]))
    assert (found.is_here, found.error, found.address) == (True, None, "::1")
