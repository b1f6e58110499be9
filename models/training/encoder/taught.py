"""The encoder's training set on disk: sound, and the teacher's layer for each row of it.

`<cache>/encoder/<source>.<copy>/` holds `samples.i16` [rows, HOP_SAMPLES], `layer.f16`
[rows, WIDTH] (the teacher's layer less its sinusoids) and `clips.json`: name, part, copy, speed,
first row and rows of each clip. A folder is written whole or not at all; `key` in `clips.json` says
what it was made of.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.timing import HOP_S, HOP_SAMPLES
from models.training.encoder.whisper import WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "encoder"


@dataclass(frozen=True, slots=True)
class Taught:
    """A clip of the set: `offset_s` into the clip `name`, played at `speed`; rows of its folder."""

    name: str
    part: str
    copy: int
    speed: float
    offset_s: float
    first: int
    rows: int

    @property
    def source(self) -> str:
        """What it came from, a key of `models.training.sources.SOURCES`, or `no_speech`."""
        return self.name.split("/")[0]


def write_folder(
    folder: Path,
    key: str,
    clips: Iterable[tuple[Taught, NDArray[np.float32], NDArray[np.float32]]],
) -> None:
    """Write clips with their sound [rows * HOP_SAMPLES] and layer [rows, WIDTH].

    Their `first` is set here.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    written: list[dict[str, Any]] = []
    first = 0
    with (partial / "samples.i16").open("wb") as sounds, (partial / "layer.f16").open("wb") as rows:
        for clip, sound, layer in clips:
            sounds.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
            rows.write(layer.astype("<f2").tobytes())
            written.append(asdict(clip) | {"first": first})
            first += clip.rows
    (partial / "clips.json").write_text(json.dumps({"key": key, "clips": written}), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def key_of(folder: Path) -> str | None:
    """Return what a finished folder was made of; None where there is none."""
    path = folder / "clips.json"
    return str(json.loads(path.read_text("utf-8"))["key"]) if path.exists() else None


class TaughtSet:
    """The clips of one part (train, dev, test) with their sound and layer, memory-mapped."""

    def __init__(self, cache: Path, part: str) -> None:
        self.clips: list[Taught] = []
        self.keys: dict[str, str] = {}
        self._maps: dict[tuple[str, int], tuple[NDArray[Any], NDArray[Any]]] = {}
        for folder in sorted((cache / FOLDER).glob("*.[0-9]*")):
            if folder.name.endswith(".partial"):
                continue
            facts = json.loads((folder / "clips.json").read_text("utf-8"))
            self.keys[folder.name] = facts["key"]
            own = [Taught(**clip) for clip in facts["clips"]]
            self.clips += [clip for clip in own if clip.part == part]
            source, copy = folder.name.rsplit(".", 1)
            samples = np.memmap(folder / "samples.i16", dtype="<i2", mode="r")
            layer = np.memmap(folder / "layer.f16", dtype="<f2", mode="r")
            self._maps[source, int(copy)] = (samples, layer.reshape(-1, WIDTH))

    def sound(self, clip: Taught) -> NDArray[np.float32]:
        """Return the clip's sound, [rows * HOP_SAMPLES] in -1..1."""
        first, end = clip.first * HOP_SAMPLES, (clip.first + clip.rows) * HOP_SAMPLES
        return self._maps[clip.source, clip.copy][0][first:end].astype(np.float32) / 32767.0

    def layer(self, clip: Taught) -> NDArray[np.float32]:
        """Return what the teacher made of it, [rows, WIDTH]."""
        rows = self._maps[clip.source, clip.copy][1][clip.first : clip.first + clip.rows]
        return np.asarray(rows, dtype=np.float32)

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source, its copies counted once."""
        first: Sequence[Taught] = [clip for clip in self.clips if clip.copy == 0]
        sources = sorted({clip.source for clip in first})
        return {
            source: round(sum(c.rows for c in first if c.source == source) * HOP_S / 60, 1)
            for source in sources
        }
