"""Progress figures of a training run on the development clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import jaw, opening, pucker, together
from cstalk_bridge.models.cstalk.torch_engine import recording_faces
from cstalk_bridge.models.metrics.closures import CLOSERS, NO_CLOSURES, OPEN_VOWELS, closures
from cstalk_bridge.models.metrics.curves import pearson
from cstalk_bridge.models.training.rules import GESTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.corpus import Corpus, Entry


DELAY_HOPS = 3
MOST_CLIPS = 25  # of a source
JAW_GESTURE, PURSE_GESTURE = (list(GESTURES).index(name) for name in ("jaw", "purse"))


def development_report(network: FaceNetwork, dev: Corpus) -> Iterator[str]:
    """Yield a line for each source with clips in `dev`: the neutral face at 60 ms of look-ahead.

    Jaw and purse are compared with the training targets, median r over clips; closures are those
    of `cstalk_bridge.models.evaluation`, which measures the rest on captured faces.
    """
    for source, clips in dev.by_source.items():
        if clips:
            yield f"{source}: {development_figures(network, dev, clips[:MOST_CLIPS])}"


def development_figures(network: FaceNetwork, dev: Corpus, clips: Sequence[Entry]) -> str:
    """Return the metrics of some clips of `dev`, as text."""
    lips, jaws, purses = NO_CLOSURES, [], []
    for clip in clips:
        rows = slice(clip["first"], clip["first"] + clip["rows"])
        face = neutral_face(network, dev, rows)
        targets = np.asarray(dev.gestures[rows], dtype=np.float32)
        jaws.append(pearson(jaw(face), targets[:, JAW_GESTURE]))
        purses.append(pearson(pucker(face), targets[:, PURSE_GESTURE]))
        phones = np.asarray(dev.phones[rows], dtype=np.int64)
        lips += closures(together(face), opening(face), phones, CLOSERS, OPEN_VOWELS)
    text = f"jaw r {np.median(jaws):.3f}, purse r {np.median(purses):.3f}"
    if lips.closers:
        text += f", closures {lips.rate:.1%}, false ones {lips.false_rate:.1%}"
    return text


def neutral_face(network: FaceNetwork, dev: Corpus, rows: slice) -> NDArray[np.float32]:
    """Return the face of `rows` of `dev` without any emotion, [rows, channels]."""
    sound = np.asarray(dev.samples[rows], dtype=np.float32).reshape(1, -1) / 32768.0
    shape = (1, rows.stop - rows.start, network.architecture.emotions)
    nothing = np.zeros(shape, dtype=np.float32)
    faces: NDArray[np.float32] = recording_faces(network, sound, nothing, DELAY_HOPS)[0]
    return faces
