"""Clients that come and go are all served, and takes are as was answered."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port
from cstalk_bridge.bench.report import missed
from cstalk_bridge.bench.soak import TAKE_EVERY, Visitors, Visits, drift_s, is_whole, of_visits
from tests.takes.recording.harness import RecorderHarness
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("drift_ms", [0.0, 5.0, -17.0, 100.0])
def test_a_trend_towards_the_end_is_detected(drift_ms: float) -> None:
    """A jaw of period 4.08 s over ten minutes whose clock is off by `drift_ms` from end to end."""
    times_s = 100.0 + np.arange(36_000) / 60
    period = 4.08
    random = np.random.default_rng(2)
    phases = random.uniform(0, 2 * np.pi, (6, 1))
    # From the middle of the first third to that of the last lie two thirds of the run.
    slowness = 1e-3 * drift_ms / (2 / 3 * 600)
    sound_s = times_s * (1 - slowness)
    waves = np.cos(2 * np.pi * np.arange(1, 7)[:, None] * sound_s / period + phases)
    jaws = waves.sum(0) + 0.1 * random.standard_normal(len(times_s))
    assert 1e3 * drift_s(times_s, jaws, period) == pytest.approx(drift_ms, abs=1.5)


TIMEOUT_S = 120.0


def test_every_client_is_served_and_every_take_matches_the_replies(tmp_path: Path) -> None:
    control = free_port(socket.SOCK_DGRAM)
    device, page = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    links = ["livelink-face://127.0.0.1:9", f"metahuman://127.0.0.1:{device}"]
    settings: dict[str, Any] = {
        "subjects": [{"name": "Bench", "audio": {"input": "test"}, "links": links}],
        "control": {"osc": f"127.0.0.1:{control}"},
        "preview": f"127.0.0.1:{page}",
        "recording": {"folder": str(tmp_path)},
    }
    with DaemonProcess("test", 9, **settings) as running:
        with Visitors(control, device, page, tmp_path, pause_s=0.0) as visitors:
            wait_until(lambda: visitors.visits.rounds > TAKE_EVERY, TIMEOUT_S)
        running.stop()
    assert visitors.visits.faults == []
    assert visitors.visits.takes == len(list(tmp_path.iterdir())) >= 2
    assert missed(of_visits(visitors.visits)) == 0


def test_each_failure_misses_its_limit() -> None:
    assert missed(of_visits(Visits(rounds=9, takes=1))) == 0
    assert missed(of_visits(Visits(rounds=9, takes=1, faults=["watcher: timed out"]))) == 1
    assert missed(of_visits(Visits(rounds=9, takes=0, untrue=1))) == 2


@pytest.mark.parametrize("damage", ["", "rows", "sound", "problem", "document"])
def test_a_take_is_complete_or_not(tmp_path: Path, damage: str) -> None:
    stage = RecorderHarness(tmp_path)
    stage.recorder.start("A", 1)
    stage.step(40)
    take = stage.recorder.stop()
    assert take is not None
    document = take.folder / "take.json"
    if damage == "rows":
        take.curves[0].write_bytes(take.curves[0].read_bytes()[:-200])
    elif damage == "sound":
        take.sounds[0].unlink()
    elif damage == "problem":
        document.write_text(json.dumps({**json.loads(document.read_text()), "problem": "x"}))
    elif damage == "document":
        document.unlink()
    assert is_whole(document) == (damage == "")
