"""The training recipe's own faces of held-out clips, under every emotion, in board values.

Nobody's captured face: what a network of the same recipe should have learned. For comparing
networks that learned the same; distances to real faces are in `ravdess`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD
from models.evaluation.groups import MOUTH, UPPER
from models.evaluation.loading import spread
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.distance import dynamics_deviation, mean_distance, squared_error
from models.evaluation.reading import reading
from models.evaluation.recordings import Recording
from models.evaluation.suites.suite import mean
from models.regions import region_correlation, region_distance
from models.timing import HOP_S
from models.training.batches import Corpus
from models.training.crops import ALIGNED
from models.training.phones import PHONES
from models.training.postures import face_targets
from models.training.swells import SPOKEN, swells_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders


class Targets:
    """Clip i is asked for emotion i of the table, at weight 1."""

    title = "composed targets of held-out clips (GRID, Kokoro voices), all emotions in turn"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        path = folders.prepared(
            "index.json", "run models.training.prepare, or name it with --cache"
        )
        with reading(path, "run models.training.prepare again"):
            self._corpus = Corpus(folders.cache, "test")
        whole = [c for source in ALIGNED for c in self._corpus.by_source[source]]
        self._clips = spread(whole, most, path)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield LVE, EVE, MVE, FDD and the distance of region correlations."""
        pairs = []
        for number, clip in enumerate(self._clips):
            rows = slice(clip["first"], clip["first"] + clip["rows"])
            emotion = number % len(EMOTIONS)
            made = perform(
                maker, self._recording(clip["name"], rows), lookahead_ms, {EMOTIONS[emotion]: 1.0}
            )
            if made is not None:
                pairs.append((made, self._target(rows, emotion)))
        if not pairs:
            return
        mouth, upper = list(MOUTH), list(UPPER)
        yield mean("targets.lve", [squared_error(m[:, mouth], t[:, mouth]) for m, t in pairs])
        yield mean("targets.eve", [squared_error(m[:, upper], t[:, upper]) for m, t in pairs])
        yield mean("targets.mve", [mean_distance(m, t) for m, t in pairs])
        deviations = [dynamics_deviation(m[:, upper], t[:, upper]) for m, t in pairs]
        yield mean("targets.fdd", deviations)
        yield mean("targets.fdd_size", list(np.abs(deviations)))
        one, other = (region_correlation([pair[i] for pair in pairs]) for i in (0, 1))
        yield Finding("targets.region_distance", region_distance(one, other), len(pairs))

    def _recording(self, name: str, rows: slice) -> Recording:
        sound = np.asarray(self._corpus.samples[rows], dtype=np.float32).ravel() / 32768.0
        phones = np.asarray(self._corpus.phones[rows])
        edges = [0, *(np.flatnonzero(np.diff(phones)) + 1).tolist(), len(phones)]
        segments = tuple((a * HOP_S, b * HOP_S, PHONES[phones[a]]) for a, b in pairwise(edges))
        return Recording(name, sound, phones=segments)

    def _target(self, rows: slice, emotion: int) -> NDArray[np.float32]:
        conditions = np.zeros(len(CONDITIONS), dtype=np.float32)
        conditions[emotion], conditions[-1] = float(emotion > 0), MOUTH_GUARD
        gestures, stress = (
            np.asarray(track[rows], dtype=np.float32)
            for track in (self._corpus.gestures, self._corpus.stress)
        )
        swells = swells_of(np.flatnonzero(stress > SPOKEN), np.arange(len(stress)))
        given = (gestures, stress, swells, conditions)
        made = face_targets(*(torch.from_numpy(track)[None] for track in given))
        return np.asarray(made[0].numpy(), dtype=np.float32)
