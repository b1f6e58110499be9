from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from cstalk_bridge.preview.hub import HEADER, MAX_CLIENTS, Hub, PreviewLink
from cstalk_bridge.timecode.tick import Tick

CURVES = tuple("abc")


def values(frame: bytes) -> list[float]:
    return np.frombuffer(frame, "<f4", offset=HEADER.size).tolist()


def test_a_frame_holds_all_subjects_of_one_tick() -> None:
    async def watch() -> bytes:
        with hub.joined() as client:
            assert client
            hub.publish(0, np.array([1, 2, 3], np.float32), 2**32 + 7)
            hub.publish(1, np.array([4, 5, 6], np.float32), 2**32 + 7)
            return await client.next()

    hub = Hub(("left", "right"), CURVES, 60.0, now=lambda: 12.5)
    frame = asyncio.run(watch())
    assert HEADER.unpack_from(frame) == (1, 2, 3, 7, 12.5)
    assert values(frame) == [1, 2, 3, 4, 5, 6]


def test_a_slow_client_receives_the_newest_frames_and_loses_the_rest() -> None:
    async def watch() -> None:
        with hub.joined() as slow, hub.joined() as quick:
            assert slow
            assert quick
            for number in range(5):
                hub.publish(0, np.full(3, number, np.float32), number)
                assert values(await quick.next())[0] == number
            assert values(await slow.next())[0] == 4
            assert (quick.taken, quick.dropped) == (5, 0)
            assert (slow.taken, slow.dropped) == (1, 4)

    hub = Hub(("one",), CURVES, 60.0)
    asyncio.run(watch())
    assert hub.counters == {"clients": 0, "taken": 6, "dropped": 4, "refused": 0}


def test_a_busy_event_loop_is_woken_once_without_queueing() -> None:
    async def watch() -> None:
        with hub.joined() as client:
            assert client
            for number in range(1000):
                hub.publish(0, np.full(3, number, np.float32), number)
            assert values(await client.next())[0] == 999
            assert (client.taken, client.dropped) == (1, 0)

    hub = Hub(("one",), CURVES, 60.0)
    asyncio.run(watch())


def test_a_client_beyond_the_limit_is_refused() -> None:
    async def come(left: int) -> None:
        with hub.joined() as client:
            assert (client is None) == (left == 0)
            if client is not None:
                await come(left - 1)

    hub = Hub(("one",), CURVES, 60.0)
    asyncio.run(come(MAX_CLIENTS))
    assert hub.counters["refused"] == 1


def test_frames_from_another_thread_arrive_in_order_and_whole() -> None:
    seen: list[bytes] = []

    async def watch() -> None:
        with hub.joined() as client:
            assert client
            thread = threading.Thread(target=show)
            thread.start()
            while not seen or HEADER.unpack_from(seen[-1])[3] < 2000:
                seen.append(await client.next())
            thread.join()

    def show() -> None:
        for number in range(1, 2001):
            for subject in range(2):
                hub.publish(subject, np.full(3, number, np.float32), number)

    hub = Hub(("one", "two"), CURVES, 60.0)
    asyncio.run(asyncio.wait_for(watch(), 30))
    numbers = [HEADER.unpack_from(frame)[3] for frame in seen]
    assert numbers == sorted(set(numbers))
    for number, frame in zip(numbers, seen, strict=True):
        assert set(values(frame)) == {number}


def test_publishing_after_the_loop_has_ended_is_harmless() -> None:
    hub = Hub(("one",), CURVES, 60.0)

    async def forget() -> None:
        # A client that the loop could not close before it ended.
        hub.joined().__enter__()

    asyncio.run(forget())
    hub.publish(0, np.zeros(3, np.float32), 1)
    hub.publish(0, np.zeros(3, np.float32), 2)


def test_a_link_counts_and_leaves_the_face_at_rest() -> None:
    async def watch() -> list[float]:
        with hub.joined() as client:
            assert client
            link.send(np.array([0.1, np.nan, 0.3], np.float32), Tick(number=5, due_s=0.0, frame=9))
            shown = values(await client.next())
            assert shown == pytest.approx([0.1, 0, 0.3])
            link.close()
            link.close()
            return values(await client.next())

    hub = Hub(("one",), CURVES, 60.0)
    link = PreviewLink(hub, 0)
    assert asyncio.run(watch()) == [0, 0, 0]
    assert (link.sent, link.failed, link.not_finite) == (1, 0, 1)
    with pytest.raises(ValueError, match="shape"):
        link.send(np.zeros(4, np.float32), Tick(number=6, due_s=0.0, frame=10))


def test_other_subjects_are_introduced_before_their_frames() -> None:
    async def watch() -> bytes:
        with hub.joined() as client:
            assert client
            hub.arrange(("left", "right"))
            second = PreviewLink(hub, 0)
            second.place = 1
            PreviewLink(hub, 0).send(np.array([1, 2, 3], np.float32), Tick(9, 0.0, 9))
            second.send(np.array([4, 5, 6], np.float32), Tick(9, 0.0, 9))
            return await client.next()

    hub = Hub(("left",), CURVES, 60.0)
    before = hub.arrangements
    assert values(asyncio.run(watch())) == [1, 2, 3, 4, 5, 6]
    assert hub.arrangements == before + 1
    assert [subject["name"] for subject in hub.introduction["subjects"]] == ["left", "right"]
