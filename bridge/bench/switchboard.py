"""A controller that talks with a running bridge as Switchboard does, for minutes.

Every 5 s it asks for the battery, until it is confirmed for that as well; then it names the subject
and sends it to its Unreal machines. In every minute it sets slate and take, records, fetches the
curves, and stops and starts the packets. Each answer is compared with what it must be.
"""

from __future__ import annotations

import math
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of
from bridge.bench.machine import free_port
from bridge.bench.receiver import ReceiverProcess
from bridge.bench.transcript import BEAT_S, MACHINES, beat, minute, setup
from bridge.bench.transport import Courier
from bridge.links.osc import decode_packet, encode_message

if TYPE_CHECKING:
    from bridge.bench.options import Options
    from bridge.bench.receiver import Arrivals
    from bridge.bench.transcript import Line
    from bridge.links.osc import Message

MAX_MINUTES = 10.0
MINUTE_S = 60.0
PAUSE_S = 0.5
"""Time without a packet which was no accident."""


@dataclass(slots=True)
class Record:
    """What came of a conversation; faults in words, times in seconds."""

    said: int = 0
    asked: int = 0
    answered: int = 0
    beats_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Controller:
    """One controller: it says lines to a local port, and hears whether they are answered right."""

    def __init__(self, port: int, courier: Courier) -> None:
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
        """Hear nothing any more."""
        self._socket.close()

    def say(self, line: Line) -> Message | None:
        """Say a line and wait for its answer; return it, None where none is due or it is wrong."""
        record, begun_s = self.record, time.monotonic()
        self._socket.send(encode_message(line.address, *line.arguments))
        record.said += 1
        if line.answer is None:
            return None
        record.asked += 1
        answer = self._heard(line.answer.address, begun_s + line.patience_s)
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
        self.record.said += 1
        if fault := self._courier.fault():
            self.record.faults.append(f"/Transport {path}: {fault}")
        else:
            self.record.answered += 1

    def _heard(self, address: str, until_s: float) -> Message | None:
        while (left_s := until_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                (message,) = decode_packet(self._socket.recv(2048))
            except (TimeoutError, ConnectionRefusedError):
                continue
            if message.address == address:
                return message
        return None


def measure(options: Options) -> list[Figure | Remark]:
    """Talk for `options.minutes`, 10 at most."""
    port, minutes = free_port(socket.SOCK_DGRAM), min(options.minutes, MAX_MINUTES)
    with (
        tempfile.TemporaryDirectory() as folder,
        ReceiverProcess(1 + MACHINES) as receiver,
        DaemonProcess(
            "test",
            receiver.port,
            control={"osc": f"127.0.0.1:{port}"},
            recording={"folder": folder},
        ) as running,
        Courier() as courier,
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
            answer = controller.say(line)
            if answer is not None and answer.address == "/RecordStopConfirm":
                controller.fetch(str(answer.arguments[1]))
    time.sleep(max(0.0, begun_s + MINUTE_S * minutes - time.monotonic()))


def of_record(record: Record) -> list[Figure | Remark]:
    """Return how much was said, what was answered as it must be, and every fault in words."""
    answered_s = [beat_s for beat_s in record.beats_s if math.isfinite(beat_s)]
    return [
        Figure("messages of the controller", record.said, ""),
        Figure("answers due", record.asked, ""),
        Figure("missing or wrong", record.asked - record.answered, "", maximum=0),
        *(Remark(f"  {fault}") for fault in record.faults[:10]),
        Figure("heartbeats", len(record.beats_s), ""),
        Figure("heartbeats lost", len(record.beats_s) - len(answered_s), "", maximum=0),
        Figure("latest answer to one", 1e3 * max(answered_s, default=math.nan), "ms"),
    ]


def of_packets(arrivals: Arrivals, minutes: int) -> list[Figure | Remark]:
    """Return whether both Unreal machines got packets, and the pauses they were told of."""
    # Those before are the config's own, which `/ClearAllLiveLinkAddresses` ends.
    streams = np.unique(arrivals.streams)[-MACHINES:]
    # The last packet is the face at rest, which leaves when the bridge ends.
    gaps = [np.diff(arrivals.times_s[arrivals.streams == stream])[:-1] for stream in streams]
    pauses = [int((each > PAUSE_S).sum()) for each in gaps]
    return [
        Figure("Unreal machines that got packets", len(gaps), "", MACHINES, MACHINES),
        Figure("pauses in each", min(pauses, default=0), "", minutes, minutes),
        Figure("packets", len(arrivals.frames), ""),
    ]
