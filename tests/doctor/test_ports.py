"""The ports of the bridge itself: free, taken, wanted twice, sent to by its own links."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from bridge.config.schema import Config, SubjectConfig
from bridge.control.spec import ControlSpec, OscPlace
from bridge.doctor.finding import Finding, State
from bridge.doctor.firewall import opening
from bridge.doctor.ports import Port, examine_ports, ports
from bridge.links.spec import parse_link_url
from bridge.preview.spec import PreviewSpec
from tests.doctor.programs import free_tcp_port, free_udp_port, program_with_port

if TYPE_CHECKING:
    from bridge.links.spec import LinkSpec


def config_of(*urls: str, preview: PreviewSpec | None = None) -> Config:
    links: tuple[LinkSpec, ...] = tuple(map(parse_link_url, urls))
    return Config(subjects=(SubjectConfig(links=links),), preview=preview)


def only(config: Config) -> Finding:
    (finding,) = examine_ports(config)
    return finding


def with_control(config: Config, port: int) -> Config:
    return config.model_copy(update={"control": ControlSpec(osc=OscPlace(port=port))})


def test_a_link_that_sends_listens_nowhere() -> None:
    assert ports(config_of("livelink-face://127.0.0.1", "osc://10.0.0.5")) == []


def test_every_place_at_which_a_run_listens_is_examined_once() -> None:
    link = parse_link_url("metahuman://127.0.0.1:14785")
    both = tuple(SubjectConfig(name=name, links=(link,)) for name in ("Ada", "Ben"))
    config = with_control(Config(subjects=both, preview=PreviewSpec(port=8520)), 8000)
    assert ports(config) == [
        Port("metahuman://127.0.0.1:14785", "tcp", "127.0.0.1", 14785),
        Port("preview", "tcp", "127.0.0.1", 8520),
        Port("control", "udp", "127.0.0.1", 8000),
    ]


def test_a_free_port_is_free_and_stays_so() -> None:
    port = free_tcp_port()
    config = config_of(f"metahuman://127.0.0.1:{port}")
    for _ in range(2):
        finding = only(config)
        assert (finding.state, "is free" in finding.what) == (State.OK, True)


def test_a_port_open_to_others_is_told_with_its_firewall() -> None:
    finding = only(config_of(f"metahuman://0.0.0.0:{free_tcp_port()}?allow=10.0.0.0/24"))
    assert finding.state is State.OK
    assert "other machines come in at" in finding.what
    assert finding.remedy


def test_subjects_that_share_a_device_are_warned_of() -> None:
    port = free_tcp_port()
    url = f"metahuman://127.0.0.1:{port}"
    both = tuple(SubjectConfig(name=name, links=(parse_link_url(url),)) for name in ("Ada", "Ben"))
    free, shared = examine_ports(Config(subjects=both))
    assert free.state is State.OK
    assert (shared.where, shared.state) == (url, State.WARNING)
    assert shared.what == "Ada and Ben share one device, and Unreal takes Ada alone"


def test_a_taken_port_is_told_with_the_program_that_has_it() -> None:
    with program_with_port("tcp") as (port, process_id):
        finding = only(config_of("osc://10.0.0.5", preview=PreviewSpec(port=port)))
    assert finding.state is State.FAULT
    assert f"(pid {process_id})" in finding.what


def test_another_bridge_is_known_as_one_with_whoever_is_connected() -> None:
    with program_with_port("tcp", "cstalk-bridge") as (port, _):
        config = config_of(f"metahuman://127.0.0.1:{port}")
        alone = only(config)
        with socket.create_connection(("127.0.0.1", port)):
            connected = only(config)
    assert alone.state is State.WARNING
    assert alone.what.endswith("connected to it: nobody")
    assert connected.what.endswith("connected to it: 127.0.0.1")


def test_a_taken_udp_port_is_found_too() -> None:
    with program_with_port("udp") as (port, process_id):
        finding = only(with_control(config_of("livelink-face://127.0.0.1"), port))
    assert (finding.state, finding.where) == (State.FAULT, "control")
    assert f"(pid {process_id})" in finding.what


def test_an_address_that_is_not_ours_is_a_fault() -> None:
    finding = only(config_of("metahuman://198.51.100.7?allow=198.51.100.8"))
    assert (finding.state, "no address" in finding.what) == (State.FAULT, True)


def test_two_parts_of_the_bridge_cannot_share_a_port() -> None:
    port = free_tcp_port()
    everywhere = PreviewSpec(host="0.0.0.0", port=port)  # noqa: S104 - one that is all the others
    config = config_of(f"metahuman://127.0.0.1:{port}", preview=everywhere)
    *_, finding = examine_ports(config)
    assert (finding.state, "is wanted by" in finding.what) == (State.FAULT, True)


def test_a_link_that_sends_to_our_own_control_is_found() -> None:
    port = free_udp_port()
    config = with_control(config_of(f"osc://127.0.0.1:{port}"), port)
    free, ourselves = examine_ports(config)
    assert free.state is State.OK
    assert ourselves.state is State.FAULT
    assert "this bridge itself" in ourselves.what


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_every_system_has_its_way_to_open_a_port(platform: str) -> None:
    words = opening("udp", 8000, platform)
    assert ("8000" in words) is (platform != "darwin")
