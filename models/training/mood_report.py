"""How well a mood network tells the moods of voices it never heard, clip by clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.mood.stream import hear
from models.training.mood_sessions import RAVDESS, sessions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.mood.onnx_network import OnnxMoodNetwork
    from models.mood.stream import Evidence
    from models.training.sources import Clip

CLASSES = EMOTIONS[:5]


def scores(evidence: Evidence) -> NDArray[np.float32]:
    """Return the mean evidence of a recording's voice, [emotions]."""
    weight = evidence.voicing.sum() + 1e-3
    return np.asarray((evidence.odds * evidence.voicing[:, None]).sum(0) / weight)


def figures(network: OnnxMoodNetwork, data: Path, seed: int) -> dict[str, float]:
    """Return the mean over emotions of the share of clips told right, in percent; chance is less.

    Each clip is the first that is heard of its voice. Calm clips are left out.
    """
    known: dict[int, list[NDArray[np.float32]]] = {}
    for session in sessions(data, "test", seed):
        if session.source == RAVDESS:
            for clip, emotion in zip(session.clips, session.classes, strict=True):
                if not _is_calm(clip):
                    known.setdefault(emotion, []).append(scores(hear(network, clip.samples())))
    return {
        f"five emotions, clips of unheard actors, % (chance {100 / len(CLASSES):.0f})": recall(
            known, len(CLASSES)
        ),
        f"seven emotions, % (chance {100 / len(EMOTIONS):.0f})": recall(known, len(EMOTIONS)),
    }


def recall(known: dict[int, list[NDArray[np.float32]]], classes: int) -> float:
    """Return the mean over the first classes of the share told right among them, in percent."""
    shares = [
        np.mean([np.argmax(score[:classes]) == emotion for score in known[emotion]])
        for emotion in range(classes)
    ]
    return round(100 * float(np.mean(shares)), 1)


def _is_calm(clip: Clip) -> bool:
    return clip.path.stem.split("-")[2] == "02"
