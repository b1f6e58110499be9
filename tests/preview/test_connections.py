"""Clients of the live page, well-behaved and hostile, on real sockets."""

from __future__ import annotations

import base64
import gc
import os
import socket
import struct
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from cstalk_bridge.preview.connections import (
    CLOSE_S,
    MAX_CONNECTIONS,
    MAX_RECEIVED_BYTES,
    PING_S,
    REQUEST_S,
    HttpConnection,
    LiveConnection,
)
from cstalk_bridge.preview.hub import HEADER, MAX_CLIENTS
from cstalk_bridge.timecode.tick import Tick
from tests.preview.serving import Serving, serve
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.cstalk.generator import Generator


SUBJECTS = ("Anna", "Zoë")
CURVES = 61


@contextmanager
def showing(serving: Serving, every_s: float = 0.005) -> Iterator[None]:
    """Show faces until the end: the value of every curve is the tick's number, per subject."""
    over = threading.Event()
    links = [serving.preview.link(subject) for subject in range(len(SUBJECTS))]

    def show() -> None:
        number = 0
        while not over.wait(every_s):
            number += 1
            for subject, link in enumerate(links):
                values = np.full(CURVES, number + 0.5 * subject, np.float32)
                link.send(values, Tick(number=number, due_s=0.0, frame=number))

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def live(generator: Generator) -> Iterator[Serving]:
    with serve(generator, subjects=SUBJECTS, rate_hz=60.0) as serving, showing(serving):
        yield serving
        assert serving.notices == []


def client_of(serving: Serving, **more: Any) -> ClientConnection:
    return connect(f"ws://{serving.address}/live", **more)


def raw_client(serving: Serving) -> socket.socket:
    """Return the socket of a WebSocket after its handshake."""
    opened = socket.create_connection(("127.0.0.1", serving.port), timeout=20)
    key, head = base64.b64encode(os.urandom(16)).decode(), b""
    opened.sendall(
        f"GET /live HTTP/1.1\r\nHost: {serving.address}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    while not head.endswith(b"\r\n\r\n"):
        head += opened.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return opened


def is_dropped(opened: socket.socket, within_s: float = 20.0) -> bool:
    """Whether the other side ends the connection; reads what comes before."""
    opened.settimeout(within_s)
    try:
        while opened.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def check_responsive(serving: Serving) -> None:
    with client_of(serving) as client:
        client.recv()
        assert len(client.recv()) == HEADER.size + 4 * CURVES * len(SUBJECTS)


def clients_of(serving: Serving) -> int:
    return int(serving.ask("/api/live").document["clients"])


def wait_for_clients(serving: Serving, count: int) -> None:
    wait_until(lambda: clients_of(serving) == count, reason="clients are still there")


def test_names_come_first_then_frames_in_order(live: Serving) -> None:
    with client_of(live) as client:
        names = client.recv()
        assert isinstance(names, str)
        assert '"Zoë"' in names
        frames = [client.recv() for _ in range(50)]
    numbers = []
    for frame in frames:
        assert isinstance(frame, bytes)
        kind, subjects, curves, number, _ = HEADER.unpack_from(frame)
        assert (kind, subjects, curves) == (1, 2, CURVES)
        values = np.frombuffer(frame, "<f4", offset=HEADER.size).reshape(2, CURVES)
        assert (values[0] == number).all()
        assert (values[1] == number + 0.5).all()
        numbers.append(number)
    assert numbers == sorted(set(numbers))


def test_no_compression_is_negotiated(live: Serving) -> None:
    with client_of(live, compression="deflate") as client:
        assert not client.response or "Sec-WebSocket-Extensions" not in client.response.headers


def test_the_session_reports_live_subjects(live: Serving) -> None:
    assert live.ask("/api/session").document["live"] is True


def test_without_a_daemon_a_client_is_refused(serving: Serving) -> None:
    with client_of(serving) as client, pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 1001


def test_a_client_that_sends_messages_is_disconnected(live: Serving) -> None:
    with client_of(live) as client:
        client.send("more!")
        with pytest.raises(ConnectionClosed, match="takes no messages"):
            list(client)
        assert client.close_code == 1008


def test_a_huge_message_is_refused(live: Serving) -> None:
    with raw_client(live) as opened:
        opened.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 60) + bytes(4) + bytes(1000))
        assert is_dropped(opened)
    check_responsive(live)


