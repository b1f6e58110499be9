"""Sections `soak` and `churn`: memory, lost ticks and replies in long runs, without clients and
with clients that come and go.

The sound repeats with an exact period, so the jaw must, too: the shift of its pattern in frame
time, from the first minutes to the last, is the drift between audio time and frame time. `churn`
compares memory with that after the first minute, when every kind of client has been there.
"""

from __future__ import annotations

import itertools
import json
import math
import socket
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.audio.inputs import sound_round
from cstalk_bridge.audio.source import HOP_RATE_HZ, TEST_SOUND
from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port, resident_mb
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import FPS, ReceiverProcess, of_arrivals
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.metahuman.messages import HEADER_BYTES, SIZES, pack
from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.takes.recording.folder import DOCUMENT_NAME
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.bench.daemon_process import Measurements
    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


CLIENT_TIMEOUT_S = 5.0
PAUSE_S = 0.02
"""Between two requests: as many as a device answers."""

DISCARD_PORT = 9
"""Where frames are wanted that nobody reads (RFC 863)."""


def request(session: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    """Return a request as it goes over the connection."""
    message = {
        "sessionId": session,
        "addressPath": path,
        "transactionId": 1,
        "timestamp": 0,
        "type": "request",
    }
    return pack(json.dumps(message if body is None else {**message, "body": body}).encode())


def open_session(port: int) -> tuple[socket.socket, str]:
    """Return a connection to the device at a local port, and its session. OSError without one."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=CLIENT_TIMEOUT_S)
    try:
        connection.sendall(request("handshake", "/session/start"))
        header = receive_exactly(connection, HEADER_BYTES)
        answer = json.loads(receive_exactly(connection, payload_size(header)))
    except OSError:
        connection.close()
        raise
    return connection, answer["body"]["sessionId"]


def payload_size(header: bytes) -> int:
    """Return the payload's bytes that a header announces."""
    return int(SIZES.unpack_from(header, HEADER_BYTES - SIZES.size)[1])


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes of a connection. OSError where they do not come."""
    taken = b""
    while len(taken) < size:
        piece = connection.recv(size - len(taken))
        if not piece:
            raise ConnectionResetError("the device has hung up")
        taken += piece
    return taken


class ClientThread:
    """A client whose `_run` has a thread of its own; a context."""

    _worker: Worker

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()


class NonReadingClient(ClientThread):
    """A client that wants all frames, asks again and again, and never reads an answer; a context.

    When it is cut off it comes again.
    """

    def __init__(self, port: int) -> None:
        self.cut = 0
        """How often it was cut off."""
        self._port = port
        self._worker = Worker("deaf client", self._run)

    def _run(self) -> None:
        while not self._worker.is_stopping:
            with suppress(OSError):
                self._ask()
                self.cut += 1
            time.sleep(PAUSE_S)

    def _ask(self) -> None:
        """Ask until it is cut off or stopped; OSError where it could not begin."""
        connection, session = open_session(self._port)
        with connection:
            start = {"streamPort": DISCARD_PORT, "subjects": []}
            connection.sendall(request(session, "/stream/start", start))
            question = request(session, "/stream/subjects")
            with suppress(OSError):
                while not self._worker.wait(PAUSE_S):
                    connection.sendall(question)


class WellBehavedClient(ClientThread):
    """A client that means well: it asks every second, and waits for each answer; a context."""

    def __init__(self, port: int) -> None:
        self.answers_s: list[float] = []
        """How long each answer took; infinite for one that did not come."""
        self._port = port
        self._worker = Worker("faithful client", self._run)

    def __enter__(self) -> Self:
        self._connection, self._session = open_session(self._port)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._connection.close()

    def _run(self) -> None:
        while not self._worker.wait(1.0):
            begun_s = time.monotonic()
            try:
                self._connection.sendall(request(self._session, "/session/keep-alive"))
                header = receive_exactly(self._connection, HEADER_BYTES)
                receive_exactly(self._connection, payload_size(header))
            except OSError:
                self.answers_s.append(math.inf)
                return
            self.answers_s.append(time.monotonic() - begun_s)


TAKE_EVERY = 10
"""Rounds for each take."""

TAKE_S = 1.0
FRAMES = 5
"""Frames that a browser watches before it leaves."""

OK = "/cstalk/ok"
PAGES = ("/", "/api/session", "/api/live", "/api/subjects")
ASKED = ("/information", "/stream/subjects", "/subscribe", "/stream/start")


@dataclass(slots=True)
class Visits:
    """What was done and what went wrong; `untrue` are takes that are not as was answered."""

    rounds: int = 0
    takes: int = 0
    untrue: int = 0
    faults: list[str] = field(default_factory=list)


class Visitors(ClientThread):
    """A thread that sends every kind of client again and again; a context.

    `control`, `device` and `page` are local ports, `folder` that of the takes. `pause_s` passes
    between two rounds.
    """

    def __init__(
        self, control: int, device: int, page: int, folder: Path, pause_s: float = 0.2
    ) -> None:
        self.visits = Visits()
        self._control = control
        self._device = device
        self._page = page
        self._folder = folder
        self._pause_s = pause_s
        self._worker = Worker("visitors", self._run)

    def _run(self) -> None:
        for number in itertools.count():
            for visit in (self._controller, self._unreal, self._browser, self._watcher):
                try:
                    visit()
                except (OSError, HTTPException, ValueError) as error:
                    self.visits.faults.append(f"{visit.__name__[1:]}: {error}")
            if number % TAKE_EVERY == 0:
                self._take()
            self.visits.rounds += 1
            if self._worker.wait(self._pause_s):
                return

    def _controller(self) -> None:
        """Act as a controller that was just switched on, with valid, wrong and unknown messages."""
        with self._talking() as own:
            host, port = own.getsockname()
            command(own, "/cstalk/Bench/emotion", "happy", 0.5)
            command(own, "/cstalk/state")
            own.send(encode_message("/OSCAddSendTarget", host, port))
            own.send(encode_message("/AddLiveLinkAddress", host, port))
            own.send(encode_message("/cstalk/nothing"))

    def _unreal(self) -> None:
        """Connect to the device, want all frames, and go."""
        connection, session = open_session(self._device)
        with connection:
            for path in ASKED:
                body = {"streamPort": DISCARD_PORT, "subjects": []} if "start" in path else None
                connection.sendall(request(session, path, body))
                receive_exactly(connection, payload_size(receive_exactly(connection, HEADER_BYTES)))

    def _browser(self) -> None:
        for path in PAGES:
            connection = HTTPConnection("127.0.0.1", self._page, timeout=CLIENT_TIMEOUT_S)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise ValueError(f"{path} is answered with {answer.status}")
            finally:
                connection.close()

    def _watcher(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            with connect(
                f"ws://127.0.0.1:{self._page}/live", open_timeout=CLIENT_TIMEOUT_S
            ) as watching:
                for _ in range(FRAMES):
                    watching.recv(CLIENT_TIMEOUT_S)
        except WebSocketException as error:
            raise ValueError(str(error)) from None

    def _take(self) -> None:
        """Record a take, and look whether what is answered is so."""
        before = set(self._finished())
        try:
            with self._talking() as own:
                started = command(own, "/cstalk/record", "start")
                self._worker.wait(TAKE_S)
                stopped = command(own, "/cstalk/record", "stop")
        except OSError as error:
            self.visits.faults.append(f"take: no answer: {error}")
            return
        self.visits.takes += 1
        made = [path for path in self._finished() if path not in before]
        is_confirmed = started.address == stopped.address == OK
        self.visits.untrue += is_confirmed != (len(made) == 1 and is_whole(made[0]))

    def _finished(self) -> Iterator[Path]:
        yield from self._folder.glob(f"*[0-9]/{DOCUMENT_NAME}")

    def _talking(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.settimeout(CLIENT_TIMEOUT_S)
        own.connect(("127.0.0.1", self._control))
        return own


def command(own: socket.socket, address: str, *arguments: str | float) -> Message:
    """Send a command; return the last reply to it. Raises OSError where none comes."""
    own.send(encode_message(address, *arguments))
    until_s = time.monotonic() + CLIENT_TIMEOUT_S
    while time.monotonic() < until_s:
        (message,) = decode_packet(own.recv(4096))
        if message.address in (OK, "/cstalk/error") and message.arguments[0] == address:
            return message
    raise TimeoutError(f"{address} is not answered")


def is_whole(document: Path) -> bool:
    """Whether a take has frames, and everything that its document lists."""
    with suppress(OSError, ValueError, KeyError):
        document_data = json.loads(document.read_text("utf-8"))
        subjects: Sequence[dict[str, object]] = document_data["subjects"]
        for subject in subjects:
            lines = (document.parent / str(subject["curves"])).read_bytes().count(b"\n")
            if lines != 1 + int(str(subject["frames"])) or lines < 2:
                return False
            if not (document.parent / str(subject["sound"])).is_file():
                return False
        return "problem" not in document_data
    return False


MICROPHONE = "mic_a"
MINUTE_S = 60.0
GROWTH_MB = 5.0
DRIFT_MS = 1e3 / FPS
"""One frame."""
DRIFT_STEP_S = 0.0001
"""Drift is reported to a tenth of a millisecond."""
HARMONICS = 16
"""Of the sound's period, by which two patterns are compared: 4 Hz, as fast as syllables."""


def measure_soak(config: BenchConfig) -> list[Figure | Remark]:
    """Run for `config.minutes`, and print the memory each minute.

    The test sound comes through a fake microphone; where there can be none, directly.
    """
    held_mb: list[float | None] = []
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess())
        audio, environment = _sound(closing)
        running = closing.enter_context(DaemonProcess(audio, receiver.port, environment))
        start_s = host_now()
        for minute in range(1, max(2, round(config.minutes)) + 1):
            time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
            held_mb.append(resident_mb(running.process_id))
            print(f"  minute {minute}: {_megabytes(held_mb[-1])}", flush=True)
        measured = running.stop()
        arrivals = receiver.stop()
    source = Remark(f"audio input: {audio}")
    lines = [source, *memory(held_mb, GROWTH_MB), *of_arrivals(arrivals), *drops(measured)]
    # The last packet is the face at rest.
    drift_ms = 1e3 * drift_s(arrivals.frames[:-1] / FPS, arrivals.jaws[:-1], period_s())
    drift = Figure("drift of sound against frames", drift_ms, "ms", -DRIFT_MS, DRIFT_MS)
    return [*lines, drift]


