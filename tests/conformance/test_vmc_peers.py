"""Our VMC, over real sockets, read by programs written by others."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cstalk_bridge.outputs.udp import Target, UdpTargets
from cstalk_bridge.outputs.vmc import HEAD_POSITION_M, VmcEncoder, VmcLink
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.conformance.test_osc_peers import free_port, oscdump

ARKIT = [curve.name for curve in load_table("livelinkface61").curves]
VALUES = np.linspace(0.0, 0.6, 61, dtype=np.float32)
FRAMES = 5
TIMEOUT_S = 20.0


def performer(port: int, outputs: list[str]) -> VmcLink:
    targets = UdpTargets([Target(host="127.0.0.1", port=port)])
    return VmcLink("vmc://test", VmcEncoder(outputs), FRAME_RATES["60"], targets)


@pytest.mark.skipif(
    importlib.util.find_spec("vmcp") is None or importlib.util.find_spec("osc4py3") is None,
    reason="vmcp is missing: pip install vmcp[osc4py3]",
)
def test_vmcp_reads_every_frame_in_its_order() -> None:
    port = free_port()
    program = [sys.executable, "-m", "tests.conformance.vmc_receiver", str(port)]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    with subprocess.Popen(program, cwd=root, stdin=pipe, stdout=pipe, text=True) as peer:
        watchdog = threading.Timer(TIMEOUT_S, peer.kill)
        watchdog.start()
        assert peer.stdout is not None
        assert peer.stdout.readline() == "ready\n"
        link = performer(port, ARKIT)
        for number in range(FRAMES):
            link.send(VALUES, Tick(number, number / 60, 5000 + number))
        link.close()
        events: list[Any] = []
        while [event[0] for event in events].count("apply") < FRAMES + 1:
            events.append(json.loads(peer.stdout.readline()))
        peer.communicate()
        watchdog.cancel()
    frame = events[: len(events) // (FRAMES + 1)]
    assert [event[0] for event in frame] == ["ok", "time", "bone", *["shape"] * 52, "apply"]
    assert frame[0] == ["ok", 1, 3]
    bone, position, rotation = frame[2][1:]
    assert bone == "Head"
    np.testing.assert_allclose(position, HEAD_POSITION_M, atol=1e-6)
    assert np.linalg.norm(rotation) == pytest.approx(1.0, abs=1e-6)
    shapes = {name: value for _, name, value in frame[3:-1]}
    assert list(shapes) == [name[0].lower() + name[1:] for name in ARKIT[:52]]
    np.testing.assert_array_equal(np.array(list(shapes.values()), np.float32), VALUES[:52])
    times = [event[1] for event in events if event[0] == "time"]
    np.testing.assert_allclose(times, np.arange(FRAMES + 1) / 60, atol=1e-6)
    assert not any(value for _, _, value in events[-53:-1]), "the face is left at rest"


@pytest.mark.skipif(
    not (shutil.which("oscdump") and shutil.which("stdbuf")),
    reason="oscdump is missing: install liblo-tools",
)
def test_oscdump_reads_the_argument_types_that_receivers_expect() -> None:
    port = free_port()
    with oscdump(port) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        link = performer(port, ["aa", "happy", "HeadYaw"])
        sent = threading.Event()

        def send() -> None:
            # It does not report when it listens: send until it has written.
            while not sent.wait(0.05):
                link.send(np.array([0.5, 0.25, 0.2], np.float32), Tick(0, 0.0, 0))

        sending = threading.Thread(target=send)
        sending.start()
        types = [
            process.stdout.readline().replace("-0.000000", "0.000000").split()[1:] for _ in range(6)
        ]
        sent.set()
        sending.join()
        watchdog.cancel()
        link.close()
    assert types == [
        ["/VMC/Ext/OK", "iii", "1", "3", "0"],
        ["/VMC/Ext/T", "f", "0.000000"],
        ["/VMC/Ext/Bone/Pos", "sfffffff", '"Head"', "0.000000", "0.090000", "0.000000",
         "0.000000", f"{-np.sin(0.1):.6f}", "0.000000", f"{np.cos(0.1):.6f}"],
        ["/VMC/Ext/Blend/Val", "sf", '"A"', "0.500000"],
        ["/VMC/Ext/Blend/Val", "sf", '"Joy"', "0.250000"],
        ["/VMC/Ext/Blend/Apply"],
    ]  # fmt: skip
