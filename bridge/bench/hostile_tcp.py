"""Connections as nobody well-meaning makes them, many at once, and piece by piece."""

from __future__ import annotations

import json
import random
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.bench.clients import request
from bridge.links.metahuman.framing import MAGIC, MAX_PAYLOAD_BYTES, SIZES, pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

CONNECTIONS = 48
"""At once; the device lets in 32, of them 8 of a host."""

HOSTS = 8
"""Addresses of this machine that they come from, where it has so many."""

PAUSE_S = 0.002
"""Between two rounds of a piece from each connection: a million in a minute or two, so that the
device meets many of them, which lets in 20 a second."""

STUCK_S = 0.5
"""How long a connection is kept that takes nothing more."""

RESET = struct.pack("ii", 1, 0)
"""For `SO_LINGER`: close by a reset."""

PATHS = ("/stream/start", "/stream/stop", "/take/list", "/information", "/no/such/path", "")


def hostile_stream(chance: random.Random) -> bytes:
    """Return what one connection sends in all: noise, wrong frames, wrong JSON, wrong requests."""
    begin = request("handshake", "/session/start")
    match chance.randrange(8):
        case 0:
            return chance.randbytes(chance.randrange(1, 4000))
        case 1:
            return begin + chance.randbytes(100)
        case 2:
            size = chance.choice((MAX_PAYLOAD_BYTES + 1, 2**31, 2**32 - 1))
            return MAGIC + SIZES.pack(1, size) + bytes(2000)
        case 3:
            return pack(chance.randbytes(chance.randrange(1, MAX_PAYLOAD_BYTES))) * 4
        case 4:
            return pack(b"[" * (MAX_PAYLOAD_BYTES // 2)) * 20
        case 5:
            return begin[: chance.randrange(1, len(begin))]
        case 6:
            wrong: dict[str, object] = {
                "streamPort": chance.choice((-1, 70_000, "x")),
                "subjects": [{}] * 50,
            }
            return begin + b"".join(request("mine", path, wrong) for path in PATHS * 10)
        case _:
            huge = json.dumps({"a" * 100: ["x" * 1000] * 60}).encode()
            return pack(huge) * 10


class HostileConnections:
    """`CONNECTIONS` that attack a local port until so many pieces were sent."""

    def __init__(self, port: int, seed: int = 0) -> None:
        self.opened = 0
        """Connections there were."""
        self._port = port
        self._chance = random.Random(seed)

    def send(self, pieces: int) -> None:
        """Send so many pieces, each by itself, of 1 to 200 bytes."""
        working: list[Iterator[bool]] = []
        sent = 0
        try:
            while sent < pieces:
                working += [self._attack() for _ in range(CONNECTIONS - len(working))]
                went = [(attack, next(attack, None)) for attack in working]
                working = [attack for attack, did_send in went if did_send is not None]
                sent += sum(bool(did_send) for _, did_send in went)
                time.sleep(PAUSE_S)
        finally:
            for attack in working:
                attack.close()  # type: ignore[attr-defined]

    def _attack(self) -> Iterator[bool]:
        """Send one connection's stream; yield whether the next piece went."""
        chance = self._chance
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as hostile, suppress(OSError):
            hostile.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):
                hostile.bind((f"127.0.0.{chance.randrange(1, HOSTS + 1)}", 0))
            hostile.settimeout(STUCK_S)
            hostile.connect(("127.0.0.1", self._port))
            hostile.settimeout(0.0)
            self.opened += 1
            if chance.random() < 0.5:
                hostile.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            stream, place = hostile_stream(chance), 0
            stuck_s = time.monotonic() + STUCK_S
            while place < len(stream):
                try:
                    place += hostile.send(stream[place : place + chance.randrange(1, 200)])
                except BlockingIOError:
                    if time.monotonic() > stuck_s:
                        return
                    yield False
                else:
                    stuck_s = time.monotonic() + STUCK_S
                    yield True
            while time.monotonic() < stuck_s:
                yield False


class Sink:
    """A port that takes all connections and throws away what they send; a context."""

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        self._listening.settimeout(0.0)
        self.port = int(self._listening.getsockname()[1])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._listening, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in ready.select(0.1):
                    with suppress(BlockingIOError):
                        self._take(key.fileobj, ready)  # type: ignore[arg-type]
            for key in tuple(ready.get_map().values()):
                if key.fileobj is not self._listening:
                    key.fileobj.close()  # type: ignore[union-attr]

    def _take(self, sender: socket.socket, ready: selectors.BaseSelector) -> None:
        if sender is self._listening:
            accepted, _ = self._listening.accept()
            accepted.settimeout(0.0)
            ready.register(accepted, selectors.EVENT_READ)
            return
        try:
            is_over = not sender.recv(1 << 16)
        except ConnectionError:
            is_over = True
        if is_over:
            ready.unregister(sender)
            sender.close()
