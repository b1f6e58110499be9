from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.training.rules import GESTURES

if TYPE_CHECKING:
    from pathlib import Path

CLIP_ROWS = 200


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one clip a source whose loudness, jaw and phone all count the rows."""
    folder = tmp_path_factory.mktemp("corpus")
    names = [f"{s}/a" for s in ("grid_s1", "kathleen", "kokoro", "facegood")]
    rows = len(names) * CLIP_ROWS
    count = np.tile(np.arange(CLIP_ROWS), len(names)) / CLIP_ROWS
    np.repeat(count * 20000, 320).astype("<i2").tofile(folder / "samples.i16")
    np.repeat(count[:, None], len(GESTURES), 1).astype("<f2").tofile(folder / "gestures.f16")
    np.full(rows, 5, "u1").tofile(folder / "phones.u8")
    count.astype("<f2").tofile(folder / "stress.f16")
    index = [
        {"name": name, "part": part, "first": at * CLIP_ROWS, "rows": CLIP_ROWS}
        for at, name in enumerate(names)
        for part in ("train", "dev")
    ]
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