def _sound(closing: ExitStack) -> tuple[str, dict[str, str] | None]:
    """Return the daemon's audio input and its environment."""
    try:
        microphones = closing.enter_context(FakeMicrophones((MICROPHONE,), rate_hz=HOP_RATE_HZ))
    except UserError:
        return TEST_SOUND, None
    sound = np.rint(32767 * sound_round(np.random.default_rng(0))).astype(np.int16)
    microphones.play(MICROPHONE, sound, is_loop=True)
    return MICROPHONE, microphones.environment


def period_s() -> float:
    """Return how long one round of the test sound is."""
    return len(sound_round(np.random.default_rng(0))) / HOP_RATE_HZ


def drift_s(times_s: Floats, jaws: Floats, period: float) -> float:
    """Return by how much later the jaw's pattern comes at the end than at the start, in seconds.

    Compares the first and the last of three equal parts of a run, [packets], by the phases of the
    harmonics of the sound's period: a shift turns each harmonic in proportion to its number. The
    shift with which both parts agree best is looked for within half a second.
    """
    third = len(times_s) // 3
    frequencies_hz = np.arange(1, HARMONICS + 1) / period
    parts = [
        np.exp(-2j * np.pi * frequencies_hz[:, None] * times_s[part]) @ jaws[part]
        for part in (
            _whole(slice(0, third), times_s, period),
            _whole(slice(-third, None), times_s, period),
        )
    ]
    cross = parts[1] * np.conj(parts[0])
    shifts_s = np.arange(-0.5, 0.5, DRIFT_STEP_S)
    likeness = np.real(np.exp(2j * np.pi * shifts_s[:, None] * frequencies_hz) @ cross)
    return round(float(shifts_s[likeness.argmax()]), 4)


