"""Sound and curves of a recorded take: by how much does one lag behind the other?

The take's own sound is given to the offline generator, whose faces belong to their sound by
construction. How far the recorded jaw is behind that jaw is what recording has shifted.
"""

from __future__ import annotations

import csv
import socket
import struct
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.opening import SPEECH_PATH
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.fakemic import FakeMicrophones
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import free_port
from bridge.config.schema import Config
from bridge.errors import UserError
from bridge.links.osc import encode_message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RECORDED_S = 12.0
BEGUN_S = 2.0
"""Sound that is left out: the generator had heard more before it than the take holds."""

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
        heard = _record(Path(folder))
        (curves,), (sound,) = (list(Path(folder).glob(f"*/*.{kind}")) for kind in ("csv", "wav"))
        timecode_s, jaw = read_curves(curves)
        lag_s = lag_of(jaw, sound)
        apart_s = begun_s(sound) - timecode_s
    return [
        Remark(f"a take of {RECORDED_S:g} s of speech, heard through {heard}"),
        Figure("curves behind their sound", 1e3 * lag_s, "ms", -LIMIT_MS, LIMIT_MS),
        Figure("timecode of sound less that of curves", 1e3 * apart_s, "ms", -1.0, 1.0),
    ]


def _record(folder: Path) -> str:
    """Record; return what was heard through."""
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
    microphones.say(name, samples, is_loop=True)
    return name, microphones.environment


def read_curves(path: Path) -> tuple[float, Floats]:
    """Return the time of day of a take's first frame, in s, and its `JawOpen`, [rows]; 60 fps."""
    header, *rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    jaw = np.array([float(row[header.index("JawOpen")]) for row in rows])
    hours, minutes, seconds, frames = rows[0][0].split(":")
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(frames) / FPS, jaw


def begun_s(path: Path) -> float:
    """Return the time of day at which the sound of a take begins, as its `bext` chunk says."""
    import soundfile

    data = path.read_bytes()
    place = data.index(b"bext") + 8 + TIME_REFERENCE
    low, high = struct.unpack_from("<II", data, place)
    return float((high << 32 | low) / soundfile.info(path).samplerate)


def lag_of(jaw: Floats, sound: Path) -> float:
    """Return by how much a jaw at 60 fps is behind the offline generator's for that sound, in s."""
    import soundfile

    from models import load_generator

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
