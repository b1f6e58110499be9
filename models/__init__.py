"""CSTalk: speech to the face board of a MetaHuman.

from cstalk_bridge.models import load_generator
g = load_generator()
face = g.generate(samples, rate_hz, emotion={"happy": 0.7}, lookahead_ms=80)  # [time, channels]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator


__all__ = ["load_generator"]


def load_generator(path: Path | str | None = None, device: str = "auto") -> Generator:
    """Return a trained generator; torch is imported only where it computes.

    `path` names a weights file (default: the shipped weights), `device` is auto, cpu or cuda.
    cstalk_bridge.models.errors.WeightsError says what is wrong with a file, ValueError with a
    device.
    """
    from cstalk_bridge.models.loading import open_generator

    return open_generator(Path(path) if path is not None else None, device)
