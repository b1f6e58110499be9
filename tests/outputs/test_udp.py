"""UDP targets on real sockets: a dead target never affects another."""

import shutil
import socket
import subprocess
import sys
from typing import Any

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.udp import (
    CHECK_DATAGRAMS,
    MAX_TARGETS,
    PROVEN_DATAGRAMS,
    RECONNECT_S,
    REFUSED_S,
    Delivery,
    Receiver,
    Target,
    UdpTargets,
)
from cstalk_bridge.system.addresses import HostAddress
from cstalk_bridge.timecode.tick import host_now
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

# RFC 5737 and RFC 3849: documentation addresses, which are not routed.
NOWHERE = Target(host="192.0.2.1", port=9)
NOWHERE_IPV6 = Target(host="2001:db8::1", port=9)


def closed_port() -> Target:
    with receiver() as gone:
        return gone.target


def test_every_target_receives_every_datagram_in_order() -> None:
    with receiver() as one, receiver() as other:
        targets = UdpTargets([one.target, other.target])
        for index in range(20):
            targets.send([b"a%d" % index, b"b%d" % index])
        expected = [b"%c%d" % (letter, index) for index in range(20) for letter in b"ab"]
        assert one.all_waiting() == other.all_waiting() == expected
        assert (targets.sent, targets.failed) == (80, 0)
        targets.close()


@pytest.mark.parametrize("nowhere", [None, NOWHERE, NOWHERE_IPV6], ids=str)
def test_a_dead_target_does_not_affect_others(nowhere: Target | None) -> None:
    """None: nobody listens at a port of this machine, which answers so."""
    with receiver() as before, receiver() as after:
        try:
            targets = UdpTargets([before.target, nowhere or closed_port(), after.target])
        except UserError:
            pytest.skip("this machine knows no IPv6")
        for index in range(300):
            targets.send([b"%d" % index])
            if index % 50 == 49:
                expected = [b"%d" % number for number in range(index - 49, index + 1)]
                assert before.all_waiting() == after.all_waiting() == expected
        targets.close()
        reachable = (targets.receivers[0], targets.receivers[2])
        assert [(r.sent, r.failed, r.last_error) for r in reachable] == [(300, 0, None)] * 2
        silent = targets.receivers[1]
        assert silent.sent + silent.failed == 300
        assert (silent.last_error is None) == (silent.failed == 0)


