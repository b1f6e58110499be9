"""The fuzz targets (readers of a user's files, remote control, the MetaHuman device, the page),
and the valid inputs from which all others are made.

A target is opened once for many inputs. It raises UserError, or nothing, for whatever is bad in
an input; everything else that it raises or reports is an internal error.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.soak import payload_size, receive_exactly, request
from cstalk_bridge.control.commands import COMMANDS
from cstalk_bridge.control.phone_app import MESSAGES
from cstalk_bridge.face.emotion_trajectory import SIDECAR_COLUMNS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.metahuman.messages import HEADER_BYTES
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.rig.load import SHIPPED
from cstalk_bridge.settings.face import FaceSettings
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.control.commands import Parameter
    from cstalk_bridge.control.controller import Controller

    Target = Callable[[bytes], None]


SUBJECT = "Bench"
RATES_HZ = (8_000, 16_000, 44_100)
SOUND_S = 0.1

SESSION = "0" * 36
"""Stands for the session's id, which has as many characters."""

NUMBERS = "\n".join(
    f"    {name}: {7 if field.default is None else field.default}"
    for name, field in FaceSettings.model_fields.items()
)
"""The numbers of a subject: as long as the table of settings."""

CONFIG = f"""\
fps: 59.94df
lookahead_ms: 120
buffer_ms: 12.5
timecode: {{source: system}}
recording: {{folder: takes}}
control: {{osc: ":0", allow: [10.0.0.0/24, "2001:db8::1"]}}
preview: {{host: 127.0.0.1, port: 8520}}
subjects:
  - name: {SUBJECT}
    audio: {{input: test, channel: 1, gain_db: -3, gate: {{enabled: true, open_db: -50}}}}
    emotion: "happy:0.8, surprised:0.2"
    emotions:
      - {{at_s: 0, emotion: neutral}}
      - {{at_s: 2.5, emotion: "sad:0.4", over_s: 1.5}}
{NUMBERS}
    alive: {{gaze: 1, blink: 0.5}}
    rest: {{silence: neutral, lost: {{policy: decay, hold_ms: 250, decay_ms: 300}}}}
    links:
      - livelink-face://127.0.0.1:11111
      - {{protocol: osc, targets: [127.0.0.1, "stage:9000"], prefix: /face, rigmap: metahuman}}
      - metahuman://127.0.0.1:14785?allow=10.0.0.5
"""

EMOTIONS = f"""\
{",".join(SIDECAR_COLUMNS)}
0,neutral,
2.5,"happy:0.8, surprised:0.2",1.5
4,sad,0
"""


@cache
def sounds(kind: str) -> tuple[bytes, ...]:
    """Return short sound files of a format that libsndfile writes."""
    import soundfile

    files = []
    for rate_hz in RATES_HZ:
        times_s = np.arange(round(SOUND_S * rate_hz)) / rate_hz
        tone = 0.3 * np.sin(2 * np.pi * 220 * times_s)
        for channels in (1, 2):
            file = io.BytesIO()
            samples = np.repeat(tone[:, None], channels, axis=1)
            soundfile.write(file, samples, rate_hz, format=kind.upper())
            files.append(file.getvalue())
    return tuple(files)


@cache
def rigmaps() -> tuple[bytes, ...]:
    """Return the shipped rig maps but the longest, and one that extends."""
    shipped = sorted((path.read_bytes() for path in SHIPPED.glob("*.yaml")), key=len)
    own = (
        b"extends: livelinkface61\ncurves:\n"
        b"  JawOpen: {from: {CTRL_C_jaw.ty: 0.5}, gain: 1.5, offset: 0.1, clamp: [0, 1],"
        b" response: [[0, 0], [0.5, 0.2], [1, 1]], smooth: {min_cutoff_hz: 2}}\n"
        b"  TongueOut: {gain: 0}\n"
    )
    return (own, *shipped[:2])


