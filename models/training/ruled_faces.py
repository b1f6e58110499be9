"""Faces that the rules make of the corpus's speech, under any emotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.emotions import MOUTH_GUARD
from models.training.batches import Corpus
from models.training.corpus import OBSERVED
from models.training.postures import GESTURE_CHANNELS, face_targets
from models.training.rules import GESTURES
from models.training.sources import SOURCES
from models.training.store import source_of
from models.training.swells import SPOKEN, swells_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class RuledFaces:
    """Those of one part, of sources that may train the default weights; `rows` are all of them."""

    def __init__(self, cache: Path, part: str) -> None:
        self.corpus = Corpus(cache, part)
        self.clips = [clip for clip in self.corpus.clips if SOURCES[source_of(clip)].default]
        self.rows: int = sum(clip["rows"] for clip in self.clips)

    def draw(
        self, rows: int, emotion: torch.Tensor, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a face [rows, 81] under `emotion` [emotions], and what of it counts [81]."""
        clips = [clip for clip in self.clips if clip["rows"] >= rows]
        clip = clips[random.integers(len(clips))]
        first = clip["first"] + random.integers(clip["rows"] - rows + 1)
        window = slice(first, first + rows)
        gestures = torch.from_numpy(self.corpus.gestures[window].astype(np.float32))
        stress = torch.from_numpy(self.corpus.stress[window].astype(np.float32))
        spoken = np.flatnonzero(self.corpus.stress[clip["first"] : first + rows] > SPOKEN)
        swells = swells_of(spoken, np.arange(first, first + rows) - clip["first"])
        felt = torch.cat((emotion, torch.tensor([MOUTH_GUARD])))
        face = face_targets(
            gestures[None], stress[None], torch.from_numpy(swells)[None], felt[None]
        )[0]
        told = OBSERVED[source_of(clip)]
        asked = torch.tensor([float(name in told) for name in GESTURES]) @ GESTURE_CHANNELS > 0
        silent = ~(GESTURE_CHANNELS.amax(0) > 0)
        seen = asked | (silent & (len(told) == len(GESTURES)))
        return face.numpy(), seen.numpy()