def test_protocol_violations_end_the_connection(live: Serving) -> None:
    for wrong in (b"\xff" * 64, b"\x82\x05hello", b"\x09\xfe\xff\xff", b"\x81\x82abcd\xff\xff"):
        with raw_client(live) as opened:
            opened.sendall(wrong)
            assert is_dropped(opened)
    check_responsive(live)


@pytest.mark.parametrize("frame", [b"\x89\x80abcd", b"\x8a\x80abcd", b"\x00\x80abcd"])
def test_a_flood_of_small_frames_is_disconnected(live: Serving, frame: bytes) -> None:
    with raw_client(live) as opened:
        if frame[0] == 0:  # A message that is never complete.
            opened.sendall(b"\x02\x80abcd")
        begun_s = time.monotonic()
        try:
            for _ in range(100):
                opened.sendall(frame * (MAX_RECEIVED_BYTES // len(frame) // 10))
        except ConnectionError:
            pass
        else:
            assert is_dropped(opened)
        # Later it would be dropped for not answering pings.
        assert time.monotonic() - begun_s < 2 * PING_S


def test_bad_upgrades_are_answered(live: Serving) -> None:
    good = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
    for wrong in (good, {**good, "Sec-WebSocket-Key": "short"}, {**good, **key, "Upgrade": "h2c"}):
        assert 400 <= live.ask("/live", headers=wrong).status < 500
    assert live.ask("/live").status == 404
    check_responsive(live)


def test_a_client_beyond_the_limit_is_told_to_retry_later(live: Serving) -> None:
    wait_for_clients(live, 0)
    with ExitStack() as closing:
        for _ in range(MAX_CLIENTS):
            # Without a bound on what it keeps a client goes on reading, and closes at once.
            closing.enter_context(client_of(live, max_queue=None)).recv()
        late = closing.enter_context(client_of(live))
        with pytest.raises(ConnectionClosed) as caught:
            late.recv()
        assert caught.value.rcvd
        assert caught.value.rcvd.code == 1013
    wait_for_clients(live, 0)
    check_responsive(live)


def test_clients_that_send_or_read_nothing_are_dropped_and_delay_nobody(live: Serving) -> None:
    silent = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(3)]
    silent[1].sendall(b"GET / HTTP/1.1\r\nHost: half")
    silent[2].sendall(f"GET /api/live HTTP/1.1\r\nHost: {live.address}\r\n\r\nGET /".encode())
    begun_s = time.monotonic()
    with raw_client(live) as deaf:
        with client_of(live) as client:
            client.recv()
            while time.monotonic() < begun_s + 2 * REQUEST_S:
                client.recv()
        # It has the system's buffers to read, behind which the connection has ended.
        assert is_dropped(deaf, within_s=3.0)
    for opened in silent:
        assert is_dropped(opened, within_s=3.0)
        opened.close()
    wait_for_clients(live, 0)


def test_connections_are_bounded(live: Serving) -> None:
    many = []
    held = []
    try:
        for number in range(MAX_CONNECTIONS + 400):
            many.append(socket.create_connection(("127.0.0.1", live.port)))
            if number % 20 == 0:
                held.append(held_by(live.port))
        assert is_dropped(many[-1], within_s=5.0)
        assert max(held) <= MAX_CONNECTIONS + 1
    finally:
        for opened in many:
            opened.close()
    check_responsive(live)


def held_by(port: int) -> int:
    """How many descriptors of this process are connections that came to a port."""
    found = psutil.Process().net_connections("tcp4")
    return sum(each.fd >= 0 and bool(each.raddr) and each.laddr.port == port for each in found)


def test_ended_connections_are_released(live: Serving) -> None:
    """No ended connection waits for a timer, or a burst of clients would be held for seconds."""
    for _ in range(40):
        assert live.ask("/api/live").status == 200
        with client_of(live) as client:
            client.recv()
    wait_for_clients(live, 0)
    kinds = (HttpConnection, LiveConnection)
    wait_until(lambda: count_of(kinds) <= 10, min(REQUEST_S, CLOSE_S) / 2)


def count_of(kinds: tuple[type, ...]) -> int:
    """How many objects of these kinds there are."""
    gc.collect()
    return sum(type(each) in kinds for each in gc.get_objects())