@cache
def takes() -> tuple[bytes, ...]:
    """Return short takes, with sound and without."""
    from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
    from cstalk_bridge.models.board import CHANNELS
    from cstalk_bridge.takes.file import write_take
    from cstalk_bridge.takes.sound import SampledSound
    from cstalk_bridge.takes.take import Take
    from cstalk_bridge.timecode.smpte import FRAME_RATES

    made = []
    for sound in (None, SampledSound(np.zeros(1600, dtype=np.float32), 16_000)):
        file = io.BytesIO()
        take = Take(
            slate="Bench",
            number=1,
            rate=FRAME_RATES["50"],
            start=0,
            channels=tuple(channel.name for channel in CHANNELS),
            board=np.zeros((5, len(CHANNELS)), dtype=np.float32),
            head=np.zeros((5, 6), dtype=np.float32),
            sound=sound,
            emotions=EmotionTrajectory.constant({"happy": 0.5}),
            provenance={"seed": 1},
        )
        write_take(take, file)
        made.append(file.getvalue())
    return tuple(made)


@cache
def messages() -> tuple[bytes, ...]:
    """Return every message of remote control, with arguments that fit."""
    own = [
        (command.address.replace("<subject>", SUBJECT), _fitting(command.parameters))
        for command in COMMANDS.values()
    ]
    of_app = [(message.address, _fitting(message.parameters)) for message in MESSAGES.values()]
    datagrams = [encode_message(address, *arguments) for address, arguments in own + of_app]
    bundle = b"#bundle\0" + bytes(8)
    bundle += b"".join(len(each).to_bytes(4, "big") + each for each in datagrams[:5])
    return (*datagrams, bundle)


def _fitting(parameters: Sequence[Parameter]) -> list[str | int | float]:
    arguments: list[str | int | float] = []
    for parameter in parameters:
        if parameter.choices:
            arguments.append(parameter.choices[0])
        elif parameter.name in ("host", "host:port"):
            arguments.append("127.0.0.1" if parameter.name == "host" else "127.0.0.1:9")
        elif parameter.kind.value == "text":
            arguments.append("text")
        else:
            arguments.append(1 if parameter.kind.value == "whole number" else 0.5)
    return arguments


@cache
def conversations() -> tuple[bytes, ...]:
    """Return the messages of a device's clients from first to last, in the session `SESSION`."""
    begin = request("handshake", "/session/start")
    start = {"streamPort": 9, "subjects": []}
    take = {"slateName": "Bench", "takeNumber": 1}
    rest = b"".join(
        request(SESSION, path, body)
        for path, body in (
            ("/information", None), ("/state", None), ("/subscribe", None),
            ("/stream/subjects", None), ("/stream/start", start), ("/stream/stop", {}),
            ("/take/list", None), ("/take/record/start", take), ("/session/keep-alive", None),
            ("/take/record/stop", None), ("/unsubscribe", None), ("/session/stop", None),
        )
    )  # fmt: skip
    return begin, begin + rest, rest, rest


