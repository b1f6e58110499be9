"""Section `takes`: takes whose program is killed, and the alignment of sound and curves in a
complete one.

`python -m cstalk_bridge.bench.takes FOLDER NUMBER` is the program that is killed: it records two
subjects at 60 fps, and prints "claimed" when the folder of a take exists, "writing" when frames
were written.
"""

from __future__ import annotations

import csv
import json
import random
import socket
import struct
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
from cstalk_bridge.bench.daemon_process import ChildProcess, DaemonProcess, free_port
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.config.schema import Config
from cstalk_bridge.face.emotion import NO_EMOTION
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.rig.curves import Frame
from cstalk_bridge.takes.recording.files import RecordedSubject
from cstalk_bridge.takes.recording.folder import DOCUMENT_NAME, RECORDING_SUFFIX
from cstalk_bridge.takes.recording.recorder import CURVE_COUNT, UNTOUCHED_S, Recorder
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Ticker, host_now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


RECORDED_S = 12.0
BEGUN_S = 2.0
"""Sound that is left out: the generator received more before it than the take holds."""

FPS = 60.0
STEP_S = 0.001
MAX_LAG_S = 0.2
LIMIT_MS = 8.3
"""Half a frame. The clock of a stream of sound is as good as the moments at which blocks come."""

TIME_REFERENCE = 338
"""Offset of the time in samples since midnight in a `bext` chunk (EBU Tech 3285)."""


def aligned() -> list[Figure | Remark]:
    """Record the bundled speech, through a fake microphone where there can be one; compare."""
    with tempfile.TemporaryDirectory() as folder:
        device = _record(Path(folder))
        (curves,), (sound,) = (list(Path(folder).glob(f"*/*.{kind}")) for kind in ("csv", "wav"))
        timecode_s, jaw = read_curves(curves)
        lag_s = lag_of(jaw, sound)
        apart_s = begun_s(sound) - timecode_s
    return [
        Remark(f"a take of {RECORDED_S:g} s of speech from {device}"),
        Figure("curves behind their sound", 1e3 * lag_s, "ms", -LIMIT_MS, LIMIT_MS),
        Figure("timecode of sound less that of curves", 1e3 * apart_s, "ms", -1.0, 1.0),
    ]


def _record(folder: Path) -> str:
    """Record; return the audio input that was used."""
    port = free_port(socket.SOCK_DGRAM)
    settings = {"control": {"osc": f"127.0.0.1:{port}"}, "recording": {"folder": str(folder)}}
    with ExitStack() as closing:
        audio, environment = _speech(closing)
        closing.enter_context(DaemonProcess(audio, 9, environment, **settings))
        controller = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        controller.connect(("127.0.0.1", port))
        time.sleep(BEGUN_S)
        controller.send(encode_message("/RecordStart", "Aligned", 1))
        time.sleep(RECORDED_S)
        controller.send(encode_message("/RecordStop"))
        controller.settimeout(RECORDED_S)
        while not controller.recv(2048).startswith(b"/RecordStopConfirm"):
            pass
    return audio


def _speech(closing: ExitStack) -> tuple[str, dict[str, str] | None]:
    import soundfile

    samples, rate_hz = soundfile.read(SPEECH_PATH, dtype="int16")
    try:
        microphones = closing.enter_context(FakeMicrophones(rate_hz=rate_hz))
    except UserError:
        return str(SPEECH_PATH), None
    (name,) = microphones.names
    microphones.play(name, samples, is_loop=True)
    return name, microphones.environment


def read_curves(path: Path) -> tuple[float, Floats]:
    """Return the time of day of a take's first frame, in s, and its `JawOpen`, [rows]; 60 fps."""
    header, *rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    jaw = np.array([float(row[header.index("JawOpen")]) for row in rows])
    hours, minutes, seconds, frames = rows[0][0].split(":")
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(frames) / FPS, jaw


def begun_s(path: Path) -> float:
    """Return the time of day at which the sound of a take begins, from its `bext` chunk."""
    import soundfile

    data = path.read_bytes()
    place = data.index(b"bext") + 8 + TIME_REFERENCE
    low, high = struct.unpack_from("<II", data, place)
    return float((high << 32 | low) / soundfile.info(path).samplerate)


