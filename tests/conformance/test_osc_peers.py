"""Our OSC, over real sockets, read by programs written by others."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

from cstalk_bridge.outputs.registry import open_link, parse_link_url
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

CURVES = [f"CTRL_expressions_curve{index:03d}" for index in range(251)]
VALUES = np.linspace(-1, 1, 251, dtype=np.float32)
TIMEOUT_S = 10.0


def free_port() -> int:
    with receiver() as free:
        return free.target.port


@contextmanager
def oscdump(port: int) -> Iterator[subprocess.Popen[str]]:
    command = ["stdbuf", "-oL", "oscdump", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.skipif(
    not (shutil.which("oscdump") and shutil.which("stdbuf")),
    reason="oscdump is missing: install liblo-tools",
)
def test_oscdump_reads_every_curve_as_a_float() -> None:
    port = free_port()
    lines: list[str] = []
    with oscdump(port) as process:
        assert process.stdout is not None
        reading = threading.Thread(target=lines.extend, args=(process.stdout,))
        reading.start()
        link = open_link(
            parse_link_url(f"osc://127.0.0.1:{port}/face"), "Ada", CURVES, FRAME_RATES["60"]
        )

        def send() -> bool:
            link.send(VALUES, Tick(0, 0.0, 0))
            return len(lines) >= 2 * len(CURVES)

        # It does not report when it listens: send until it has written a whole frame.
        wait_until(send, TIMEOUT_S, interval_s=0.05)
        process.terminate()
        reading.join()
        link.close()
    read = dict(re.findall(r"(/face/\w+) f (-?[\d.]+)", "".join(lines)))
    assert list(read) == [f"/face/{curve}" for curve in CURVES]
    np.testing.assert_allclose([float(value) for value in read.values()], VALUES, atol=1e-5)


def test_python_osc_dispatches_every_curve() -> None:
    read: dict[str, tuple[object, ...]] = {}
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: read.update({address: values}))
    with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        server.timeout = TIMEOUT_S
        port = server.server_address[1]
        link = open_link(
            parse_link_url(f"osc://127.0.0.1:{port}"), "Ada", CURVES, FRAME_RATES["60"]
        )
        link.send(VALUES, Tick(0, 0.0, 0))
        for _ in range(link.sent):
            server.handle_request()
        link.close()
    assert read == {
        f"/{curve}": (value,) for curve, value in zip(CURVES, VALUES.tolist(), strict=True)
    }
