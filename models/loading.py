"""Weights files brought onto a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from models.generator import Generator
from models.shipped import DEFAULT_PATH
from models.weights_file import load

if TYPE_CHECKING:
    from pathlib import Path


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`; ValueError where there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: this machine or this torch has no CUDA GPU; use cpu or auto")
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device {name}: there are auto, cpu and cuda")
    return torch.device(name)


def load_weights(path: Path | None, device: str) -> Generator:
    """Load `path` (default: the shipped weights) onto `device`; WeightsError says what is wrong."""
    chosen = choose_device(device)
    network, description = load(path or DEFAULT_PATH, chosen)
    return Generator(network, description, chosen)