def _whole(part: slice, times_s: Floats, period: float) -> slice:
    """Return the part cut to whole periods, so that no harmonic leaks into another."""
    start, stop, _ = part.indices(len(times_s))
    span_s = times_s[stop - 1] - times_s[start]
    end_s = times_s[start] + max(1, int(span_s / period)) * period
    return slice(start, int(np.searchsorted(times_s, end_s)))


def memory(held_mb: list[float | None], growth_mb: float) -> list[Figure | Remark]:
    """Return what was held at first, and how much it grew, which should be `growth_mb` at most."""
    first, last = held_mb[0], held_mb[-1]
    if first is None or last is None:
        return [Remark("resident memory cannot be read on this system")]
    return [
        Figure("resident memory after the first minute", first, "MB"),
        Figure("growth since", last - first, "MB", maximum=growth_mb),
    ]


def drops(measured: Measurements) -> list[Figure]:
    """Return what was lost; a late face is held for its tick, which nobody sees."""
    return [
        Figure(f"lost {cause}", count, "", maximum=math.inf if cause == "late" else 0)
        for cause, count in measured.drops.items()
    ]


def _megabytes(held_mb: float | None) -> str:
    return "memory unknown" if held_mb is None else f"{held_mb:.1f} MB"


CHURN_GROWTH_MB = 2.0
MAX_FAULTS_SHOWN = 10


