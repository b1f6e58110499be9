"""Sections `startup`, `generator`, `render` and `daemon`: the cost of each part of the program for
one face or recording.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.source import HOP_RATE_HZ
from cstalk_bridge.bench.daemon_process import DaemonProcess, bound_port, resident_mb
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.face.inference import LOOKAHEAD_MS, hop_times, white_noise
from cstalk_bridge.face.procedural.animation import DEFAULT_LEVELS, NO_ANIMATION_LEVELS
from cstalk_bridge.system.process import prepare_steady_state
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.bench.report import BenchConfig
    from cstalk_bridge.face.procedural.animation import Levels
    from cstalk_bridge.models.cstalk.generator import Generator


COMMANDS = (("--help",), ("devices",), ("rigmap", "check", "metahuman"))
RUNS = 5
LIMIT_S = 0.5
COMMAND_TIMEOUT_S = 60.0

PROGRAM = """
import sys
from cstalk_bridge.cli import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def measure_startup(_options: BenchConfig) -> list[Figure | Remark]:
    """Run each command several times in a new interpreter; the median counts."""
    lines: list[Figure | Remark] = []
    for command in COMMANDS:
        answers = [answer(command) for _ in range(RUNS)]
        name = " ".join(command)
        seconds = statistics.median(took_s for took_s, _ in answers)
        lines.append(Figure(name, seconds, "s", maximum=LIMIT_S))
        with_torch = sum(imports_torch for _, imports_torch in answers)
        lines.append(Figure(f"{name}, runs which import torch", with_torch, "", maximum=0))
    return lines


def answer(command: Sequence[str]) -> tuple[float, bool]:
    """Run one command; return how long it took in seconds, and whether it imported torch."""
    start_s = host_now()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
    )
    return host_now() - start_s, ended.stderr.rstrip().endswith("True")


SUBJECTS = (1, 4, 64)


OFFLINE_S = 60.0
ONE_SUBJECT_MEDIAN_MS, MANY_SUBJECTS_MEDIAN_MS = 0.5, 4.0
LEAST_RATIO = 6.0
"""How many times cheaper a hop is than with torch."""


def measure_generator(_options: BenchConfig) -> list[Figure | Remark]:
    """Step noise hop by hop at the rate of live sound, with one thread, then a minute offline.

    The same with torch on the CPU, in the same run.
    """
    import torch

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.loading import (
        DEFAULT_PATH,
        create_cpu_engine,
        create_torch_engine,
        read_weights,
    )

    torch.set_num_threads(1)
    weights = read_weights(DEFAULT_PATH)
    shipped = Generator(create_cpu_engine(*weights), weights[1])
    with_torch = Generator(create_torch_engine(*weights, device="cpu"), weights[1])
    prepare_steady_state()
    limits_ms = {1: ONE_SUBJECT_MEDIAN_MS, SUBJECTS[-1]: MANY_SUBJECTS_MEDIAN_MS}
    lines: list[Figure | Remark] = [Remark(f"{shipped.engine.name}, {with_torch.engine.name}")]
    for subjects in SUBJECTS:
        name = f"hop of {subjects} subject{'s' * (subjects > 1)}"
        spread = spread_of(hop_times(shipped, subjects))
        lines += figures_of(name, spread, median_ms=limits_ms.get(subjects, float("inf")))
    for name, is_paced in (("at the rate of sound", True), ("back to back", False)):
        ours, theirs = (
            float(np.median(hop_times(each, 1, is_paced=is_paced)))
            for each in (shipped, with_torch)
        )
        lines += [
            Figure(f"hop {name}, median", 1e3 * ours, "ms"),
            Figure(f"hop {name} with torch, median", 1e3 * theirs, "ms"),
            Figure(f"{name}, how many times cheaper", theirs / ours, "x", LEAST_RATIO),
        ]
    return [
        *lines,
        Figure("offline, times faster than real time", offline_speed(shipped), "x"),
        Figure("the same with torch", offline_speed(with_torch), "x"),
    ]


def offline_speed(generator: Generator) -> float:
    """Return how many times faster than real time a minute of noise becomes a face."""
    noise = white_noise(1, round(OFFLINE_S * HOP_RATE_HZ))[0]
    start_s = host_now()
    generator.generate(noise, HOP_RATE_HZ, lookahead_ms=LOOKAHEAD_MS)
    return OFFLINE_S / (host_now() - start_s)


SPEECH = Path(__file__).resolve().parents[1] / "audio" / "speech.ogg"
LONG_S = 600.0
SHORT_S = 0.3
SHORT_FILES = 400
ROUNDS = 3
"""Each thing is measured so often; the median counts, the others are noise of the machine."""

LEAST_SPEED = 30.0
LEAST_SHARE = 0.7