def lag_of(jaw: Floats, sound: Path) -> float:
    """Return by how much a jaw at 60 fps is behind the offline generator's for that sound, in s."""
    import soundfile

    from cstalk_bridge.models import load_generator

    samples, rate_hz = soundfile.read(sound, dtype="float32")
    generator = load_generator(device="cpu")
    rows = generator.generate(samples, rate_hz, lookahead_ms=Config().lookahead_ms)
    made = rows[:, generator.channels.index("CTRL_C_jaw.ty")].astype(np.float64)
    return lag(jaw, made, generator.rate_hz)


def lag(jaw: Floats, made: Floats, made_hz: float) -> float:
    """Return by how much `jaw`, [rows] at 60 fps, is behind `made`, within `MAX_LAG_S`, in s."""
    end_s = min(len(jaw) / FPS, len(made) / made_hz) - MAX_LAG_S
    times_s = np.arange(BEGUN_S, end_s, STEP_S)
    wanted = np.interp(times_s, np.arange(len(made)) / made_hz, made)
    shifts_s = np.arange(-MAX_LAG_S, MAX_LAG_S, STEP_S)
    likeness = [
        np.corrcoef(wanted, np.interp(times_s + shift_s, np.arange(len(jaw)) / FPS, jaw))[0, 1]
        for shift_s in shifts_s
    ]
    return float(shifts_s[int(np.argmax(likeness))])


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


def measure_takes(_options: BenchConfig) -> list[Figure | Remark]:
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
        finished = [path for path in folder.iterdir() if path.suffix != RECORDING_SUFFIX]
        after = [found(path) for path in finished]
        documents = [json.loads((path / DOCUMENT_NAME).read_text("utf-8")) for path in finished]
    return [
        Remark(f"{TAKES} takes killed in their middle, {DAEMONS} of them with a whole daemon"),
        Figure("takes readable as left", _read(before), "", TAKES),
        Figure("takes recovered by the next run", len(finished), "", TAKES, TAKES),
        Figure("readable", _read(after), "", TAKES),
        Figure("with rows", sum(take is not None and take.rows > 0 for take in after), ""),
        Figure("rows lost by recovery", _rows(before) - _rows(after), "", maximum=0),
        Figure("marked as recovered", sum(map(_is_recovered, documents)), "", TAKES),
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
        json.loads((folder / DOCUMENT_NAME).read_text("utf-8"))
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


def _is_recovered(document: dict[str, object]) -> bool:
    return document.get("isRecovered") is True


SLATE = "Killed"
SUBJECTS = ("Ada", "Ben")
RATE_HZ = 16_000
DELAY_S = 0.1
"""How far a face is behind its sound."""


class RecordingProcess(ChildProcess):
    """The program as a context, which kills it, if that was not done before."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__("cstalk_bridge.bench.takes", folder, number)

    def wait_for(self, state: str) -> None:
        """Wait until it prints that state; raises EOFError where it ends instead."""
        while line := self.read_line():
            if line == state:
                return
        raise EOFError(f"the recording process has ended before it was {state}")


def record_until_killed() -> None:
    """Record for ever."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    begun_s = host_now()
    recorder, history = Recorder(folder, FRAME_RATES["60"]), AudioHistory(RATE_HZ)

    def place(host_s: float) -> HistoryPosition:
        return HistoryPosition(history, host_s - begun_s - DELAY_S)

    links = [
        recorder.link(RecordedSubject(name, RATE_HZ, place, lambda _: DELAY_S)) for name in SUBJECTS
    ]
    recorder.start(SLATE, number)
    print("claimed", flush=True)
    is_writing = False
    for tick in Ticker(FRAME_RATES["60"], now=host_now):
        count = int((host_now() - begun_s) * RATE_HZ) - history.end
        history.write(np.full(count, 0.25, dtype=np.float32))
        for link in links:
            values = np.full(CURVE_COUNT, 0.5, dtype=np.float32)
            link.record(values, Frame(tick.due_s), NO_EMOTION, tick)
        take = recorder.take
        if not is_writing and take is not None and take.duration_s > 0:
            is_writing = True
            print("writing", flush=True)


if __name__ == "__main__":
    record_until_killed()
