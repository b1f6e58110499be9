"""What makes a take a living face: the same life as that of a run, over all of its rows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_S, HOP_SAMPLES
from bridge.face.alive.coordination import JOINED
from bridge.face.alive.cues import Cues
from bridge.face.alive.life import prepared
from bridge.face.alive.living import ADDED, lay
from bridge.face.alive.prosody import SILENCE, Prosody, ProsodyTracker
from bridge.frame import neutral_board
from bridge.takes.take import BLOCK_ROWS, still_head
from models.board import INDEX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from bridge.face.alive.life import Life

    Floats = NDArray[np.float32]


def enliven(
    rows: Floats,
    channels: Sequence[str],
    sound: Iterable[Floats],
    emotions: Floats,
    *,
    life: Life,
    lookahead_hops: int,
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return channels, rows and head of a living face, [time, channels] and [time, 6].

    `rows` are generated, float32 [time, channels], one a hop; `sound` is that of all of them at
    16 kHz in pieces of any length, `emotions` [time, emotions]. As in a run, life hears what
    generated a row. The channels are the given ones, and those which life adds.
    """
    alive = tuple(dict.fromkeys((*channels, *JOINED, *ADDED)))
    given, kept = ([INDEX[name] for name in names] for names in (channels, alive))
    faces = np.zeros((len(rows), len(alive)), dtype=np.float32)
    head = still_head(len(rows))
    cues = _cues(_ahead(prosodies(sound), lookahead_hops), emotions)
    for first in range(0, len(rows), BLOCK_ROWS):
        block = slice(first, min(first + BLOCK_ROWS, len(rows)))
        livings = [
            life.step(HOP_S * row, cue)
            for row, cue in zip(range(block.start, block.stop), cues, strict=False)
        ]
        board = neutral_board(len(livings))
        board[:, given] = rows[block]
        numbers = np.array([living.numbers for living in livings], dtype=np.float32)
        faces[block] = lay(prepared(board, life.eased_levels), numbers)[:, kept]
        head[block] = [living.head for living in livings]
    return alive, faces, head


def prosodies(sound: Iterable[Floats]) -> Iterator[Prosody]:
    """Yield what a voice does, hop by hop; a last hop that is not full ends in silence."""
    tracker, left = ProsodyTracker(), np.zeros(0, dtype=np.float32)
    for samples in sound:
        heard = np.concatenate((left, samples))
        whole = len(heard) - len(heard) % HOP_SAMPLES
        yield from tracker.hear(heard[:whole])
        left = heard[whole:]
    if len(left):
        yield tracker.step(np.pad(left, (0, HOP_SAMPLES - len(left))))


def _ahead(voice: Iterator[Prosody], hops: int) -> Iterator[Prosody]:
    """Yield a voice from so many hops on, and its last hop without end."""
    prosody = SILENCE
    for prosody in islice(voice, hops):  # noqa: B007 - the last one counts
        pass
    for prosody in voice:
        yield prosody
    while True:
        yield prosody


def _cues(voice: Iterator[Prosody], emotions: Floats) -> Iterator[Cues]:
    """Yield the cues of each row; rows of one emotion share it, for what is the same is known."""
    emotion = None
    for row, prosody in zip(emotions, voice, strict=False):
        if emotion is None or not np.array_equal(row, emotion):
            emotion = row
        yield Cues(prosody, emotion)
