"""Phone takes of one person who idles in an emotion: how well real motion tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluation.joint.performance import WINDOW_S, gaze_manner
from models.evaluation.metrics.recognition import learn
from models.evaluation.reading import archive_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE_HZ = 60.0
NEUTRAL = "default"
UPPER = (
    "BrowDown", "BrowInnerUp", "BrowOuterUp", "CheekSquint", "EyeSquint", "EyeWide", "NoseSneer",
)  # fmt: skip
"""Shapes of the upper face; where there are two sides, their mean."""
PARTS = 3
"""A take of neutral idling stands for so many: it is the only one."""


def recognised(path: Path) -> tuple[float, int]:
    """Return the mean over emotions of the share of windows told right, in percent, and windows.

    Each take is judged by what gaze, blinks and upper face of the other takes taught. Of the
    neutral take each third is. Heads are not told: these takes have none.
    """
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        takes = list(_takes(archive, names))
    moods = sorted({mood for mood, _ in takes})
    told, true = [], []
    for number, (mood, windows) in enumerate(takes):
        others = [take for place, take in enumerate(takes) if place != number]
        features = np.concatenate([values for _, values in others])
        classes = np.concatenate([[moods.index(m)] * len(values) for m, values in others])
        told += learn(features, classes).classes(windows).tolist()
        true += [moods.index(mood)] * len(windows)
    found, wanted = np.array(told), np.array(true)
    shares = [(found[wanted == mood] == mood).mean() for mood in range(len(moods))]
    return 100 * float(np.mean(shares)), len(wanted)


def _takes(archive: Any, names: list[str]) -> Any:
    for take in archive.files:
        if take == "names":
            continue
        curves = archive[take].astype(np.float32)
        mood = take.split("_")[0]
        for part in np.array_split(curves, PARTS) if mood == NEUTRAL else [curves]:
            yield mood, np.stack([_features(window, names) for window in _windows(part)])


def _windows(curves: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    size = round(WINDOW_S * RATE_HZ)
    return [curves[i : i + size] for i in range(0, len(curves) - size + 1, size)]


def _features(curves: NDArray[np.float32], names: list[str]) -> NDArray[np.float32]:
    def mean_of(prefix: str) -> NDArray[np.float32]:
        columns = [i for i, name in enumerate(names) if name.startswith(prefix)]
        return np.asarray(curves[:, columns].mean(1))

    eyes = [[f"{side}Eye{axis}" for side in ("Left", "Right")] for axis in ("Yaw", "Pitch")]
    gaze = [curves[:, [names.index(name) for name in axis]].mean(1) for axis in eyes]
    face = [mean_of(shape).mean() for shape in UPPER]
    manner = gaze_manner(np.degrees(np.stack(gaze, 1)), mean_of("EyeBlink"), RATE_HZ)
    return np.concatenate((manner, np.array(face, dtype=np.float32)))
