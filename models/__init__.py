"""CSTalk: speech to the face board of a MetaHuman.

from models import load_generator
g = load_generator()
face = g.generate(samples, rate_hz, emotion={"happy": 0.7}, lookahead_ms=80)  # [time, channels]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.generator import Generator

__all__ = ["load_generator"]


def load_generator(path: Path | str | None = None, device: str = "auto") -> Generator:
    """Return a trained generator; torch is imported only where it computes.

    `path` names a weights file (default: the shipped weights), `device` is auto, cpu or cuda.
    models.errors.WeightsError says what is wrong with a file, ValueError with a device.
    """
    from models.loading import load_weights

    return load_weights(Path(path) if path is not None else None, device)
