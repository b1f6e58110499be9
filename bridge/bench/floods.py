"""Sections `control` and `device`: the effect of hostile datagrams and connections on ticks and on
other clients.

Everything is sent twice, to a port that discards it and to the bridge. The cost of sending is in
both, so the difference is the effect of the bridge.
"""

from __future__ import annotations

import json
import math
import random
import selectors
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port, resident_mb
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of
from cstalk_bridge.bench.soak import CLIENT_TIMEOUT_S, WellBehavedClient, open_session, request
from cstalk_bridge.control.commands import COMMANDS
from cstalk_bridge.control.phone_app import MESSAGES
from cstalk_bridge.outputs.metahuman.messages import MAGIC, MAX_PAYLOAD_BYTES, SIZES, pack
from cstalk_bridge.outputs.osc_messages import decode_packet, encode_message
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from cstalk_bridge.bench.daemon_process import Measurements
    from cstalk_bridge.bench.report import BenchConfig


DATAGRAM_KINDS = 1000
"""Different datagrams of a flood."""

HARMLESS = ("/AddLiveLinkAddress", "/RecordStart", "/Transport")
"""Messages that would take effect if their arguments happened to be valid."""


def hostile_datagrams(seed: int = 0) -> list[bytes]:
    """Return noise, cut and changed messages, wrong arguments and unknown addresses."""
    chance = random.Random(seed)
    addresses = [*MESSAGES, *(c.address.replace("<subject>", "Bench") for c in COMMANDS.values())]
    known = [address for address in addresses if address not in HARMLESS]
    return [_one(chance, known) for _ in range(DATAGRAM_KINDS)]


def _one(chance: random.Random, known: Sequence[str]) -> bytes:
    wrong: list[str | int | float] = ["glad", "x" * chance.randrange(300), -1, 10**9, -5.5, 1e30]
    arguments = chance.choices(wrong, k=chance.randrange(4))
    message = bytearray(encode_message(chance.choice(known), *arguments))
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(1400))
        case 1:
            return bytes(message[: chance.randrange(len(message))])
        case 2:
            message[chance.randrange(len(message))] = chance.randrange(256)
            return bytes(message)
        case 3:
            return encode_message(f"/unknown/{chance.randrange(100)}", *arguments)
        case _:
            return b"#bundle\0" + bytes(8) + (len(message)).to_bytes(4, "big") + bytes(message)


def flood(address: tuple[str, int], number: int) -> None:
    """Send so many datagrams as fast as the system takes them."""
    datagrams = hostile_datagrams()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hostile:
        for index in range(number):
            hostile.sendto(datagrams[index % len(datagrams)], address)


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
        self._worker = Worker("sink", self._run)
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()
        self._listening.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._listening, selectors.EVENT_READ)
            while not self._worker.is_stopping:
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


