"""Small data folders, with the files and names of the real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = [6, 6, 12, 2, 6, 12, 8]
"""Durations, in 25 ms, of five phones and the silence around them."""


def noise(seconds: float, seed: int) -> np.ndarray:
    """Noise that swells and sinks as speech does."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.random(round(seconds * 10)), 1600)
    return (0.2 * level * random.standard_normal(len(level))).astype(np.float32)


def write_facegood(folder: Path) -> None:
    """Write the held-out clip."""
    (folder / "facegood").mkdir()
    curves = np.abs(np.random.default_rng(1).standard_normal((90, 1))).astype(np.float16)
    soundfile.write(folder / "facegood/1114_2_05.flac", noise(3.0, 2), 16_000)
    names = np.array(["mouth_stretch_c"])
    arrays: dict[str, Any] = {"names": names, "1114_2_05": curves}
    np.savez(folder / "facegood/curves.npz", **arrays)


def write_kokoro(folder: Path, *phones: str) -> None:
    """Write clips of a held-out voice; each of `phones` is two words of two sounds."""
    (folder / "kokoro").mkdir()
    lines = []
    for number, clip_phones in enumerate(phones):
        path = folder / f"kokoro/am_puck__{number}.opus"
        soundfile.write(path, noise(1.5, 3), 16_000, format="OGG", subtype="OPUS")
        clip = {"file": path.name, "phones": clip_phones, "frames_25ms": FRAMES}
        lines.append(json.dumps(clip, ensure_ascii=False) + "\n")
    (folder / "kokoro/index.jsonl").write_text("".join(lines), encoding="utf-8")
