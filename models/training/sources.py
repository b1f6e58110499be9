"""The recordings that train the default weights: where their sound, phones and faces lie.

Every source's licence allows commercial use of what is trained on it (`SOURCES`); the folders are
those of the data set's README.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from numpy.typing import NDArray

GRID_FPS, GRID_LATE_S = 25.0, 0.040
FACEGOOD_FPS, FACEGOOD_LATE_S = 30.0, 0.050

SOURCES = {
    "grid_s1": "GRID corpus, speaker s1 (Cooke et al. 2006), CC BY 4.0",
    "kathleen": "CMU ARCTIC sentences read by Kathleen, CC0",
    "kokoro": "Kokoro-82M speech, Apache-2.0 model",
    "facegood": "FACEGOOD Audio2Face curves, MIT",
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: its `name` is `<source>/<file stem>`; `part` is train, dev or test."""

    name: str
    path: Path
    part: str

    @property
    def source(self) -> str:
        """The key in `SOURCES`."""
        return self.name.split("/")[0]

    def samples(self) -> NDArray[np.float32]:
        """Read the sound: mono, 16 kHz, -1..1."""
        samples, rate_hz = soundfile.read(self.path, dtype="float32")
        if rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(f"{self.path}: {rate_hz} Hz, expected {SAMPLE_RATE_HZ} Hz")
        return np.asarray(samples, dtype=np.float32)


def require(parser: argparse.ArgumentParser, path: Path, remedy: str) -> None:
    """End the command with one line and exit code 2 where `path` is missing."""
    if not path.exists():
        parser.error(f"{path}: there is no such file; {remedy}")


@cache
def _split() -> dict[str, dict[str, list[str]]]:
    text = resources.files("models.training").joinpath("split.json").read_text("utf-8")
    split: dict[str, dict[str, list[str]]] = json.loads(text)
    return split


def part_of(name: str) -> str:
    """Return whether the clip `name` trains or is held out (`split.json`)."""
    source, stem = name.split("/")
    for part, held_out in _split().items():
        if stem in held_out.get(source, ()) or (
            source == "kokoro" and stem.split("__")[0] in held_out.get("kokoro_voices", ())
        ):
            return part
    return "train"


def find_clips(data: Path) -> list[Clip]:
    """Return every clip under `data`, sorted by name; FileNotFoundError where there is none."""
    folders = {
        "grid_s1": "audio/*.opus",
        "kathleen": "audio/*.opus",
        "kokoro": "*.opus",
        "facegood": "*.flac",
    }
    clips = [
        Clip(name := f"{source}/{path.stem}", path, part_of(name))
        for source, pattern in folders.items()
        for path in sorted((data / source).glob(pattern))
    ]
    if not clips:
        raise FileNotFoundError(f"{data}: no recordings found; name the data folder with --data")
    return clips


def face_curves(
    archive: Any, clip: str, late_s: float, fps: float, frames: int
) -> NDArray[np.float32]:
    """Return captured curves at each row's audio time, [time, curves].

    `late_s` is how far the capture lags the sound; gaps in tracking are bridged linearly.
    """
    captured = archive[clip].astype(np.float32)
    tracked = ~np.isnan(captured).any(1)
    capture_times_s = np.arange(len(captured)) / fps - late_s
    times_s = np.arange(frames) / ROW_RATE_HZ
    columns = [
        np.interp(times_s, capture_times_s[tracked], column[tracked]) for column in captured.T
    ]
    return np.stack(columns, 1).astype(np.float32)
