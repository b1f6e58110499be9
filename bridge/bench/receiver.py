"""A process that receives Live Link Face packets and stamps each with the host clock.

It is a process of its own so that it neither slows the daemon down nor waits for it. The host clock
(`host_now`) is one for all processes of a machine. `python -m bridge.bench.receiver` prints
its port, receives until its standard input is closed, and prints what it got as one .npy array.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from bridge.clock.host import host_now

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PATIENCE_S = 0.2
"""How long a receive waits before it looks whether it shall end."""
SOCKET_BYTES = 1 << 22
"""Asked of the system as a buffer: some thousand packets."""
MAX_PACKETS = 1_000_000
"""Packets kept: 4.6 hours at 60 fps."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Packets in order: host times of arrival, frame numbers, jaw openings, each [packets]."""

    times_s: Floats
    frames: Floats
    jaws: Floats


class ReceiverProcess:
    """The receiver as a context; `stop` ends it and returns what arrived."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bridge.bench.receiver"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self._output().readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> Arrivals:
        """End it; return what arrived."""
        output, _ = self._process.communicate()
        return Arrivals(*np.load(BytesIO(output)))

    def _output(self) -> BinaryIO:
        output = self._process.stdout
        if output is None:
            raise RuntimeError("the receiver's output is not a pipe")
        return output  # type: ignore[return-value]


def receive(bound: socket.socket, stop: threading.Event) -> NDArray[np.float64]:
    """Return time, frame and jaw of every packet until `stop`, [3, packets]."""
    from bridge.links.livelink_face import decode
    from bridge.rig.load import load_rigmap

    jaw = load_rigmap("livelinkface61").outputs.index("JawOpen")
    rows: list[tuple[float, float, float]] = []
    while not stop.is_set() and len(rows) < MAX_PACKETS:
        try:
            datagram = bound.recv(2048)
        except TimeoutError:
            continue
        arrived_s = host_now()
        packet = decode(datagram)
        if packet.values is not None:
            rows.append((arrived_s, float(packet.frame), float(packet.values[jaw])))
    return np.array(rows, dtype=np.float64).reshape(-1, 3).T


def main() -> None:
    """Receive until standard input is closed."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(PATIENCE_S)
        print(bound.getsockname()[1], flush=True)
        threading.Thread(target=wait, daemon=True).start()
        np.save(sys.stdout.buffer, receive(bound, stop))


if __name__ == "__main__":
    main()
