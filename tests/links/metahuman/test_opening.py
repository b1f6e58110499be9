"""Devices by their address: shared, refused in words, closed."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bridge.clock.rate import FRAME_RATES
from bridge.clock.tick import Tick
from bridge.errors import UserError
from bridge.links.metahuman.access import Access
from bridge.links.metahuman.frame import CONTROLS
from bridge.links.metahuman.opening import LOCAL, Devices
from tests.links.metahuman.unreal import Unreal

if TYPE_CHECKING:
    from bridge.links.metahuman.link import MetaHumanLink

RATE = FRAME_RATES["60"]
HERE = ("127.0.0.1", 0)
NAME = "metahuman://127.0.0.1"


def opened(
    devices: Devices,
    subject: str,
    place: tuple[str, int] = HERE,
    outputs: tuple[str, ...] = CONTROLS,
    access: Access = LOCAL,
) -> MetaHumanLink:
    return devices.link(NAME, place, subject, outputs, RATE, access)


def problem(devices: Devices, *arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        opened(devices, *arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_subjects_at_one_address_share_a_device_and_others_have_their_own() -> None:
    devices = Devices()
    ada, ben = opened(devices, "Ada"), opened(devices, "Ben")
    cleo = opened(devices, "Cleo", ("localhost", 0))
    told: list[str] = []
    devices.start(told.append)
    try:
        first, second = devices.ports
        assert [len(device.feeds) for device in devices.devices] == [2, 1]
        assert len({device.id for device in devices.devices}) == 2
        with Unreal(first) as unreal, Unreal(second) as other:
            subjects = unreal.connect()
            assert [subject["name"] for subject in subjects] == ["Ada", "Ben"]
            assert [subject["name"] for subject in other.connect()] == ["Cleo"]
            unreal.stream(*subjects)
            for link in (ada, ben, cleo):
                link.send(np.ones(251, np.float32), Tick(1, 0.0, 1))
            got = {unreal.frame().subject, unreal.frame().subject}
            assert got == {subject["id"] for subject in subjects}
    finally:
        for link in (ada, ben, cleo):
            link.close()
        devices.close()
    assert devices.ports == ()
    assert told[0].startswith(
        f"MetaHuman device: Ada is at TCP port {first}; Unreal takes the first"
    )
    assert "so not Ben: give each subject a port of its own" in told[0]
    assert f"MetaHuman device: Cleo is at TCP port {second}" in told


def test_what_a_device_cannot_carry_is_told_all_at_once() -> None:
    devices = Devices()
    words = problem(devices, "", HERE, ("jawOpen",))
    assert "subject name" in words
    assert "1 outputs are neither curves of a MetaHuman" in words
    assert devices.ports == ()
    opened(devices, "Ada")
    assert "has a subject 'Ada' already" in problem(devices, "Ada")
    devices.close()


def test_a_place_where_it_cannot_listen_is_told_with_the_remedy() -> None:
    devices = Devices()
    with socket.create_server(HERE) as taken:
        port = taken.getsockname()[1]
        words = problem(devices, "Ada", ("127.0.0.1", port))
        assert f"TCP port {port} is in use; end the program that has it" in words
    assert "this machine has no address '192.0.2.1'" in problem(devices, "Ada", ("192.0.2.1", 0))
    assert "has no address 'no.such.host.invalid'" in problem(
        devices, "Ada", ("no.such.host.invalid", 0)
    )
    devices.close()


def test_closing_frees_the_port_whether_or_not_it_served() -> None:
    for serves in (False, True):
        devices = Devices()
        opened(devices, "Ada").close()
        (port,) = devices.ports
        if serves:
            devices.start(print)
        devices.close()
        socket.create_server(("127.0.0.1", port)).close()


def test_subjects_of_a_device_agree_on_who_may_come() -> None:
    devices = Devices()
    stage = Access((ipaddress.ip_network("10.0.0.0/24"),))
    opened(devices, "Ada", access=stage)
    opened(devices, "Ben", access=stage)
    words = problem(devices, "Cleo", HERE, CONTROLS, LOCAL)
    assert "another than that of a link to the same address" in words
    devices.close()


def test_a_list_lets_in_this_machine_and_those_it_names() -> None:
    stage = Access((ipaddress.ip_network("10.0.0.0/24"),))
    hosts = ("127.0.0.1", "::1", "10.0.0.9", "::ffff:10.0.0.9", "10.0.1.9", "no address")
    assert [stage.is_allowed(host) for host in hosts] == [True] * 4 + [False] * 2
    assert [LOCAL.is_allowed(host) for host in hosts] == [True] * 2 + [False] * 4


def test_a_discoverable_device_serves_as_well() -> None:
    devices = Devices()
    link = opened(devices, "Ada", access=Access(is_discoverable=True))
    told: list[str] = []
    devices.start(told.append)
    (port,) = devices.ports
    with Unreal(port) as unreal:
        assert len(unreal.connect()) == 1
    link.close()
    devices.close()
    assert told == [f"MetaHuman device: Ada is at TCP port {port}"]
