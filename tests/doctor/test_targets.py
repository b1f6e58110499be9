"""Targets on real sockets: somebody there, nobody there, no such host."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest

from bridge.doctor.finding import State
from bridge.doctor.owners import Owner
from bridge.doctor.targets import Reach, examine_target, judge, reach
from bridge.errors import UserError
from bridge.links.spec import LinkSpec, parse_link_url
from bridge.links.target import Target
from tests.doctor.programs import free_udp_port, program_with_port
from tests.links.receiving import receiver


def link_to(port: int, protocol: str = "livelink-face") -> LinkSpec:
    return parse_link_url(f"{protocol}://127.0.0.1:{port}")


def remote(**changes: object) -> Reach:
    given = {"error": None, "heard_by": None, **changes}
    return Reach("10.0.0.5", 11111, "10.0.0.2", is_here=False, **given)  # type: ignore[arg-type]


LINK = parse_link_url("livelink-face://10.0.0.5")


def test_a_program_that_listens_is_named() -> None:
    with program_with_port("udp") as (port, process_id):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is State.OK
    assert f"(pid {process_id}) listens" in finding.what


def test_our_knock_is_a_datagram_without_a_byte() -> None:
    with receiver() as received:
        found = reach(received.target)
        assert received.all_waiting() == [b""]
    assert (found.is_here, found.error) == (True, None)


@pytest.mark.parametrize("protocol", ["livelink-face", "osc", "vmc"])
def test_a_port_where_nobody_listens_is_a_fault_with_what_to_start(protocol: str) -> None:
    port = free_udp_port()
    link = link_to(port, protocol)
    finding = examine_target(link, link.targets[0])
    assert finding.state is State.FAULT
    assert finding.what == f"nobody listens at UDP port {port} of 127.0.0.1"
    assert ("Unreal" in finding.remedy) is (protocol == "livelink-face")


def test_two_programs_on_one_port_are_told_of() -> None:
    found = Reach(
        "127.0.0.1",
        11111,
        "127.0.0.1",
        is_here=True,
        heard_by=(Owner("::", "UnrealEditor", 5), Owner("127.0.0.1", "LiveLinkHub", 6)),
    )
    finding = judge(link_to(11111), found)
    assert finding.state is State.WARNING
    assert "UnrealEditor (pid 5), LiveLinkHub (pid 6)" in finding.what


def test_a_bridge_that_listens_is_not_the_engine() -> None:
    with program_with_port("udp", "cstalk-bridge") as (port, _):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is State.WARNING
    assert "not the engine" in finding.what


def test_a_host_that_is_not_known_is_named() -> None:
    link = parse_link_url("osc://nohost.invalid:9000")
    with pytest.raises(UserError, match=r"nohost\.invalid"):
        examine_target(link, link.targets[0])


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (None, State.OK, "nothing refuses it"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), State.FAULT, "nobody listens"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), State.FAULT, "nobody listens"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), State.FAULT, "no way to 10.0.0.5"),
        (OSError(errno.EPERM, "not permitted"), State.FAULT, "cannot be sent to"),
    ],
)
def test_what_the_system_says_of_another_machine(
    error: OSError | None, state: State, words: str
) -> None:
    finding = judge(LINK, remote(error=error))
    assert finding.state is state
    assert words in finding.what


def test_of_a_silent_machine_it_is_told_how_to_see_more() -> None:
    remedy = judge(LINK, remote()).remedy
    assert "cstalk-bridge listen --port 11111" in remedy
    assert "UDP port 11111" in remedy


def test_a_whole_network_may_be_a_target() -> None:
    found = reach(Target(host="255.255.255.255", port=free_udp_port()), patience_s=0.1)
    assert not found.is_here


def test_an_ipv6_address_is_reached() -> None:
    with ExitStack() as closing:
        bound = closing.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        try:
            bound.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        found = reach(Target(host="::1", port=bound.getsockname()[1]))
    assert (found.is_here, found.error, found.address) == (True, None, "::1")
