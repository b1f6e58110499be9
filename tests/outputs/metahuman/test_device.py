"""Discovery of a device: the bytes of the layout, and a search on the multicast group."""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid

from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.outputs.metahuman.device import (
    GROUP,
    MAX_RESPONSES,
    Beacon,
    Presence,
    is_request,
    notice,
    response,
)

ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
LOOPBACK = "127.0.0.1"
REQUEST = b"CPSDISCOVER\x00\x02\x00\x00"
DEVICE = uuid.UUID(ID).bytes + b"\x05Stage" + struct.pack("<H", 14785)


def test_bytes_are_those_of_the_layout() -> None:
    assert response(ID, "Stage", 14785) == b"CPSDISCOVER\x00\x02\x00\x01" + DEVICE
    online = notice(ID, "Stage", 14785, Presence.ONLINE)
    assert online == b"CPSDISCOVER\x00\x02\x00\x02" + DEVICE + b"\x01"
    assert notice(ID, "Stage", 14785, Presence.OFFLINE) == online[:-1] + b"\x00"
    assert is_request(REQUEST)


@given(st.text(max_size=400), st.integers(0, 65535))
def test_any_subject_name_fits_a_response(name: str, port: int) -> None:
    datagram = response(ID, name, port)
    size = datagram[31]
    assert len(datagram) == 32 + size + 2
    assert name.startswith(datagram[32 : 32 + size].decode("utf-8"))
    assert struct.unpack("<H", datagram[-2:]) == (port,)


@given(st.binary(max_size=40))
def test_only_requests_are_answered(datagram: bytes) -> None:
    assert is_request(datagram) == (datagram == REQUEST)


async def first_response(beacon: Beacon, shining: asyncio.Future[None]) -> bytes | None:
    """Run a beacon until it responds; return its response, None where it ended."""
    while (answer := beacon.response_to(REQUEST)) is None and not shining.done():
        await asyncio.sleep(0)
    return answer


def test_requests_beyond_the_rate_limit_are_not_answered() -> None:
    beacon = Beacon(ID, "Stage", 14785, print, interface=LOOPBACK)
    assert beacon.response_to(REQUEST) is None

    async def flood() -> list[bytes | None]:
        shining = asyncio.ensure_future(beacon.run())
        answers = [await first_response(beacon, shining)]
        answers += [beacon.response_to(REQUEST) for _ in range(MAX_RESPONSES + 5)]
        shining.cancel()
        await asyncio.gather(shining, return_exceptions=True)
        return answers

    answers = asyncio.run(flood())
    assert answers.count(response(ID, "Stage", 14785)) == MAX_RESPONSES


def test_a_multicast_group_that_cannot_be_joined_is_reported_and_does_no_harm() -> None:
    notices: list[str] = []
    beacon = Beacon(ID, "Stage", 14785, notices.append, group=("127.0.0.1", 27838))
    asyncio.run(beacon.run())
    assert notices
    assert notices[0].startswith("MetaHuman device: it cannot be discovered")


def test_a_device_is_found_by_multicast() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as seeker:
        seeker.bind((LOOPBACK, 0))
        seeker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        seeker.settimeout(5.0)
        group = (GROUP, 27900 + seeker.getsockname()[1] % 1000)
        beacon = Beacon(ID, "Stage", 14785, print, interface=LOOPBACK, group=group)

        async def seek() -> bytes:
            shining = asyncio.ensure_future(beacon.run())
            await first_response(beacon, shining)
            seeker.sendto(REQUEST, group)
            found = await asyncio.to_thread(seeker.recv, 1024)
            shining.cancel()
            await asyncio.gather(shining, return_exceptions=True)
            return found

        assert asyncio.run(seek()) == response(ID, "Stage", 14785)
