"""How fast takes are rendered: one long recording beside the network alone, and many short ones."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ
from bridge.bench.figures import Figure, Remark
from bridge.clock.host import host_now
from bridge.face.alive.levels import AS_GENERATED, AS_MADE

if TYPE_CHECKING:
    from bridge.bench.options import Options
    from bridge.face.alive.levels import Levels
    from models.generator import Generator

SPEECH = Path(__file__).resolve().parents[1] / "audio" / "speech.ogg"
LONG_S = 600.0
SHORT_S = 0.3
SHORT_FILES = 400
ROUNDS = 3
"""Each thing is measured so often; the median counts, the others are noise of the machine."""

LEAST_SPEED = 30.0
LEAST_SHARE = 0.7


def measure(_options: Options) -> list[Figure | Remark]:
    """Render ten minutes of speech to a take and a CSV file, then short recordings."""
    import torch

    from bridge.network import load_network

    generator = load_network(None, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        sound = _write_long(Path(folder, "long.wav"))
        _write_short(Path(folder, "short"))
        rendered, lips, alone = [], [], []
        for number in range(ROUNDS):
            alone.append(_network_alone(generator, sound))
            rendered.append(_render(generator, folder, "long.wav", number, AS_MADE))
            lips.append(_render(generator, folder, "long.wav", number, AS_GENERATED))
        torch.set_num_threads(os.cpu_count() or 1)
        minute = sound[: round(60 * HOP_RATE_HZ)]
        shared = [_network_alone(generator, minute) * LONG_S / 60 for _ in range(ROUNDS)]
        torch.set_num_threads(1)
        short = [_render(generator, folder, "short", number, AS_MADE) for number in range(ROUNDS)]
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
    """Write speech that repeats itself, and return it as the network hears it."""
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
    from bridge.render.render import render
    from bridge.render.settings import RenderSettings

    out = Path(folder, f"out-{name}-{number}-{levels.liveliness:g}")
    start_s = host_now()
    render([str(Path(folder, name))], out, RenderSettings(levels=levels), load=lambda *_: generator)
    return host_now() - start_s
