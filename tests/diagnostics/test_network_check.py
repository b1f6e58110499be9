"""Doctor's checks of the network: loopback frames of links, ports, and targets."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import (
    Config,
    PreviewConfig,
    SubjectConfig,
)
from cstalk_bridge.control.access import ControlConfig, OscAddress
from cstalk_bridge.diagnostics.network_check import (
    Port,
    PortOwner,
    TargetReach,
    compare_values,
    examine_frame,
    examine_ports,
    examine_target,
    firewall_remedy,
    judge_target,
    listening_ports,
    probe_target,
    sample_values,
)
from cstalk_bridge.diagnostics.report import Finding, FindingState
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.outputs.protocol import LinkSource, LoopbackFrame
from cstalk_bridge.outputs.registry import open_link, parse_link_url, protocol_of
from cstalk_bridge.outputs.udp import Target
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.diagnostics.programs import free_tcp_port, free_udp_port, program_with_port
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.outputs.protocol import LinkConfig


RATE = FRAME_RATES["59.94df"]
UDP_URLS = (
    "livelink-face://10.0.0.5",
    "osc://10.0.0.5:9000/face",
    "osc://10.0.0.5:9000?rigmap=livelinkface61",
    "vmc://10.0.0.5",
    "vmc://10.0.0.5?presets=vrm1&rigmap=livelinkface61",
    "vmc://10.0.0.5?casing=pascal&bone=none&rigmap=livelinkface61",
)


def examined(url: str) -> list[Finding]:
    link = parse_link_url(url)
    return list(examine_frame(link, "Ada", load_rigmap(link.rigmap), RATE))


@pytest.mark.parametrize("url", [*UDP_URLS, "metahuman://127.0.0.1"])
def test_a_frame_of_every_link_is_received_as_sent(url: str) -> None:
    (finding,) = examined(url)
    assert finding.state is FindingState.OK, finding
    assert "arrived and decoded unchanged" in finding.what


def test_the_reported_numbers_are_those_of_the_protocol() -> None:
    assert "61 values sent in 1 datagram of 309 bytes" in examined(UDP_URLS[0])[0].what
    (finding,) = examined("metahuman://127.0.0.1")
    assert "257 values sent in 1 datagram of 584 bytes" in finding.what


def test_a_custom_rig_map_passes_with_its_head(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text(
        "target: custom\nextends: metahuman\ncurves:\n"
        "  HeadYaw: {from: head.yaw, gain: -57.29578, clamp: [-180, 180]}\n",
        encoding="utf-8",
    )
    (finding,) = examined(f"metahuman://127.0.0.1?rigmap={path}")
    assert finding.what.startswith("252 values sent in 1 datagram of 584 bytes")


@pytest.mark.parametrize("protocol", ["livelink-face", "metahuman"])
def test_a_rig_map_that_does_not_fit_is_a_fault_of_its_link(protocol: str) -> None:
    (finding,) = examined(f"{protocol}://127.0.0.1:7?rigmap=vrm")
    assert finding.state is FindingState.FAULT
    assert finding.where == f"Ada {protocol}://127.0.0.1:7"
    assert "rig map" in finding.what


def datagrams_of(url: str) -> list[bytes]:
    """Return the datagrams of a frame, by the templates of the link itself."""
    link = parse_link_url(url.replace("10.0.0.5", "127.0.0.1"))
    rigmap = load_rigmap(link.rigmap)
    opened = open_link(link, "Ada", rigmap.outputs, RATE)
    datagrams = opened._encode(sample_values(rigmap), 5, 0.0)  # type: ignore[attr-defined]
    opened.close()
    return list(datagrams)


def read_frame(url: str, outputs: tuple[str, ...], datagrams: list[bytes]) -> dict[str, float]:
    link = parse_link_url(url)
    source = LinkSource("Ada", outputs, RATE)
    values: dict[str, float] = protocol_of(link).decode(link, source, 7, datagrams)  # type: ignore[attr-defined]
    return values


def test_a_frame_with_another_number_is_ignored() -> None:
    outputs = load_rigmap(parse_link_url(UDP_URLS[0]).rigmap).outputs
    with pytest.raises(ValueError, match="frame 5 of 'Ada'"):
        read_frame(UDP_URLS[0], outputs, datagrams_of(UDP_URLS[0]))


def test_a_vmc_frame_without_its_end_is_incomplete() -> None:
    shape = encode_message("/VMC/Ext/Blend/Val", "Joy", 0.5)
    with pytest.raises(ValueError, match="the last message"):
        read_frame("vmc://10.0.0.5", ("joy",), [shape])


def test_missing_and_different_values_are_reported() -> None:
    wanted = {"a": 0.5, "b": 0.25, "c": 1.0}

    def compared(values: dict[str, float]) -> Finding:
        return compare_values("x", LoopbackFrame((b"1",), values, 1e-4), wanted, 1e-6)

    assert compared(dict(wanted)).state is FindingState.OK
    assert compared({**wanted, "a": 0.5 + 0.5e-6}).state is FindingState.OK
    wrong = compared({"a": 0.5, "b": 0.26})
    assert wrong.state is FindingState.FAULT
    assert wrong.what == "1 values are missing and 1 are others, first c"


def test_every_output_gets_a_distinct_value() -> None:
    for name in ("metahuman", "livelinkface61", "vrm"):
        values = sample_values(load_rigmap(name))
        assert len(set(values.tolist())) == len(values)
        assert 0.0 < values.min() < values.max() < 1.0


def expected(url: str, outputs: tuple[str, ...]) -> dict[str, float]:
    link = parse_link_url(url)
    values = sample_values(load_rigmap("vrm"))
    return protocol_of(link).expected(link, LinkSource("Ada", outputs, RATE), values)


def test_names_that_osc_and_vmc_receivers_expect_are_sent() -> None:
    names = tuple(load_rigmap("vrm").outputs)
    assert f"/face/{names[0]}" in expected("osc://10.0.0.5/face?rigmap=vrm", names)
    assert {"A", "Joy"} <= expected("vmc://10.0.0.5", names).keys()


def config_of(*urls: str, preview: PreviewConfig | None = None) -> Config:
    links: tuple[LinkConfig, ...] = tuple(map(parse_link_url, urls))
    return Config(subjects=(SubjectConfig(links=links),), preview=preview)


def only(config: Config) -> Finding:
    (finding,) = examine_ports(config)
    return finding


def with_control(config: Config, port: int) -> Config:
    return config.model_copy(update={"control": ControlConfig(osc=OscAddress(port=port))})


def test_a_sending_link_listens_nowhere() -> None:
    assert listening_ports(config_of("livelink-face://127.0.0.1", "osc://10.0.0.5")) == []


def test_every_listening_address_of_a_run_is_examined_once() -> None:
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


def test_an_exposed_port_is_reported_with_its_firewall() -> None:
    finding = only(config_of(f"metahuman://0.0.0.0:{free_tcp_port()}?allow=10.0.0.0/24"))
    assert finding.state is FindingState.OK
    assert "other machines reach it at" in finding.what
    assert finding.remedy


def test_subjects_that_share_a_device_get_a_warning() -> None:
    port = free_tcp_port()
    url = f"metahuman://127.0.0.1:{port}"
    both = tuple(SubjectConfig(name=name, links=(parse_link_url(url),)) for name in ("Ada", "Ben"))
    free, shared = examine_ports(Config(subjects=both))
    assert free.state is FindingState.OK
    assert (shared.where, shared.state) == (url, FindingState.WARNING)
    assert shared.what == "Ada and Ben share one device, and Unreal takes Ada alone"


def test_a_port_in_use_is_reported_with_the_program_that_holds_it() -> None:
    with program_with_port("tcp") as (port, process_id):
        finding = only(config_of("osc://10.0.0.5", preview=PreviewConfig(port=port)))
    assert finding.state is FindingState.FAULT
    assert f"(pid {process_id})" in finding.what


def test_another_bridge_is_recognised_with_its_clients() -> None:
    with program_with_port("tcp", "cstalk-bridge") as (port, _):
        config = config_of(f"metahuman://127.0.0.1:{port}")
        alone = only(config)
        with socket.create_connection(("127.0.0.1", port)):
            connected = only(config)
    assert alone.state is FindingState.WARNING
    assert alone.what.endswith("connected to it: nobody")
    assert connected.what.endswith("connected to it: 127.0.0.1")


def test_a_udp_port_in_use_is_found() -> None:
    with program_with_port("udp") as (port, process_id):
        finding = only(with_control(config_of("livelink-face://127.0.0.1"), port))
    assert (finding.state, finding.where) == (FindingState.FAULT, "control")
    assert f"(pid {process_id})" in finding.what


def test_a_foreign_address_is_a_fault() -> None:
    finding = only(config_of("metahuman://198.51.100.7?allow=198.51.100.8"))
    assert (finding.state, "no address" in finding.what) == (FindingState.FAULT, True)


def test_two_parts_of_the_bridge_cannot_share_a_port() -> None:
    port = free_tcp_port()
    everywhere = PreviewConfig(host="0.0.0.0", port=port)  # noqa: S104 - one that is all the others
    config = config_of(f"metahuman://127.0.0.1:{port}", preview=everywhere)
    *_, finding = examine_ports(config)
    assert (finding.state, "is also used by" in finding.what) == (FindingState.FAULT, True)


def test_a_link_that_sends_to_our_own_control_port_is_found() -> None:
    port = free_udp_port()
    config = with_control(config_of(f"osc://127.0.0.1:{port}"), port)
    free, ourselves = examine_ports(config)
    assert free.state is FindingState.OK
    assert ourselves.state is FindingState.FAULT
    assert "this bridge itself" in ourselves.what


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_every_system_has_instructions_to_open_a_port(platform: str) -> None:
    message = firewall_remedy("udp", 8000, platform)
    assert ("8000" in message) is (platform != "darwin")


def link_to(port: int, protocol: str = "livelink-face") -> LinkConfig:
    return parse_link_url(f"{protocol}://127.0.0.1:{port}")


def remote(**changes: object) -> TargetReach:
    given = {"error": None, "received_by": None, **changes}
    return TargetReach("10.0.0.5", 11111, "10.0.0.2", is_here=False, **given)  # type: ignore[arg-type]


LINK = parse_link_url("livelink-face://10.0.0.5")


def test_a_listening_program_is_named() -> None:
    with program_with_port("udp") as (port, process_id):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.OK
    assert f"(pid {process_id}) listens" in finding.what


def test_the_probe_is_an_empty_datagram() -> None:
    with receiver() as received:
        found = probe_target(received.target)
        assert received.all_waiting() == [b""]
    assert (found.is_here, found.error) == (True, None)


@pytest.mark.parametrize("protocol", ["livelink-face", "osc", "vmc"])
def test_a_port_without_a_listener_is_a_fault_with_advice(protocol: str) -> None:
    port = free_udp_port()
    link = link_to(port, protocol)
    finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.FAULT
    assert finding.what == f"no program listens at UDP port {port} of 127.0.0.1"
    assert ("Unreal" in finding.remedy) is (protocol == "livelink-face")


def test_two_programs_on_one_port_are_reported() -> None:
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


def test_a_listening_bridge_is_not_taken_for_the_engine() -> None:
    with program_with_port("udp", "cstalk-bridge") as (port, _):
        link = link_to(port)
        finding = examine_target(link, link.targets[0])
    assert finding.state is FindingState.WARNING
    assert "not the engine" in finding.what


def test_an_unknown_host_is_named() -> None:
    link = parse_link_url("osc://nohost.invalid:9000")
    with pytest.raises(UserError, match=r"nohost\.invalid"):
        examine_target(link, link.targets[0])


@pytest.mark.parametrize(
    ("error", "state", "message"),
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
def test_errors_of_the_system_about_another_machine_are_reported(
    error: OSError | None, state: FindingState, message: str
) -> None:
    finding = judge_target(LINK, remote(error=error))
    assert finding.state is state
    assert message in finding.what


def test_for_a_silent_machine_further_checks_are_suggested() -> None:
    remedy = judge_target(LINK, remote()).remedy
    assert "cstalk-bridge listen --port 11111" in remedy
    assert "UDP port 11111" in remedy


def test_a_broadcast_address_may_be_a_target() -> None:
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