def measure_render(_options: BenchConfig) -> list[Figure | Remark]:
    """Render ten minutes of speech to a take and a CSV file, then short recordings."""
    import torch

    from cstalk_bridge.face.inference import load_network

    generator = load_network(None, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        sound = _write_long(Path(folder, "long.wav"))
        _write_short(Path(folder, "short"))
        rendered, lips, alone = [], [], []
        for number in range(ROUNDS):
            alone.append(_network_alone(generator, sound))
            rendered.append(_render(generator, folder, "long.wav", number, DEFAULT_LEVELS))
            lips.append(_render(generator, folder, "long.wav", number, NO_ANIMATION_LEVELS))
        torch.set_num_threads(os.cpu_count() or 1)
        minute = sound[: round(60 * HOP_RATE_HZ)]
        shared = [_network_alone(generator, minute) * LONG_S / 60 for _ in range(ROUNDS)]
        torch.set_num_threads(1)
        short = [
            _render(generator, folder, "short", number, DEFAULT_LEVELS) for number in range(ROUNDS)
        ]
    speed, lips_speed, alone_speed, shared_speed = (
        LONG_S / float(np.median(taken)) for taken in (rendered, lips, alone, shared)
    )
    share = lips_speed / max(alone_speed, shared_speed)
    rate = SHORT_FILES / float(np.median(short))
    return [
        Remark(f"{LONG_S / 60:g} minutes of WAV to take and CSV; {SHORT_FILES} of {SHORT_S:g} s"),
        Figure("one long recording", speed, "x", minimum=LEAST_SPEED),
        Figure("  with --no-alive", lips_speed, "x", minimum=LEAST_SPEED),
        Figure("network alone, one thread", alone_speed, "x"),
        Figure(f"network alone, {os.cpu_count()} threads", shared_speed, "x"),
        Figure("--no-alive, share of the faster of these", share, "", minimum=LEAST_SHARE),
        Figure("short recordings", rate, "files/s"),
        Figure("short recordings, times real time", SHORT_S * rate, "x", minimum=LEAST_SPEED),
    ]


def _write_long(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Write speech that repeats itself, and return it as the network receives it."""
    import soundfile
    import soxr

    speech, rate_hz = soundfile.read(SPEECH, dtype="float32")
    whole = np.resize(speech, round(LONG_S * rate_hz))
    soundfile.write(path, whole, rate_hz)
    return np.asarray(soxr.resample(whole, rate_hz, HOP_RATE_HZ), dtype=np.float32)


def _write_short(folder: Path) -> None:
    import soundfile

    speech, rate_hz = soundfile.read(SPEECH, dtype="float32")
    folder.mkdir()
    for number in range(SHORT_FILES):
        piece = np.roll(speech, -1000 * number)[: round(SHORT_S * rate_hz)]
        soundfile.write(folder / f"{number}.wav", piece, rate_hz)


def _network_alone(
    generator: Generator, sound: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> float:
    """Return how long the network takes for sound that lies ready, in seconds."""
    start_s = host_now()
    generator.generate(sound, HOP_RATE_HZ)
    return host_now() - start_s


def _render(generator: Generator, folder: str, name: str, number: int, levels: Levels) -> float:
    """Return how long everything takes but loading the network, in seconds."""
    from cstalk_bridge.takes.render.jobs import RenderConfig
    from cstalk_bridge.takes.render.pipeline import LocalEngine, render

    out = Path(folder, f"out-{name}-{number}-{levels.liveliness:g}")
    start_s = host_now()
    render(
        [str(Path(folder, name))],
        out,
        RenderConfig(levels=levels),
        engine=LocalEngine(lambda *_: generator),
    )
    return host_now() - start_s


LIMIT_MB = 160.0
LIMIT_SHARE = 7.0
"""Per cent of one core."""
FIRST_PACKET_S = 1.5
SETTLING_S = 3.0
STARTS = 3
PACKET_TIMEOUT_S = 30.0


def measure_daemon(config: BenchConfig) -> list[Figure | Remark]:
    """Run one subject on the test sound for a third of `config.seconds`; begin some more."""
    seconds = config.seconds / 3
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(SETTLING_S)
        running.measured()
        time.sleep(seconds)
        held_mb = resident_mb(running.process_id)
        measured = running.stop()
    share = 100.0 * measured.cpu_s / seconds
    first_s = statistics.median(first_packet_s() for _ in range(STARTS))
    return [
        Figure("processor, one subject, 60 fps", share, "% of a core", maximum=LIMIT_SHARE),
        *(
            [Remark("resident memory cannot be read on this system")]
            if held_mb is None
            else [Figure("resident memory, one subject", held_mb, "MB", maximum=LIMIT_MB)]
        ),
        Figure("first packet after the command", first_s, "s", maximum=FIRST_PACKET_S),
    ]


def first_packet_s() -> float:
    """Return the time from the command to the first packet of the bundled recording, in s."""
    with bound_port() as (listening, port):
        listening.settimeout(PACKET_TIMEOUT_S)
        command = [
            sys.executable,
            "-m",
            "cstalk_bridge",
            "run",
            "--no-ui",
            "--audio",
            str(SPEECH_PATH),
        ]
        command += ["--link", f"livelink-face://127.0.0.1:{port}"]
        start_s = host_now()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )
        try:
            listening.recv(2048)
            return host_now() - start_s
        finally:
            process.kill()
            process.wait()
