"""Memory after a flood of datagrams, without a bridge, whose threads would be counted as well."""

from __future__ import annotations

import tracemalloc

from cstalk_bridge.control.controller import Controller
from cstalk_bridge.outputs.osc_messages import encode_message
from tests.control.test_server import DispatchHarness


def test_hostile_datagrams_leave_nothing_behind() -> None:
    harness = DispatchHarness(Controller())
    datagrams = [encode_message(f"/x{number}") for number in range(100)]
    datagrams += [encode_message("/OSCAddSendTarget", "127.0.0.1", n + 1) for n in range(1000)]
    datagrams += [b"\xff" * 100, encode_message("/cstalk/CSTalk/emotion", "glad", 3.0)]

    def handle_all() -> int:
        for datagram in datagrams:
            harness.handle(datagram)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    sizes = [handle_all() for _ in range(6)]
    tracemalloc.stop()
    assert sizes[-1] - sizes[1] < 2_000
