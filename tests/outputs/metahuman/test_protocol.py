"""Links of subjects to MetaHuman devices: the frames they send and to whom, and shared devices."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.link import MAX_FRAME
from cstalk_bridge.outputs.metahuman.device import AccessRules, Feed
from cstalk_bridge.outputs.metahuman.messages import CONTROLS, HEAD_POSE, REST
from cstalk_bridge.outputs.metahuman.protocol import (
    LOCAL_ONLY,
    Devices,
    MetaHumanLink,
    outputs_fault,
)
from cstalk_bridge.outputs.udp import Receiver as TargetReceiver
from cstalk_bridge.rig.curves import Frame, neutral_board
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.metahuman.unreal import Unreal, parse_frame
from tests.outputs.receiving import Receiver, receiver

if TYPE_CHECKING:
    from pathlib import Path


FACE = np.linspace(0, 1, 251, dtype=np.float32)
WRINKLES = [CONTROLS.index(f"CTRL_expressions_noseWrinkleUpper{side}") for side in "LR"]
AT_REST = [65535 if place in WRINKLES else 0 for place in range(251)]
WITH_HEAD = """
extends: metahuman
curves:
  HeadRoll: {from: head.yaw, gain: 57.29578}
  HeadTranslationZ: head.y
"""


def tick(frame: int) -> Tick:
    return Tick(number=frame, due_s=frame / 60, frame=frame)


def link_of(feed: Feed, outputs: tuple[str, ...] = CONTROLS) -> MetaHumanLink:
    return MetaHumanLink("metahuman://test", feed, outputs, FRAME_RATES["60"])


def wanted_by(feed: Feed, *targets: Receiver) -> None:
    for target in targets:
        feed.add(target, (target.target.host, target.target.port))


def test_nothing_is_sent_before_a_client_subscribes_and_then_every_tick() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    link.send(FACE, tick(1))
    assert (link.sent, link.failed, link.receivers) == (0, 0, ())
    with receiver() as unreal:
        wanted_by(feed, unreal)
        for number in range(2, 32):
            link.send(FACE, tick(number))
        assert (link.sent, link.failed) == (30, 0)
        link.close()
        link.close()
        frames = [parse_frame(datagram) for datagram in unreal.all_waiting()]
    assert [frame.number for frame in frames] == list(range(2, 33))
    for frame in frames[:-1]:
        np.testing.assert_allclose(np.array(frame.controls), FACE * 65535, atol=0.51)
    assert frames[-1].controls == AT_REST
    assert link.sent == 31
    link.send(FACE, tick(40))
    assert link.sent == 31


def test_a_face_at_rest_is_not_sent_twice() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(FACE, tick(1))
        link.neutral(tick(2))
        link.close()
        assert len(unreal.all_waiting()) == 2


def test_clients_connect_and_disconnect_between_ticks() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as first, receiver() as second:
        wanted_by(feed, first, second)
        link.send(FACE, tick(1))
        feed.remove(first)
        link.send(FACE, tick(2))
        wanted_by(feed, first)
        feed.remove(second)
        link.send(FACE, tick(3))
        numbers = [[parse_frame(d).number for d in to.all_waiting()] for to in (first, second)]
        assert numbers == [[1, 3], [1, 2]]
        assert link.sent == 4
        assert [receiver.target.port for receiver in link.receivers] == [first.target.port]
        link.close()


def test_sockets_of_disconnected_clients_are_closed() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(FACE, tick(1))
        (old,) = link.receivers
        assert isinstance(old, TargetReceiver)
        feed.remove(unreal)
        link.send(FACE, tick(2))
        assert old.socket.fileno() == -1
        assert len(link.receivers) == 0
        wanted_by(feed, unreal)
        link.send(FACE, tick(3))
        new = link.receivers[0]
        assert isinstance(new, TargetReceiver)
        assert len(link.receivers) == 1
        link.close()
        assert new.socket.fileno() == -1


def test_an_unreachable_address_is_counted_and_does_not_affect_others() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        feed.add("unreachable", ("255.255.255.255", 9))
        wanted_by(feed, unreal)
        link.send(FACE, tick(1))
        assert (link.sent, link.failed) == (1, 1)
        assert any(receiver.last_error for receiver in link.receivers)
        assert parse_frame(unreal.one()).number == 1
        link.close()


def test_values_that_are_not_finite_are_sent_as_0_and_counted() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(np.where(np.arange(251) % 100 == 7, np.float32(np.nan), FACE), tick(1))
        frame = parse_frame(unreal.one())
        link.close()
    assert link.not_finite == 3
    assert [frame.controls[place] for place in (7, 107, 207)] == [0, 0, 0]


@pytest.mark.parametrize(
    "tweak",
    [
        "extends: metahuman_device",
        "extends: metahuman\ncurves:\n  CTRL_expressions_noseWrinkleUpperL: null",
        "extends: metahuman_device\ntarget: custom\ncurves:\n"
        "  CTRL_expressions_noseWrinkleUpperL: null\n  CTRL_expressions_noseWrinkleUpperR: null",
    ],
)
def test_the_upper_wrinkles_rest_at_1_whatever_the_map_and_the_frame(
    tmp_path: Path, tweak: str
) -> None:
    file = tmp_path / "hero.yaml"
    file.write_text(tweak, encoding="utf-8")
    rigmap = load_rigmap(str(file))
    assert np.flatnonzero(REST).tolist() == WRINKLES
    feed = Feed("Ada")
    link = MetaHumanLink("metahuman://t", feed, rigmap.outputs, FRAME_RATES["60"], rigmap.rest)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(rigmap.apply(Frame(0.0)), tick(1))
        link.neutral(tick(2))
        link.send(np.full(len(rigmap.outputs), np.nan, np.float32), tick(3))
        link.close()
        frames = [parse_frame(datagram) for datagram in unreal.all_waiting()]
    assert [frame.controls for frame in frames] == [AT_REST] * 4
    assert link.not_finite == len(rigmap.outputs)


def test_values_of_another_shape_raise_and_nothing_is_sent() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        with pytest.raises(ValueError, match="shape"):
            link.send(FACE[:250], tick(1))
        assert unreal.all_waiting() == []
        link.close()


def test_frame_numbers_wrap_after_the_largest() -> None:
    feed = Feed("Ada")
    link = link_of(feed)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(FACE, tick(MAX_FRAME))
        link.close()
        assert [parse_frame(d).number for d in unreal.all_waiting()] == [MAX_FRAME, 0]


def test_curves_have_their_index_whatever_the_order_of_the_outputs() -> None:
    feed = Feed("Ada")
    outputs = ("HeadRoll", "CTRL_expressions_jawOpen", "CTRL_expressions_mouthUp", "HeadPitch")
    link = link_of(feed, outputs)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(np.array([-12.5, 1.0, 0.2, 33.0], np.float32), tick(1))
        frame = parse_frame(unreal.one())
        link.close()
    assert len(frame.controls) == 251
    assert frame.controls[191] == 65535
    assert frame.controls[CONTROLS.index("CTRL_expressions_mouthUp")] == 13107
    assert sum(frame.controls) == 65535 + 13107 + sum(AT_REST)
    assert (frame.roll, frame.pitch, frame.yaw, frame.location) == (-12.5, 33.0, 0.0, (0, 0, 0))


def test_a_rig_map_may_turn_the_head(tmp_path: Path) -> None:
    file = tmp_path / "head.yaml"
    file.write_text(WITH_HEAD, encoding="utf-8")
    rigmap = load_rigmap(str(file))
    feed = Feed("Ada")
    link = link_of(feed, rigmap.outputs)
    head = np.array([0.5, 0, 0, 0, 2.0, 0], np.float32)
    with receiver() as unreal:
        wanted_by(feed, unreal)
        link.send(rigmap.apply(Frame(0.0, neutral_board(), head)), tick(1))
        frame = parse_frame(unreal.one())
        link.close()
    assert frame.roll == pytest.approx(28.648, abs=1e-3)
    assert frame.location == (0.0, 0.0, 2.0)


def test_outputs_unknown_to_metahumans_are_named() -> None:
    assert outputs_fault(load_rigmap("metahuman").outputs) is None
    arkit = load_rigmap("livelinkface61").outputs
    fault = outputs_fault(arkit)
    assert fault
    assert fault.startswith(
        "58 outputs are neither curves of a MetaHuman nor of its head: EyeBlink"
    )
    assert outputs_fault(HEAD_POSE) == "no output is a curve of a MetaHuman"
    with pytest.raises(ValueError, match="58 outputs"):
        link_of(Feed("Ada"), arkit)


def test_ipv6_clients_receive_frames_too() -> None:
    try:
        with receiver("::1", socket.AF_INET6) as unreal:
            feed = Feed("Ada")
            link = link_of(feed)
            feed.add(unreal, ("::1", unreal.target.port, 0, 0))
            link.send(FACE, tick(1))
            assert parse_frame(unreal.one()).number == 1
            link.close()
    except OSError:
        pytest.skip("no IPv6 here")


RATE = FRAME_RATES["60"]
HERE = ("127.0.0.1", 0)
NAME = "metahuman://127.0.0.1"


def opened(
    devices: Devices,
    subject: str,
    place: tuple[str, int] = HERE,
    outputs: tuple[str, ...] = CONTROLS,
    access: AccessRules = LOCAL_ONLY,
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
    notices: list[str] = []
    devices.start(notices.append)
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
    assert notices[0].startswith(
        f"MetaHuman device: Ada is at TCP port {first}; Unreal takes the first"
    )
    assert "so not Ben: give each subject a port of its own" in notices[0]
    assert f"MetaHuman device: Cleo is at TCP port {second}" in notices


def test_everything_that_a_device_cannot_carry_is_reported_at_once() -> None:
    devices = Devices()
    message = problem(devices, "", HERE, ("jawOpen",))
    assert "subject name" in message
    assert "1 outputs are neither curves of a MetaHuman" in message
    assert devices.ports == ()
    opened(devices, "Ada")
    assert "has a subject 'Ada' already" in problem(devices, "Ada")
    devices.close()


def test_an_address_that_cannot_be_bound_is_reported_with_advice() -> None:
    devices = Devices()
    with socket.create_server(HERE) as taken:
        port = taken.getsockname()[1]
        message = problem(devices, "Ada", ("127.0.0.1", port))
        assert f"TCP port {port} is in use; end the program that has it" in message
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


def test_subjects_of_a_device_must_agree_on_the_allow_list() -> None:
    devices = Devices()
    stage = AccessRules((ipaddress.ip_network("10.0.0.0/24"),))
    opened(devices, "Ada", access=stage)
    opened(devices, "Ben", access=stage)
    message = problem(devices, "Cleo", HERE, CONTROLS, LOCAL_ONLY)
    assert "another than that of a link to the same address" in message
    devices.close()


def test_an_allow_list_admits_this_machine_and_the_listed_ones() -> None:
    stage = AccessRules((ipaddress.ip_network("10.0.0.0/24"),))
    hosts = ("127.0.0.1", "::1", "10.0.0.9", "::ffff:10.0.0.9", "10.0.1.9", "no address")
    assert [stage.is_allowed(host) for host in hosts] == [True] * 4 + [False] * 2
    assert [LOCAL_ONLY.is_allowed(host) for host in hosts] == [True] * 2 + [False] * 4


def test_a_discoverable_device_serves_as_well() -> None:
    devices = Devices()
    link = opened(devices, "Ada", access=AccessRules(is_discoverable=True))
    notices: list[str] = []
    devices.start(notices.append)
    (port,) = devices.ports
    with Unreal(port) as unreal:
        assert len(unreal.connect()) == 1
    link.close()
    devices.close()
    assert notices == [f"MetaHuman device: Ada is at TCP port {port}"]