DATAGRAMS = 1_000_000
ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`)."""
GROWTH_MB = 1.0

REPLY_TIMEOUT_S = 5.0
SETTLE_S = 1.0
"""Until what the system holds of a flood has been read: before that it drops new datagrams."""


def measure_control(_options: BenchConfig) -> list[Figure | Remark]:
    """Flood, then ask for the battery."""
    port = free_port(socket.SOCK_DGRAM)
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, control={"osc": f"127.0.0.1:{port}"}) as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
    ):
        deaf.bind(("127.0.0.1", 0))
        _flood(running, ("127.0.0.1", port), DATAGRAMS // 4)
        before_mb = resident_mb(running.process_id)
        beside = _flood(running, deaf.getsockname(), DATAGRAMS)
        at_us = _flood(running, ("127.0.0.1", port), DATAGRAMS)
        after_mb = resident_mb(running.process_id)
        time.sleep(SETTLE_S)
        took_s = answered_s(port)
        running.stop()
    return [
        *of_flood("hostile datagrams", DATAGRAMS, beside, at_us),
        Figure(
            "memory growth by the flood", difference(after_mb, before_mb), "MB", maximum=GROWTH_MB
        ),
        Figure("reply after the flood", 1e3 * took_s, "ms", maximum=1e3 * REPLY_TIMEOUT_S),
    ]


def answered_s(port: int, timeout_s: float = REPLY_TIMEOUT_S) -> float:
    """Return how long remote control takes to report the battery; infinite without a reply."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
        controller.settimeout(timeout_s)
        controller.connect(("127.0.0.1", port))
        begun_s = time.monotonic()
        controller.send(encode_message("/BatteryQuery", 1))
        try:
            (message,) = decode_packet(controller.recv(2048))
        except TimeoutError:
            return math.inf
        return time.monotonic() - begun_s if message.address == "/Battery" else math.inf


def _flood(running: DaemonProcess, address: tuple[str, int], number: int) -> Measurements:
    running.measured()
    flood(address, number)
    return running.measured()


def of_flood(
    name: str, number: int, beside: Measurements, at_us: Measurements
) -> list[Figure | Remark]:
    """Return the ticks' lateness in a flood at us, beside that in one at somebody else."""
    elsewhere, here = (phase.spreads.get("lateness") for phase in (beside, at_us))
    added_ms = 1e3 * (here.p99_s - elsewhere.p99_s) if here and elsewhere else math.nan
    return [
        Figure(name, number, ""),
        *figures_of("tick lateness, closed port", elsewhere),
        *figures_of("tick lateness, open port", here),
        Figure("p99 added by us", added_ms, "ms", maximum=ADDED_P99_MS),
        Figure("ticks left out", at_us.drops["ticks"], "ticks", maximum=0),
    ]


def difference(after_mb: float | None, before_mb: float | None) -> float:
    """Return by how much memory grew, NaN where it is not known."""
    return math.nan if after_mb is None or before_mb is None else after_mb - before_mb


PIECES = 1_000_000
DEVICE_SETTLE_S = 8.0
"""Until the device has accepted and dropped all connections that still wait."""


def measure_device(_options: BenchConfig) -> list[Figure | Remark]:
    """Attack, then connect."""
    port = free_port(socket.SOCK_STREAM)
    subject = {"name": "Bench", "links": [f"metahuman://127.0.0.1:{port}"]}
    with (
        ReceiverProcess() as receiver,
        DaemonProcess(
            "test", receiver.port, subjects=[{**subject, "audio": {"input": "test"}}]
        ) as running,
        Sink() as sink,
        WellBehavedClient(port) as faithful,
    ):
        hostile = HostileConnections(port)
        _attack(running, hostile, PIECES // 4)
        time.sleep(DEVICE_SETTLE_S)
        before_mb = resident_mb(running.process_id)
        beside = _attack(running, HostileConnections(sink.port), PIECES)
        at_us = _attack(running, hostile, PIECES)
        time.sleep(DEVICE_SETTLE_S)
        after_mb = resident_mb(running.process_id)
        welcome_s = _welcome_s(port)
        running.stop()
    asked_s = faithful.answers_s
    return [
        Remark(f"limits as in control: at most {ADDED_P99_MS:g} ms and {GROWTH_MB:g} MB more"),
        *of_flood("pieces of hostile connections", PIECES, beside, at_us),
        Figure("hostile connections", hostile.opened, ""),
        Figure("memory growth by them", difference(after_mb, before_mb), "MB", maximum=GROWTH_MB),
        Figure("requests of a connected client", len(asked_s), "", minimum=1),
        Figure("slowest reply to it", 1e3 * max(asked_s), "ms", maximum=1e3 * CLIENT_TIMEOUT_S),
        Figure("a new client is accepted afterwards", 1e3 * welcome_s, "ms", maximum=1e3),
    ]


def _attack(running: DaemonProcess, hostile: HostileConnections, pieces: int) -> Measurements:
    running.measured()
    hostile.send(pieces)
    return running.measured()


def _welcome_s(port: int) -> float:
    begun_s = time.monotonic()
    connection, _ = open_session(port)
    connection.close()
    return time.monotonic() - begun_s
