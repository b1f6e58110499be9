"""Memory after a flood of datagrams, without a bridge, whose threads would be counted as well."""

from __future__ import annotations

import gc
import tracemalloc

from cstalk_bridge.control.controller import Controller
from cstalk_bridge.outputs.osc_messages import encode_message
from tests.control.test_server import DispatchHarness

ROUNDS = 6
TARGETS = 1000
"""New targets in each round."""


def hostile_datagrams(number: int) -> list[bytes]:
    """Return the datagrams of a round; each round has addresses and targets of its own."""
    datagrams = [encode_message(f"/x{number}/{n}") for n in range(100)]
    ports = range(1 + number * TARGETS, 1 + (number + 1) * TARGETS)
    datagrams += [encode_message("/OSCAddSendTarget", "127.0.0.1", port) for port in ports]
    return [*datagrams, b"\xff" * 100, encode_message("/cstalk/CSTalk/emotion", "glad", 3.0)]


def test_hostile_datagrams_leave_nothing_behind() -> None:
    harness = DispatchHarness(Controller())
    rounds = [hostile_datagrams(number) for number in range(ROUNDS)]

    def size_after(datagrams: list[bytes]) -> int:
        for datagram in datagrams:
            harness.handle(datagram)
        # A full collection also empties the interpreter's free lists, which hold up to 2000 tuples
        # of each length and count as traced memory.
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    sizes = [size_after(datagrams) for datagrams in rounds]
    tracemalloc.stop()
    assert sizes[-1] - sizes[1] < 2_000
