"""How real heads rest: no two are held alike, so a posture tells only what it stands out with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.reading import archive_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEAD = "__head"


def resting_heads(path: Path) -> NDArray[np.float32]:
    """Return where the head was in each clip of a neutral speaker, from its mean over all clips.

    float32 [clips, 6]: yaw, pitch, roll in radians, x, y, z in centimetres. `path` is the archive
    of curves of GRID.
    """
    with archive_of(path) as archive:
        heads = [archive[name].astype(np.float32) for name in archive.files if name.endswith(HEAD)]
    tracked = [head[np.isfinite(head).all(1)] for head in heads]
    means = np.stack([head.mean(0) for head in tracked if len(head)])
    return np.asarray(means - means.mean(0))
