from __future__ import annotations

import threading

import numpy as np

from bridge.audio.ring import GUARD_BLOCKS, RING_BLOCKS, BlockRing


def block(value: float) -> np.ndarray:
    return np.full((4, 2), value, dtype=np.float32)


def test_blocks_come_out_in_order_with_their_times() -> None:
    ring = BlockRing(4, 2)
    for number in range(3):
        ring.write(block(number), 10.0 + number, 0.012)
    taken = ring.read()
    assert [float(stamped.samples[0, 0]) for stamped in taken] == [0.0, 1.0, 2.0]
    assert [stamped.arrived_s for stamped in taken] == [10.0, 11.0, 12.0]
    assert taken[0].age_s == 0.012
    assert ring.read() == []


def test_what_was_read_is_not_changed_by_later_blocks() -> None:
    ring = BlockRing(4, 2)
    ring.write(block(1), 0.0, 0.0)
    (taken,) = ring.read()
    for _ in range(RING_BLOCKS):
        ring.write(block(2), 0.0, 0.0)
    assert (taken.samples == 1).all()


def test_the_oldest_are_lost_and_counted() -> None:
    ring = BlockRing(4, 2)
    for number in range(RING_BLOCKS + 50):
        ring.write(block(number), float(number), 0.0)
    taken = ring.read()
    assert len(taken) == RING_BLOCKS - GUARD_BLOCKS
    assert taken[-1].arrived_s == RING_BLOCKS + 49
    assert ring.dropped == 50 + GUARD_BLOCKS


def test_skipping_is_no_loss() -> None:
    ring = BlockRing(4, 2)
    ring.write(block(1), 0.0, 0.0)
    ring.skip()
    assert ring.read() == []
    assert ring.dropped == 0


def test_two_threads_see_whole_blocks_in_order() -> None:
    ring = BlockRing(64, 2)
    total = 3000
    wake = threading.Event()

    def write() -> None:
        for number in range(total):
            ring.write(np.full((64, 2), number, dtype=np.float32), float(number), 0.0)
            wake.set()

    writer = threading.Thread(target=write)
    writer.start()
    taken = []
    while writer.is_alive():
        wake.wait(0.1)
        wake.clear()
        taken += ring.read()
    taken += ring.read()
    assert all((stamped.samples == stamped.arrived_s).all() for stamped in taken)
    assert len(taken) + ring.dropped == total
    assert taken == sorted(taken, key=lambda stamped: stamped.arrived_s)
