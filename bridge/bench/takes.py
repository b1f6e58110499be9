"""Takes: can all be read whose program is killed, and do sound and curves belong together?

The next run of the bridge finishes what was left, as it does for its user.
"""

from __future__ import annotations

import csv
import json
import random
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench.alignment import aligned
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import free_port
from bridge.bench.recording_process import RecordingProcess
from bridge.links.osc import encode_message
from bridge.recording.folder import DOCUMENT, SUFFIX
from bridge.recording.recovery import UNTOUCHED_S

if TYPE_CHECKING:
    from bridge.bench.options import Options

TAKES = 100
DAEMONS = 3
"""Of the takes, those of a whole daemon, which takes seconds to start."""

AT_ONCE = 3
LONG_S = 1.0
"""A take is killed within that time from its first frames on; every fourth as soon as it begins."""

COLUMNS = 63


@dataclass(frozen=True, slots=True)
class Found:
    """What can be read of a folder of a take: whole rows of curves, seconds of sound."""

    rows: int
    sound_s: float


def measure(_options: Options) -> list[Figure | Remark]:
    """Kill `TAKES` takes and read them; then record one and compare its sound with its curves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(DAEMONS):
            _kill_daemon(folder, TAKES + number)
        kill_takes(folder, TAKES - DAEMONS)
        before = [found(path) for path in sorted(folder.iterdir())]
        time.sleep(UNTOUCHED_S)
        with DaemonProcess("test", 9, recording={"folder": name}) as next_run:
            next_run.stop()
        finished = [path for path in folder.iterdir() if path.suffix != SUFFIX]
        after = [found(path) for path in finished]
        documents = [json.loads((path / DOCUMENT).read_text("utf-8")) for path in finished]
    return [
        Remark(f"{TAKES} takes killed in their middle, {DAEMONS} of them with a whole daemon"),
        Figure("takes that can be read as they were left", _read(before), "", TAKES),
        Figure("takes finished by the next run", len(finished), "", TAKES, TAKES),
        Figure("that can be read", _read(after), "", TAKES),
        Figure("with rows", sum(take is not None and take.rows > 0 for take in after), ""),
        Figure("rows lost in finishing", _rows(before) - _rows(after), "", maximum=0),
        Figure("that say they broke off", sum(map(_is_told, documents)), "", TAKES),
        *aligned(),
    ]


def kill_takes(folder: Path, number: int) -> None:
    """Begin takes, some at a time, and kill each at some moment."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(partial(_kill, folder), range(1, number + 1)))


def _kill(folder: Path, number: int) -> None:
    chance = random.Random(number)
    with RecordingProcess(folder, number) as recording:
        is_young = number % 4 == 0
        recording.wait_for("claimed" if is_young else "writing")
        time.sleep(chance.uniform(0.0, 0.02 if is_young else LONG_S))


def _kill_daemon(folder: Path, number: int) -> None:
    port = free_port(socket.SOCK_DGRAM)
    control = {"osc": f"127.0.0.1:{port}"}
    recording = {"folder": str(folder)}
    with (
        DaemonProcess("test", 9, control=control, recording=recording),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller,
    ):
        controller.sendto(encode_message("/RecordStart", "Killed", number), ("127.0.0.1", port))
        time.sleep(2 * LONG_S)


def found(folder: Path) -> Found | None:
    """Read a take's folder; None where a file of it cannot be read."""
    import soundfile

    rows, sound_s = 0, 0.0
    try:
        json.loads((folder / DOCUMENT).read_text("utf-8"))
        for path in folder.glob("*.csv"):
            text = path.read_text("utf-8")
            lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
            if any(len(line) != COLUMNS for line in lines):
                return None
            rows += max(0, len(lines) - 1)
        for path in folder.glob("*.wav"):
            samples, rate_hz = soundfile.read(path)
            sound_s += len(samples) / rate_hz
    except (OSError, ValueError, RuntimeError):
        return None
    return Found(rows, sound_s)


def _read(takes: list[Found | None]) -> int:
    return sum(take is not None for take in takes)


def _rows(takes: list[Found | None]) -> int:
    return sum(take.rows for take in takes if take is not None)


def _is_told(document: dict[str, object]) -> bool:
    return document.get("isRecovered") is True
