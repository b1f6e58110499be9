"""Section `switchboard`: a controller that exchanges messages with a running bridge for minutes, as
Unreal's Switchboard does.
"""

from __future__ import annotations

import math
import socket
import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of
from cstalk_bridge.outputs.osc_messages import decode_packet, encode_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from cstalk_bridge.bench.packets import Arrivals
    from cstalk_bridge.bench.report import BenchConfig
    from cstalk_bridge.outputs.osc_messages import Message


BEAT_S = 5.0
"""How often the battery is asked for."""

LOST_S = 11.0
"""Time without an answer after which a phone is lost."""

MACHINES = 2
"""Unreal machines that get the face."""

SUBJECT, SLATE = "Stage", "MySlate"

TIMECODE = "00:00:00.000"
"""The confirmations of the app."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its address and arguments; for a type, any value of it."""

    address: str
    arguments: tuple[str | int | float | type, ...] = ()

    def fits(self, message: Message) -> bool:
        """Whether a message is this answer."""
        if message.address != self.address or len(message.arguments) != len(self.arguments):
            return False
        pairs = zip(self.arguments, message.arguments, strict=True)
        return all(
            isinstance(got, wanted)
            if isinstance(wanted, type)
            else got == wanted and type(got) is type(wanted)
            for wanted, got in pairs
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One message, `at_s` seconds after the minute's beginning, and its answer, if one is due."""

    at_s: float
    address: str
    arguments: tuple[str | int | float, ...] = ()
    answer: Reply | None = None
    timeout_s: float = 2.0

    @property
    def is_beat(self) -> bool:
        """Whether a phone is lost without its answer."""
        return self.address == "/BatteryQuery"


def beat(at_s: float) -> Line:
    """Return the heartbeat."""
    return Line(at_s, "/BatteryQuery", (1,), Reply("/Battery", (1.0,)), LOST_S - BEAT_S)


def setup(target: tuple[str, int], machines: tuple[int, ...]) -> Iterator[Line]:
    """Yield the first messages: where replies go, the controller's name, and its targets."""
    yield Line(0.0, "/OSCAddSendTarget", target, Reply("/OSCAddSendTargetConfirm"))
    yield Line(0.0, "/LiveLinkSubject", (SUBJECT,))
    yield Line(0.0, "/ARSessionStart", (1,), Reply("/ARSessionStartConfirm"))
    yield Line(0.0, "/ClearAllLiveLinkAddresses", (1,))
    for port in machines:
        yield Line(0.0, "/AddLiveLinkAddress", ("127.0.0.1", port))
    yield Line(0.0, "/LiveLinkStreamStart", (1,))


def minute(number: int) -> Iterator[Line]:
    """Yield one minute of work on a stage: a take, a look at the phone, a break."""
    take = number + 1
    started = Reply("/RecordStartConfirm", (TIMECODE,))
    stopped = Reply("/RecordStopConfirm", (TIMECODE, str, str))
    yield Line(2.0, "/VideoDisplayOn", (1,))
    yield Line(3.0, "/Slate", (SLATE,), Reply("/SlateConfirm"))
    yield Line(3.1, "/Take", (take,), Reply("/TakeConfirm"))
    yield Line(3.2, "/SlateQuery", (1,), Reply("/Slate", (SLATE,)))
    yield Line(3.3, "/TakeQuery", (1,), Reply("/Take", (take,)))
    yield Line(6.0, "/RecordStart", (SLATE, take), started)
    yield Line(12.0, "/ThermalsQuery", (1,), Reply("/Thermals", (0,)))
    yield Line(21.0, "/RecordStop", (1,), stopped, 5.0)
    yield Line(26.0, "/TakeQuery", (1,), Reply("/Take", (take + 1,)))
    yield Line(31.0, "/VideoDisplayOff", (1,))
    yield Line(32.0, "/LiveLinkStreamStop", (1,))
    yield Line(34.0, "/LiveLinkStreamStart", (1,))
    yield Line(41.0, "/ARSessionStop", (1,), Reply("/ARSessionStopConfirm"))
    yield Line(43.0, "/ARSessionStart", (1,), Reply("/ARSessionStartConfirm"))


TRANSFER_TIMEOUT_S = 5.0

BEGINNING = b"Timecode,BlendshapeCount,"
"""Of the curves of a take."""


class TakeDownloader:
    """A place to which files are brought, as a context."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(TRANSFER_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    @property
    def place(self) -> str:
        """Host and port, as `/Transport` names them."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def fault(self) -> str | None:
        """Receive one file; return its fault, None where it is whole and one of curves."""
        try:
            bringing, _ = self._listening.accept()
            with bringing:
                bringing.settimeout(TRANSFER_TIMEOUT_S)
                brought = b"".join(iter(lambda: bringing.recv(1 << 16), b""))
        except TimeoutError:
            return "nothing comes"
        (size,) = struct.unpack(">i", brought[:4])
        if len(brought) - 4 != size:
            return f"{len(brought) - 4} bytes, announced as {size}"
        return None if brought[4:].startswith(BEGINNING) else "these are no curves"


MAX_MINUTES = 10.0
MINUTE_S = 60.0
PAUSE_S = 0.5
"""Time without a packet which was no accident."""


@dataclass(slots=True)
class Record:
    """The result of an exchange of messages; faults as text, times in seconds."""

    sent: int = 0
    asked: int = 0
    answered: int = 0
    beats_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Controller:
    """One controller: sends lines to a local port, and checks the replies."""

    def __init__(self, port: int, courier: TakeDownloader) -> None:
        self.record = Record()
        self._courier = courier
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))

    @property
    def address(self) -> tuple[str, int]:
        """Where it wants answers."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def close(self) -> None:
        """Receive nothing any more."""
        self._socket.close()

    def send(self, line: Line) -> Message | None:
        """Send a line and wait for its answer; return it, None where none is due or it is wrong."""
        record, begun_s = self.record, time.monotonic()
        self._socket.send(encode_message(line.address, *line.arguments))
        record.sent += 1
        if line.answer is None:
            return None
        record.asked += 1
        answer = self._received(line.answer.address, begun_s + line.timeout_s)
        took_s = time.monotonic() - begun_s if answer else math.inf
        if line.is_beat:
            record.beats_s.append(took_s)
        if answer is None or not line.answer.fits(answer):
            record.faults.append(f"{line.address}: {answer or 'no answer'}")
            return None
        record.answered += 1
        return answer

    def fetch(self, path: str) -> None:
        """Ask for a file of a take, and look whether it comes whole."""
        self.record.asked += 1
        self._socket.send(encode_message("/Transport", self._courier.place, path))
        self.record.sent += 1
        if fault := self._courier.fault():
            self.record.faults.append(f"/Transport {path}: {fault}")
        else:
            self.record.answered += 1

    def _received(self, address: str, until_s: float) -> Message | None:
        while (left_s := until_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                (message,) = decode_packet(self._socket.recv(2048))
            except (TimeoutError, ConnectionRefusedError):
                continue
            if message.address == address:
                return message
        return None


def measure_switchboard(config: BenchConfig) -> list[Figure | Remark]:
    """Talk for `config.minutes`, 10 at most."""
    port, minutes = free_port(socket.SOCK_DGRAM), min(config.minutes, MAX_MINUTES)
    with (
        tempfile.TemporaryDirectory() as folder,
        ReceiverProcess(1 + MACHINES) as receiver,
        DaemonProcess(
            "test",
            receiver.port,
            control={"osc": f"127.0.0.1:{port}"},
            recording={"folder": folder},
        ) as running,
        TakeDownloader() as courier,
    ):
        controller = Controller(port, courier)
        spread = []
        try:
            for number in range(max(1, round(minutes))):
                converse(controller, receiver.ports[1:], number, min(1.0, minutes))
                spread.append(running.measured().spreads.get("lateness"))
        finally:
            controller.close()
        takes = sum(path.is_dir() for path in Path(folder).iterdir())
        running.stop()
        arrivals = receiver.stop()
    worst = max((each for each in spread if each), key=lambda each: each.p99_s, default=None)
    return [
        Remark(f"{minutes:g} minutes"),
        *of_record(controller.record),
        Figure("takes recorded and handed over", takes, "", minimum=len(spread)),
        *of_packets(arrivals, len(spread)),
        *figures_of("tick lateness, worst minute", worst),
    ]


def converse(
    controller: Controller, machines: tuple[int, ...], number: int, minutes: float = 1.0
) -> None:
    """Talk for one minute, the first of which begins with the setup."""
    begun_s = time.monotonic()
    lines = list(setup(controller.address, machines)) if number == 0 else []
    lines += minute(number)
    lines += [beat(BEAT_S * count) for count in range(round(MINUTE_S * minutes / BEAT_S))]
    for line in sorted(lines, key=lambda each: each.at_s):
        if line.at_s < MINUTE_S * minutes:
            time.sleep(max(0.0, begun_s + line.at_s - time.monotonic()))
            answer = controller.send(line)
            if answer is not None and answer.address == "/RecordStopConfirm":
                controller.fetch(str(answer.arguments[1]))
    time.sleep(max(0.0, begun_s + MINUTE_S * minutes - time.monotonic()))


def of_record(record: Record) -> list[Figure | Remark]:
    """Return the counts of messages and right replies, and every fault as text."""
    answered_s = [beat_s for beat_s in record.beats_s if math.isfinite(beat_s)]
    return [
        Figure("messages of the controller", record.sent, ""),
        Figure("replies expected", record.asked, ""),
        Figure("missing or wrong", record.asked - record.answered, "", maximum=0),
        *(Remark(f"  {fault}") for fault in record.faults[:10]),
        Figure("heartbeats", len(record.beats_s), ""),
        Figure("heartbeats lost", len(record.beats_s) - len(answered_s), "", maximum=0),
        Figure("slowest reply to one", 1e3 * max(answered_s, default=math.nan), "ms"),
    ]


def of_packets(arrivals: Arrivals, minutes: int) -> list[Figure | Remark]:
    """Return whether both Unreal machines got packets, and the pauses reported to them."""
    # Those before are the config's own, which `/ClearAllLiveLinkAddresses` ends.
    streams = np.unique(arrivals.streams)[-MACHINES:]
    # The last packet is the face at rest, which leaves when the bridge ends.
    gaps = [np.diff(arrivals.times_s[arrivals.streams == stream])[:-1] for stream in streams]
    pauses = [int((each > PAUSE_S).sum()) for each in gaps]
    return [
        Figure("Unreal machines that received packets", len(gaps), "", MACHINES, MACHINES),
        Figure("pauses in each", min(pauses, default=0), "", minutes, minutes),
        Figure("packets", len(arrivals.frames), ""),
    ]
