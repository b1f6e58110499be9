"""Voices that speak in one emotion for a while: clips of an actor, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.evaluation.loading import RAVDESS_EMOTIONS, spread
from models.evaluation.reading import sound_of
from models.evaluation.recordings import Recording
from models.training.sources import part_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.evaluation.recordings import Folders

CALM = "calm"
NEUTRAL, STILL = "01", "02"
"""Codes of neutral and of calm speech in the names of clips."""


NORMAL, STRONG = "01", "02"


def paired_intensities(
    folders: Folders,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """Return neutral speech of each actor 17-20, and each emotion acted normally and strongly."""
    audio = folders.needed("ravdess/audio")
    sounds: dict[tuple[str, str, str], list[NDArray[np.float32]]] = {}
    for path in sorted(audio.glob("*.opus")):
        _, _, emotion, intensity, *_, actor = path.stem.split("-")
        if part_of(f"ravdess/{path.stem}") == "test":
            sounds.setdefault((actor, emotion, intensity), []).append(sound_of(path))
    joined = {key: np.concatenate(clips) for key, clips in sounds.items()}
    return [
        (joined[actor, NEUTRAL, NORMAL], normal, joined[actor, emotion, STRONG])
        for (actor, emotion, intensity), normal in joined.items()
        if intensity == NORMAL and emotion != STILL and (actor, emotion, STRONG) in joined
    ]


def spoken(folders: Folders, part: str, most: int) -> list[Recording]:
    """Return what each actor of a part of the split says in each of the first five emotions.

    The calm clips count as neutral: that has half as many. At most `most` recordings, evenly
    spread.
    """
    audio = folders.needed("ravdess/audio")
    clips: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(audio.glob("*.opus")):
        code, actor = path.stem.split("-")[2], path.stem.split("-")[-1]
        emotion = RAVDESS_EMOTIONS[code].replace(CALM, EMOTIONS[0])
        if part_of(f"ravdess/{path.stem}") == part and emotion in EMOTIONS[:5]:
            clips.setdefault((actor, emotion), []).append(path)
    return [
        Recording(f"ravdess/{actor}", np.concatenate([sound_of(path) for path in paths]), emotion)
        for (actor, emotion), paths in spread(sorted(clips.items()), most, audio)
    ]
