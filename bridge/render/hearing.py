"""The reading side: a recording becomes pieces of sound for the network; a take is loaded."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.face.emotion import AS_CHOSEN
from bridge.takes.emotions import read_emotions
from bridge.takes.file import load_take
from bridge.takes.generate import with_mood
from bridge.takes.hearing import heard, heard_samples
from bridge.takes.settings import Settings
from bridge.takes.sound import FileSound, SampledSound, open_sound, pieces
from models.timing import HOP_SAMPLES, ROW_RATE_HZ, rows_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from bridge.render.jobs import Job
    from bridge.render.settings import RenderSettings
    from bridge.takes.sound import Sound
    from bridge.takes.take import Take

    Samples = NDArray[np.float32]

PIECE_ROWS: Final = 60 * ROW_RATE_HZ
"""Rows of a piece at most. Up to a minute a recording is one piece, and held whole; a longer one is
read, and worked on, in many."""

PIECES_AHEAD: Final = 4
"""Pieces of a long recording which are read before the network asks for them: 16 MB."""

STOP_GLANCE_S: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """An input that has been opened. A take has `take`; a short recording its only `piece`."""

    job: Job
    settings: Settings
    rows: int
    sound: Sound | None = None
    piece: Piece | None = None
    take: Take | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Sound at 16 kHz, [time], for the `rows` from `first` on, and for `before` rows in front."""

    first: int
    rows: int
    before: int
    samples: Samples

    def weights(self, settings: Settings, rows: int) -> NDArray[np.float32]:
        """Return the emotion of `rows` rows from where the sound begins, [rows, emotions]."""
        numbers = self.first - self.before + np.arange(rows)
        return settings.emotions.weights(np.asarray(numbers / ROW_RATE_HZ))


@dataclass(frozen=True, slots=True)
class Reach:
    """Rows of sound, before and after the rows of a piece, on which these depend.

    Before it is the network's window, afterwards the look-ahead.
    """

    before_rows: int
    ahead_rows: int


def open_input(job: Job, settings: RenderSettings) -> Heard:
    """Read what the network, or a conversion, needs first. UserError says what is wrong."""
    if job.is_take:
        take = load_take(job.source)
        return Heard(job, Settings(), take.rows, take=take)
    emotions = read_emotions(job.sidecar) if job.sidecar else settings.emotions
    sound = open_sound(job.source, settings.channel)
    asked = Settings(
        emotions,
        settings.lookahead_ms,
        settings.mouth_guard,
        settings.levels,
        settings.seed,
        shares=AS_CHOSEN if job.sidecar else settings.shares,
    )
    asked = with_mood(asked, sound)
    rows = rows_of(heard_samples(sound))
    if rows > PIECE_ROWS:
        return Heard(job, asked, rows, sound, notices=sound.notices)
    whole = SampledSound(np.concatenate([*pieces(sound)]), sound.rate_hz)
    piece = Piece(0, rows, 0, np.concatenate([*heard(whole)]))
    return Heard(job, asked, rows, whole, piece, notices=sound.notices)


def cut(stream: Iterable[Samples], rows: int, reach: Reach) -> Iterator[Piece]:
    """Cut sound at 16 kHz into pieces that can be worked on apart, each with what it hears."""
    held, start, first = np.zeros(0, dtype=np.float32), 0, 0
    for samples in stream:
        held = np.concatenate((held, samples))
        whole = start + len(held) // HOP_SAMPLES
        while first + PIECE_ROWS + reach.ahead_rows < min(rows, whole + 1):
            last = first + PIECE_ROWS
            yield _piece(held, start, first, last, reach.ahead_rows)
            kept = max(start, last - reach.before_rows)
            held, start, first = held[(kept - start) * HOP_SAMPLES :], kept, last
    yield _piece(held, start, first, rows, reach.ahead_rows)


def _piece(held: Samples, start: int, first: int, last: int, ahead_rows: int) -> Piece:
    """Return rows `first` to `last` out of sound which begins at row `start`."""
    end = (last + ahead_rows - start) * HOP_SAMPLES
    return Piece(first, last - first, first - start, held[:end])


class PiecesAhead:
    """The pieces of a long recording, read by one thread and taken by another."""

    def __init__(self, heard: Heard, reach: Reach, stop: threading.Event) -> None:
        self._heard = heard
        self._reach = reach
        self._stop = stop
        self._queue: queue.Queue[Piece | Exception | None] = queue.Queue(PIECES_AHEAD)

    def read(self) -> None:
        """Read all pieces, as fast as they are taken, or until `stop`. The reading thread's."""
        try:
            stream = heard(self._source())
            for piece in cut(stream, self._heard.rows, self._reach):
                if not self._put(piece):
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - it is raised where the pieces are taken
            self._put(error)

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces; raise what went wrong while they were read."""
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def _source(self) -> Sound:
        """Return a file of its own: the take's is read elsewhere meanwhile."""
        sound = self._heard.sound
        if isinstance(sound, FileSound):
            return sound.again()
        raise ValueError("a long recording without a file")

    def _put(self, piece: Piece | Exception | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(piece, timeout=STOP_GLANCE_S)
            except queue.Full:
                continue
            return True
        return False
