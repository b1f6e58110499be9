from __future__ import annotations

import socket

import numpy as np

from cstalk_bridge.bench.daemon_process import DaemonProcess, Measurements, free_port
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.preview import (
    PreviewClientsProcess,
    ReceivedFrames,
    of_sightings,
    of_ticks,
)
from cstalk_bridge.bench.report import missed
from cstalk_bridge.monitor.metrics import Spread


def sightings(
    ticks: list[int], clients: int = 2, fps: float = 60.0, late_s: float = 1e-3
) -> ReceivedFrames:
    number = np.repeat(np.array(ticks, dtype=np.float64), clients)
    client = np.tile(np.arange(clients, dtype=np.float64), len(ticks))
    return ReceivedFrames(client, number, number / fps, number / fps + late_s)


def phase(p99_ms: float) -> Measurements:
    lateness = Spread(median_s=1e-4, p99_s=1e-3 * p99_ms, worst_s=1e-2, count=900)
    return Measurements({"lateness": lateness}, {"ticks": 0}, cpu_s=1.0)


def test_every_frame_sent_to_every_client_meets_the_limits() -> None:
    assert missed(of_sightings(sightings(list(range(600))), 2)) == 0


def test_slow_late_missing_and_repeated_frames_are_detected() -> None:
    assert missed(of_sightings(sightings(list(range(600)), fps=59.5), 2)) == 1
    assert missed(of_sightings(sightings(list(range(600)), late_s=0.1), 2)) == 1
    assert missed(of_sightings(sightings([*range(0, 600, 2), 598]), 2)) >= 1
    assert missed(of_sightings(sightings(list(range(600)), clients=2), 3)) == 1


def test_ticks_are_compared_for_changes() -> None:
    assert missed(of_ticks(phase(0.5), phase(1.2), phase(0.6))) == 0
    assert missed(of_ticks(phase(0.5), phase(2.0), phase(0.6))) == 1
    assert missed(of_ticks(phase(0.5), phase(5.0), phase(0.6))) == 2


def test_a_daemon_is_watched_and_measured_in_phases() -> None:
    address = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, preview=address) as running,
        PreviewClientsProcess(address, 2) as watchers,
    ):
        first = running.measured()
        seen = watchers.stop()
        second = running.stop()
    assert first.spreads["lateness"].count > 0
    assert first.cpu_s > 0
    assert second.spreads["lateness"].count < 10_000
    for client in range(2):
        ticks = seen.of(client).ticks
        assert len(ticks) > 0
        assert (np.diff(ticks) > 0).all()
        assert (seen.arrived_s >= seen.left_s).all()
