"""What a network under training does on the clips held out for development, in a few figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.whole import whole_faces
from models.evaluation.groups import jaw, opening, pucker, together
from models.evaluation.metrics.agreement import pearson
from models.evaluation.metrics.lips import closures
from models.evaluation.suites.lips import CLOSERS, NO_CLOSURES, OPEN_VOWELS
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.face_network import FaceNetwork
    from models.training.batches import Corpus
    from models.training.store import Entry

DELAY_HOPS = 3
MOST_CLIPS = 25  # of a source
JAW, PURSE = (list(GESTURES).index(name) for name in ("jaw", "purse"))


def report(network: FaceNetwork, dev: Corpus) -> Iterator[str]:
    """Yield a line for each source with clips in `dev`: the neutral face at 60 ms of look-ahead.

    Jaw and purse are compared with the training targets, median r over clips; closures are those
    of `models.evaluation`, which says the rest, from the captured faces.
    """
    for source, clips in dev.by_source.items():
        if clips:
            yield f"{source}: {figures(network, dev, clips[:MOST_CLIPS])}"


def figures(network: FaceNetwork, dev: Corpus, clips: Sequence[Entry]) -> str:
    """Return the figures of some clips of `dev`, in words."""
    lips, jaws, purses = NO_CLOSURES, [], []
    for clip in clips:
        rows = slice(clip["first"], clip["first"] + clip["rows"])
        face = neutral_face(network, dev, rows)
        targets = np.asarray(dev.gestures[rows], dtype=np.float32)
        jaws.append(pearson(jaw(face), targets[:, JAW]))
        purses.append(pearson(pucker(face), targets[:, PURSE]))
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
    faces: NDArray[np.float32] = whole_faces(network, sound, nothing, DELAY_HOPS)[0]
    return faces