@cache
def handshakes() -> tuple[bytes, ...]:
    """Return the first request of a browser, and frames that a client may send after it."""
    head = (
        b"GET /live HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    mask = bytes(4)
    frames = (
        b"",
        b"\x81\x85" + mask + b"hello",
        b"\x89\x80" + mask + b"\x8a\x80" + mask,
        b"\x88\x82" + mask + b"\x03\xe8",
        b"\x82\xfe\xff\xff" + mask + bytes(500),
        b"\x01\x81" + mask + b"a\x80\x81" + mask + b"b",
    )
    return tuple(head + frame for frame in frames)


START_S = 60.0
"""Time given to it to start and to end."""


@contextmanager
def running_controller(folder: Path) -> Iterator[Controller]:
    """Run a bridge of one subject, whose takes lie in `folder`, for the length of a context."""
    from cstalk_bridge import daemon
    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.control.controller import Controller

    link = "livelink-face://127.0.0.1:9"
    config = Config.model_validate(
        {
            "device": "cpu",
            "recording": {"folder": folder / "takes"},
            "subjects": [{"name": SUBJECT, "audio": {"input": "test"}, "links": [link]}],
        }
    )
    controller, stop = Controller(), threading.Event()
    run = partial(
        daemon.run,
        config,
        controller=controller,
        stop=stop,
        watch=lambda _: nullcontext(),
        is_urgent=False,
    )
    worker = Worker("bridge", partial(run, watch=lambda _: nullcontext()), timeout_s=START_S)
    worker.start()
    if not controller.wait_until_running(START_S):
        raise UserError(Problem("bench", "the bridge did not start"))
    try:
        yield controller
    finally:
        stop.set()
        worker.stop()


class FaultError(Exception):
    """A fault that the program reported instead of raising it."""


@contextmanager
def sound_target(folder: Path, suffix: str) -> Iterator[Target]:
    """Open, and read to the end, recordings."""
    from cstalk_bridge.takes.sound import open_sound, pieces

    path = folder / f"fuzz{suffix}"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for piece in pieces(open_sound(path)):
            if piece.dtype != "float32" or piece.ndim != 1:
                raise FaultError(f"a piece of {piece.dtype} {piece.shape}")

    yield read


@contextmanager
def file_target(folder: Path, suffix: str, read: Callable[[Path], object]) -> Iterator[Target]:
    """Read files by a function."""
    path = folder / f"fuzz{suffix}"

    def read_file(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    yield read_file


@contextmanager
def take_target(folder: Path) -> Iterator[Target]:
    """Load takes, and read their sound."""
    from cstalk_bridge.takes.file import load_take_file
    from cstalk_bridge.takes.sound import pieces

    path = folder / "fuzz.take"

    def load(data: bytes) -> None:
        path.write_bytes(data)
        take = load_take_file(path)
        for _ in pieces(take.sound) if take.sound is not None else ():
            pass

    yield load


@contextmanager
def osc_target(folder: Path) -> Iterator[Target]:
    """Handle datagrams as the controller of a running bridge does."""
    from cstalk_bridge.control.phone_app import PhoneApp
    from cstalk_bridge.control.server import OscDispatcher
    from cstalk_bridge.outputs.osc_messages import decode_packet
    from cstalk_bridge.timecode.tick import host_now

    reported: list[str] = []
    sender = ("127.0.0.1", 9)

    def unknown(host: str) -> str:
        raise UserError(Problem("control", f"{host[:80]!r} cannot be found"))

    with running_controller(folder) as controller:
        phone = PhoneApp(
            controller,
            resolve=unknown,
            is_allowed=lambda host: host.startswith("127."),
            send_file=lambda _address, _path: None,
        )
        dispatcher = OscDispatcher(
            controller, phone, is_allowed=lambda _host: True, notice=reported.append, now=host_now
        )

        def receive(data: bytes) -> None:
            reported.clear()
            for answer in dispatcher.handle(data, sender):
                last = answer.work() if answer.work else answer
                for outgoing in (*answer.outgoing, *last.outgoing, *answer.if_dropped):
                    decode_packet(outgoing.datagram)
            if faults := [text for text in reported if "internal error" in text]:
                raise FaultError(faults[0])

        yield receive


SOCKET_TIMEOUT_S = 5.0
READ_S = 0.02
"""How long answers are waited for that may not come."""

HOSTS = 8
"""Addresses of this machine that connections come from, in turn: a device lets in few of one."""

FAULT = "fault: "
"""The beginning of what an event loop reports."""


@contextmanager
def device_target(folder: Path) -> Iterator[Target]:
    """Talk with a device over connections of this machine, one after another."""
    reported: list[str] = []
    with served_device(folder, reported.append) as port:
        hosts = itertools.cycle(f"127.0.0.{number + 1}" for number in range(HOSTS))

        def talk(data: bytes) -> None:
            reported.clear()
            with suppress(ConnectionError, TimeoutError), connected(port, next(hosts)) as client:
                client.sendall(in_session(client, data))
                client.shutdown(socket.SHUT_WR)
                drained(client)
            check(text for text in reported if text.startswith(FAULT))

        yield talk


@contextmanager
def websocket_target(_folder: Path) -> Iterator[Target]:
    """Send to the page's server what a browser would, over connections one after another."""
    from cstalk_bridge.config.schema import PreviewConfig
    from cstalk_bridge.preview.server import open_preview

    reported: list[str] = []
    spec = PreviewConfig(port=0)

    def load() -> None:
        raise FaultError("the page asked for a network")

    with open_preview(spec, load=load, subjects=[SUBJECT], rate_hz=60.0) as preview:  # type: ignore[arg-type]
        preview.start(reported.append)
        port = int(preview.url.rpartition(":")[2].strip("/"))

        def ask(data: bytes) -> None:
            reported.clear()
            with suppress(ConnectionError, TimeoutError), connected(port) as client:
                client.sendall(data.replace(b"%(port)d", str(port).encode()))
                client.shutdown(socket.SHUT_WR)
                answer = drained(client)
                if answer.startswith(b"HTTP/1.1 500"):
                    raise FaultError(f"answered {answer[:60]!r}")
            check(reported)

        with Publisher(preview.hub.publish if preview.hub else None):
            yield ask


class Publisher:
    """A thread that gives frames to a hub, as the ticks of a bridge do; a context."""

    def __init__(self, publish: Callable[..., None] | None) -> None:
        self._publish = publish
        self._worker = Worker("publisher", self._run)

    def __enter__(self) -> None:
        self._worker.start()

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _run(self) -> None:
        import numpy as np

        from cstalk_bridge.rig.curves import ARKIT_CURVES

        values = np.zeros(len(ARKIT_CURVES), dtype=np.float32)
        for number in itertools.count():
            if self._worker.wait(1 / 60) or self._publish is None:
                return
            self._publish(0, values, number)


@contextmanager
def served_device(folder: Path, report: Callable[[str], None]) -> Iterator[int]:
    """Serve a device with a recorder that has nobody to record; yield its port.

    Its own accept loop lets in 20 connections a second, which would make this take hours: here
    each is handed to the connection manager as it comes.
    """
    from cstalk_bridge.outputs.metahuman.device import Device
    from cstalk_bridge.outputs.metahuman.server import ConnectionManager
    from cstalk_bridge.outputs.metahuman.session import Timeouts
    from cstalk_bridge.takes.recording.recorder import Recorder
    from cstalk_bridge.timecode.smpte import FRAME_RATES

    device = Device("Bench", Recorder(folder / "takes", FRAME_RATES["60"]))
    device.add(SUBJECT)
    files = ThreadPoolExecutor(1)
    manager = ConnectionManager(
        device,
        files,
        notice=report,
        is_allowed=lambda _host: True,
        wall_ms=lambda: int(1000 * time.time()),
        timeouts=Timeouts(session_s=1.0, idle_s=1.0, send_s=1.0),
    )
    loop = asyncio.new_event_loop()
    ports: list[int] = []
    is_serving = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda _loop, context: report(f"{FAULT}{context}"))
        server = loop.run_until_complete(
            asyncio.start_server(manager.accept, "127.0.0.1", 0, limit=1 << 16)
        )
        ports.append(server.sockets[0].getsockname()[1])
        is_serving.set()
        loop.run_forever()

    worker = Worker("device", run, timeout_s=SOCKET_TIMEOUT_S)
    worker.start()
    is_serving.wait(SOCKET_TIMEOUT_S)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        worker.stop()
        files.shutdown(wait=False)


def in_session(client: socket.socket, data: bytes) -> bytes:
    """Return the messages of a client, in a session that is started for it where it needs one."""
    if SESSION.encode() not in data:
        return data
    client.sendall(request("handshake", "/session/start"))
    answer = json.loads(
        receive_exactly(client, payload_size(receive_exactly(client, HEADER_BYTES)))
    )
    return data.replace(SESSION.encode(), answer["body"]["sessionId"].encode())


@contextmanager
def connected(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Connect to a local port, from a local address where it can be had."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(SOCKET_TIMEOUT_S)
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
    """Raise FaultError where something was reported."""
    if fault := next(iter(faults), None):
        raise FaultError(fault)