def measure_churn(config: BenchConfig) -> list[Figure | Remark]:
    """Run for `config.minutes`, and print the memory each minute."""
    control = free_port(socket.SOCK_DGRAM)
    device, page = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    held_mb: list[float | None] = []
    with tempfile.TemporaryDirectory() as name, ReceiverProcess() as receiver:
        links = [f"livelink-face://127.0.0.1:{receiver.port}", f"metahuman://127.0.0.1:{device}"]
        subject = {"name": "Bench", "audio": {"input": "test"}, "links": links}
        settings: dict[str, Any] = {
            "subjects": [subject],
            "control": {"osc": f"127.0.0.1:{control}"},
            "preview": f"127.0.0.1:{page}",
            "recording": {"folder": name},
        }
        with (
            DaemonProcess("test", receiver.port, **settings) as running,
            Visitors(control, device, page, Path(name)) as visitors,
        ):
            start_s = host_now()
            for minute in range(1, max(2, round(config.minutes)) + 1):
                time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
                held_mb.append(resident_mb(running.process_id))
                print(f"  minute {minute}: {held_mb[-1] or 0:.2f} MB", flush=True)
            visitors.__exit__()
            measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_visits(visitors.visits),
        *memory(held_mb, CHURN_GROWTH_MB),
        *of_arrivals(arrivals),
        *drops(measured),
    ]


def of_visits(visits: Visits) -> list[Figure | Remark]:
    """Return how much was done, and what was not as it must be."""
    return [
        Figure("rounds of clients", visits.rounds, ""),
        Figure("clients not served", len(visits.faults), "", maximum=0),
        *(Remark(f"  {fault}") for fault in visits.faults[:MAX_FAULTS_SHOWN]),
        Figure("takes", visits.takes, "", minimum=1),
        Figure("takes other than replied", visits.untrue, "", maximum=0),
    ]
