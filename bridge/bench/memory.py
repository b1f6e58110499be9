"""How much memory the whole daemon holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import resident_mb
from bridge.bench.receiver import ReceiverProcess

if TYPE_CHECKING:
    from bridge.bench.options import Options

LIMIT_MB = 1000.0
RUNNING_S = 5.0


def measure(_options: Options) -> list[Figure | Remark]:
    """Run one subject on the test sound for a few seconds."""
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(RUNNING_S)
        held_mb = resident_mb(running.process_id)
        running.stop()
    if held_mb is None:
        return [Remark("resident memory cannot be read on this system")]
    return [Figure("resident memory, one subject", held_mb, "MB", maximum=LIMIT_MB)]