def test_a_receiver_that_starts_late_receives_every_datagram_from_then_on() -> None:
    target = closed_port()
    targets = UdpTargets([target])
    for _ in range(5):
        targets.send([b"lost"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind((target.host, target.port))
        late.settimeout(5.0)
        targets.send([b"first"])
        assert late.recv(64) == b"first"
    targets.close()


def test_a_refused_datagram_is_counted_with_its_reason() -> None:
    with receiver() as one:
        targets = UdpTargets([one.target])
        targets.send([b"x" * 70000, b"good"])
        assert one.one() == b"good"
        (only,) = targets.receivers
        assert (targets.sent, targets.failed) == (1, 1)
        assert only.last_error
        targets.close()
        targets.send([b"after closing"])
        assert (targets.sent, targets.failed) == (1, 2)


def test_all_unknown_hosts_are_named_at_once() -> None:
    targets = [
        Target(host="first.invalid", port=1),
        Target(host="second.invalid", port=3),
        Target.model_construct(host="a..b", port=4),
    ]
    with pytest.raises(UserError) as raised:
        UdpTargets(targets)
    assert [problem.where for problem in raised.value.problems] == [
        "first.invalid:1",
        "second.invalid:3",
        "a..b:4",
    ]
    assert "'first.invalid' cannot be found" in str(raised.value)


def test_an_unknown_host_does_not_affect_others() -> None:
    with receiver() as one:
        targets = UdpTargets([Target(host="nobody.invalid", port=9), one.target])
        targets.send([b"a", b"b"])
        assert one.all_waiting() == [b"a", b"b"]
        missing, _ = targets.receivers
        assert (missing.sent, missing.failed) == (0, 2)
        assert "'nobody.invalid' cannot be found" in str(missing.last_error)
        targets.close()


def test_a_host_that_is_resolved_later_receives_from_then_on() -> None:
    answers = 0

    def find_late(target: Target) -> HostAddress:
        nonlocal answers
        answers += target.host == "late.invalid"
        if target.host == "late.invalid" and answers < 3:
            raise OSError("not known yet")
        return socket.AF_INET, ("127.0.0.1", target.port)

    with receiver() as one, receiver() as late:
        name = Target(host="late.invalid", port=late.target.port)
        targets = UdpTargets([name, one.target], interval_s=0.01, find=find_late)

        def send() -> int:
            targets.send([b"frame"])
            return targets.receivers[0].sent

        wait_until(send)
        assert late.one() == b"frame"
        assert targets.receivers[0].failed > 0
        targets.drop_all()
        targets.send_last([b"rest"])
        assert late.one() == b"rest"


def test_localhost_means_ipv4() -> None:
    with receiver() as one:
        targets = UdpTargets([Target(host="localhost", port=one.target.port)])
        targets.send([b"hello"])
        assert one.one() == b"hello"
        targets.close()


def test_ipv6_targets_are_reached() -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python knows no IPv6")
    try:
        with receiver("::1", socket.AF_INET6) as one:
            targets = UdpTargets([one.target])
            targets.send([b"six"])
            assert one.one() == b"six"
            targets.close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_targets_are_bounded_and_an_unknown_host_is_reported() -> None:
    targets = UdpTargets([])
    for port in range(1, MAX_TARGETS + 1):
        targets.add(Target(host="127.0.0.1", port=port))
    with pytest.raises(UserError, match=f"{MAX_TARGETS} targets already"):
        targets.add(Target(host="127.0.0.1", port=99))
    targets.drop_all()
    with pytest.raises(UserError, match="cannot be found"):
        targets.add(Target(host="nobody.invalid", port=99))
    assert targets.receivers == ()
    targets.close()


def test_targets_are_replaced_as_a_whole_and_unchanged_ones_keep_their_socket() -> None:
    with receiver() as first, receiver() as second:
        one, two = (("127.0.0.1", each.target.port) for each in (first, second))
        targets = UdpTargets(())
        targets.send([b"lost"])
        targets.replace((one, two))
        unchanged = targets.receivers[1]
        targets.send([b"a"])
        targets.replace((two,))
        targets.send([b"b"])
        assert targets.receivers == (unchanged,)
        targets.replace((("255.255.255.255", 9), two))
        targets.send([b"c"])
        assert (targets.sent, targets.failed) == (4, 1)
        targets.replace(())
        assert (targets.receivers, targets.sent, targets.failed) == ((), 4, 1)
        assert (first.all_waiting(), second.all_waiting()) == ([b"a"], [b"a", b"b", b"c"])
        targets.close()


def test_a_port_without_a_listener_is_detected_and_so_is_its_return() -> None:
    target = closed_port()
    targets = UdpTargets([target])
    (only,) = targets.receivers
    assert isinstance(only, Receiver)
    assert only.delivery(host_now()) is Delivery.SENT
    for _ in range(3 * PROVEN_DATAGRAMS):
        targets.send([b"frame"])
        assert only.delivery(host_now()) is not Delivery.LISTENING
    assert only.delivery(host_now()) is Delivery.NO_RECEIVER
    assert (targets.sent, targets.failed) == (3 * PROVEN_DATAGRAMS, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind((target.host, target.port))
        for _ in range(PROVEN_DATAGRAMS + 1):
            targets.send([b"frame"])
        assert only.delivery(host_now()) is Delivery.LISTENING
    targets.send([b"frame"] * (CHECK_DATAGRAMS + 1))
    assert only.delivery(host_now()) is Delivery.NO_RECEIVER
    targets.close()


class SilentSocket(socket.socket):
    """One that reports refusals when receiving alone."""

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send as if no refusal had arrived before."""
        try:
            return super().send(data, flags)
        except ConnectionRefusedError:
            return self.send(data, flags)


def test_a_refusal_is_also_found_where_only_receiving_reports_it() -> None:
    """As on Windows: sending reports nothing, so that only every look finds a refusal."""
    targets = UdpTargets([closed_port()])
    (only,) = targets.receivers
    assert isinstance(only, Receiver)
    only.socket.close()
    only.socket = silent = SilentSocket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.settimeout(0.0)
    silent.connect(only.address)
    for number in range(3 * CHECK_DATAGRAMS):
        targets.send([b"frame"])
        assert only.refused == number // CHECK_DATAGRAMS
        if only.refused:
            assert only.delivery(host_now()) is Delivery.NO_RECEIVER
    targets.close()


def test_delivery_to_a_silent_group_is_unknown() -> None:
    """A multicast group, for which nobody may answer (RFC 1122, section 3.2.2)."""
    targets = UdpTargets([Target(host="239.255.77.77", port=9)])
    targets.send([b"frame"] * 3 * PROVEN_DATAGRAMS)
    (only,) = targets.receivers
    assert only.delivery(host_now()) is Delivery.SENT
    targets.close()


def test_a_refusal_of_another_machine_counts_for_a_while() -> None:
    now_s = 100.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        target = closed_port()
        address = (target.host, target.port)
        only = Receiver(target, address, opened, now=lambda: now_s)
        only.send([b"frame"] * (2 * CHECK_DATAGRAMS + 1))
        # As from another address of this machine, which it cannot recognise as its own.
        only.address = ("192.0.2.1", target.port)
        assert only.delivery(now_s + REFUSED_S - 0.1) is Delivery.NO_RECEIVER
        assert only.delivery(now_s + REFUSED_S) is Delivery.SENT


def test_a_socket_is_taken_anew_where_the_system_refuses_it() -> None:
    now_s = 100.0
    with receiver() as one:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        only = Receiver(one.target, (one.target.host, one.target.port), opened, now=lambda: now_s)
        now_s += RECONNECT_S
        only.send([b"x" * 70000, b"good"])
        assert only.socket is not opened
        assert opened.fileno() == -1
        assert one.one() == b"good"
        assert (only.sent, only.failed) == (1, 1)
        only.close()


def test_a_forgotten_target_gets_nothing_more_and_stays_counted() -> None:
    with receiver() as kept, receiver() as left:
        targets = UdpTargets([kept.target, left.target])
        targets.send([b"one"])
        targets.forget([left.target])
        targets.send([b"two"])
        targets.close()
        assert (kept.all_waiting(), left.all_waiting()) == ([b"one", b"two"], [b"one"])
        assert targets.sent == 3


def can_have_namespaces() -> bool:
    if sys.platform != "linux" or not (shutil.which("unshare") and shutil.which("ip")):
        return False
    links = ["ip", "link", "add", "here", "type", "veth", "peer", "name", "there"]
    return (
        subprocess.run(["unshare", "-n", *links], capture_output=True, check=False).returncode == 0
    )


def test_another_machine_is_known_to_be_off_or_deaf_until_it_listens() -> None:
    if not can_have_namespaces():
        pytest.skip("needs Linux and the right to have networks")
    command = ["unshare", "-n", sys.executable, "-m", "tests.outputs.two_machines"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "off NO_RECEIVER",
        "on NO_RECEIVER",
        "listening SENT",
        "moved SENT 10.9.0.77",
    ]
