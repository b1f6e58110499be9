"""PNG files small enough for a README."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.image
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = 80
"""Of each channel: shades beyond these are not seen, but double the file."""


def save(pixels: np.ndarray, path: Path) -> None:
    """Write [height, width, at least RGB], 0..1, without its alpha."""
    coarse = np.round(pixels[..., :3] * LEVELS) / LEVELS
    matplotlib.image.imsave(path, coarse, pil_kwargs={"optimize": True})
