from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.bench.daemon_process import DaemonProcess, resident_mb
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def test_memory_is_read_where_the_system_provides_it() -> None:
    held_mb = resident_mb(os.getpid())
    assert held_mb is None or 10 < held_mb < 100_000


def test_the_daemon_and_the_receiver_run_as_processes_of_their_own() -> None:
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(1.0)
        measured = running.stop()
        arrivals = receiver.stop()
    assert len(arrivals.frames) > 20
    assert arrivals.jaws[-1] == 0.0
    assert {"block", "hop", "inference", "buffer", "tick", "total"} <= set(measured.spreads)
    assert measured.drops.keys() >= {"late", "ticks"}


def test_a_daemon_that_does_not_start_is_reported(tmp_path: Path) -> None:
    # A missing device would be waited for; a missing file is not.
    missing = str(tmp_path / "missing.wav")
    with pytest.raises(UserError, match="did not start"), DaemonProcess(missing, 9):
        pass
