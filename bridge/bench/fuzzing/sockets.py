"""Doors that are sockets: the MetaHuman device and the page's WebSocket, served in this process."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bridge.bench.clients import request, size_of, taken
from bridge.bench.fuzzing.doors import FaultError
from bridge.bench.fuzzing.seeds import SESSION, SUBJECT
from bridge.links.metahuman.framing import HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.bench.fuzzing.doors import Door

PATIENCE_S = 5.0
READ_S = 0.02
"""How long answers are waited for that may not come."""

HOSTS = 8
"""Addresses of this machine that connections come from, in turn: a device lets in few of one."""

FAULT = "fault: "
"""How what a loop tells of begins."""


@contextmanager
def device_door(folder: Path) -> Iterator[Door]:
    """Talk with a device over connections of this machine, one after another."""
    told: list[str] = []
    with served_device(folder, told.append) as port:
        hosts = itertools.cycle(f"127.0.0.{number + 1}" for number in range(HOSTS))

        def talk(data: bytes) -> None:
            told.clear()
            with suppress(ConnectionError, TimeoutError), connected(port, next(hosts)) as client:
                client.sendall(in_session(client, data))
                client.shutdown(socket.SHUT_WR)
                drained(client)
            check(text for text in told if text.startswith(FAULT))

        yield talk


@contextmanager
def websocket_door(_folder: Path) -> Iterator[Door]:
    """Send to the page's server what a browser would, over connections one after another."""
    from bridge.preview.opening import open_preview
    from bridge.preview.spec import PreviewSpec

    told: list[str] = []
    spec = PreviewSpec(port=0)

    def load() -> None:
        raise FaultError("the page asked for a network")

    with open_preview(spec, load=load, subjects=[SUBJECT], rate_hz=60.0) as preview:  # type: ignore[arg-type]
        preview.start(told.append)
        port = int(preview.url.rpartition(":")[2].strip("/"))

        def ask(data: bytes) -> None:
            told.clear()
            with suppress(ConnectionError, TimeoutError), connected(port) as client:
                client.sendall(data.replace(b"%(port)d", str(port).encode()))
                client.shutdown(socket.SHUT_WR)
                answer = drained(client)
                if answer.startswith(b"HTTP/1.1 500"):
                    raise FaultError(f"answered {answer[:60]!r}")
            check(told)

        with Publisher(preview.hub.publish if preview.hub else None):
            yield ask


class Publisher:
    """A thread that gives frames to a hub, as the ticks of a bridge do; a context."""

    def __init__(self, publish: Callable[..., None] | None) -> None:
        self._publish = publish
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        import numpy as np

        values = np.zeros(61, dtype=np.float32)
        for number in itertools.count():
            if self._stopping.wait(1 / 60) or self._publish is None:
                return
            self._publish(0, values, number)


@contextmanager
def served_device(folder: Path, tell: Callable[[str], None]) -> Iterator[int]:
    """Serve a device with a recorder that has nobody to record; yield its port.

    Its own accept loop lets in 20 connections a second, which would make this take hours: here
    each is handed to the reception as it comes.
    """
    from bridge.clock.rate import FRAME_RATES
    from bridge.links.metahuman.connection import Patience
    from bridge.links.metahuman.device import Device
    from bridge.links.metahuman.reception import Reception
    from bridge.recording.recorder import Recorder

    device = Device("Bench", Recorder(folder / "takes", FRAME_RATES["60"]))
    device.add(SUBJECT)
    files = ThreadPoolExecutor(1)
    reception = Reception(
        device,
        files,
        notice=tell,
        is_allowed=lambda _host: True,
        wall_ms=lambda: int(1000 * time.time()),
        patience=Patience(session_s=1.0, silence_s=1.0, taking_s=1.0),
    )
    loop = asyncio.new_event_loop()
    ports: list[int] = []
    is_serving = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda _loop, context: tell(f"{FAULT}{context}"))
        server = loop.run_until_complete(
            asyncio.start_server(reception.welcome, "127.0.0.1", 0, limit=1 << 16)
        )
        ports.append(server.sockets[0].getsockname()[1])
        is_serving.set()
        loop.run_forever()

    thread = threading.Thread(target=run, name="device", daemon=True)
    thread.start()
    is_serving.wait(PATIENCE_S)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        files.shutdown(wait=False)


def in_session(client: socket.socket, data: bytes) -> bytes:
    """Return what a client says, in a session that is begun for it where it needs one."""
    if SESSION.encode() not in data:
        return data
    client.sendall(request("handshake", "/session/start"))
    answer = json.loads(taken(client, size_of(taken(client, HEADER_BYTES))))
    return data.replace(SESSION.encode(), answer["body"]["sessionId"].encode())


@contextmanager
def connected(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Connect to a local port, from a local address where it can be had."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_S)
        # Other systems than Linux have but one address of loopback.
        with suppress(OSError):
            client.bind((host, 0))
        client.connect(("127.0.0.1", port))
        yield client


def drained(client: socket.socket) -> bytes:
    """Return what is answered until nothing more comes."""
    client.settimeout(READ_S)
    answer = b""
    with suppress(OSError):
        while piece := client.recv(1 << 16):
            answer += piece
    return answer


def check(faults: Iterator[str] | list[str]) -> None:
    """Raise FaultError where something was told."""
    if fault := next(iter(faults), None):
        raise FaultError(fault)
