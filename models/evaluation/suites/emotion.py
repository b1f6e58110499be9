"""Whether a classifier that learned emotions from real faces recognises them in made ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.emotions import EMOTIONS
from models.evaluation.action_units import UNITS, units_of
from models.evaluation.loading import RAVDESS_EMOTIONS, ravdess_voices, spread
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.recognition import learn
from models.evaluation.options import ALL_CLIPS
from models.evaluation.reading import archive_of
from models.training.sources import part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

CLASSES = EMOTIONS[:5]


class Emotion:
    """Learns from the mean units of actors 01-16, is asked about faces for the voices of 17-20."""

    title = "emotions of made faces, by a classifier of real ones (RAVDESS 01-16 -> voices 17-20)"
    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        features, classes, is_test = real_faces(folders)
        self._classifier = learn(features[~is_test], classes[~is_test])
        told = self._classifier.classes(features[is_test])
        self._ceiling = Finding("emotion.real", recall(told, classes[is_test]), int(is_test.sum()))
        voices = ravdess_voices(folders, ALL_CLIPS)
        acted = [clip for clip in voices if clip.emotion in CLASSES]
        self._clips = spread(acted, most, folders.data)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield the mean of the classes' shares, each class's own, and that of real faces."""
        means, wanted = [], []
        for clip in self._clips:
            face = perform(maker, clip, lookahead_ms, {clip.emotion: 1.0})
            if face is None:
                return
            means.append(units_of(face).mean(0))
            wanted.append(CLASSES.index(clip.emotion))
        if not means:
            return
        told, true = self._classifier.classes(np.stack(means)), np.array(wanted)
        yield Finding("emotion.recognised", recall(told, true), len(true))
        for index, name in enumerate(CLASSES):
            of_it = told[true == index]
            if len(of_it):
                yield Finding(f"emotion.{name}", 100 * float((of_it == index).mean()), len(of_it))
        yield self._ceiling


def real_faces(
    folders: Folders,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the mean units of real faces [clips, units], their classes and `is_test` [clips]."""
    with archive_of(folders.needed("ravdess/action_units_means.npz")) as archive:
        return _real(archive)


def _real(archive: Any) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Return features [clips, units], classes [clips] and `is_test` [clips] of real faces."""
    names = [str(name) for name in archive["names"]]
    columns = [names.index(f"{unit}_r") for unit in UNITS]
    parts = [str(clip).split("-") for clip in archive["clips"]]
    emotions = [RAVDESS_EMOTIONS[part[2]] for part in parts]
    kept = [i for i, emotion in enumerate(emotions) if emotion in CLASSES]
    classes = np.array([CLASSES.index(emotions[i]) for i in kept])
    is_test = np.array([part_of(f"ravdess/{archive['clips'][i]}") == "test" for i in kept])
    return archive["means"][kept][:, columns].astype(np.float32), classes, is_test


def recall(told: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share told right, in percent."""
    shares = [(told[true == index] == index).mean() for index in np.unique(true)]
    return 100 * float(np.mean(shares))
