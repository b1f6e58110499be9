"""Pieces of audio for the network: a recording is opened, cut into pieces, and these are batched.

A piece carries the rows before and after it on which its own depend; a batch holds pieces of about
one length.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.face.emotion import NO_VOICE_WEIGHTS
from cstalk_bridge.face.emotion_trajectory import read_emotions
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import HOP_SAMPLES, ROW_RATE_HZ, rows_of
from cstalk_bridge.takes.generate import GenerationConfig, generate_sounds, with_estimated_emotion
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.sound import (
    FileSound,
    SampledSound,
    network_input,
    network_input_samples,
    open_sound,
    pieces,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.render.jobs import Job, RenderConfig
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.takes.take import Take

    Samples = NDArray[np.float32]


PIECE_ROWS: Final = 60 * ROW_RATE_HZ
"""Rows of a piece at most. Up to a minute a recording is one piece, and held whole; a longer one is
read, and worked on, in many."""

PIECES_AHEAD: Final = 4
"""Pieces of a long recording that are read ahead of the network: 16 MB."""

STOP_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class OpenedInput:
    """An input that has been opened. A take has `take`; a short recording its only `piece`."""

    job: Job
    settings: GenerationConfig
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

    def weights(self, settings: GenerationConfig, rows: int) -> NDArray[np.float32]:
        """Return the emotion of `rows` rows from where the sound begins, [rows, emotions]."""
        numbers = self.first - self.before + np.arange(rows)
        return settings.emotions.weights(np.asarray(numbers / ROW_RATE_HZ))


@dataclass(frozen=True, slots=True)
class PieceContext:
    """Rows of sound, before and after the rows of a piece, on which these depend.

    Before it is the network's window, afterwards the look-ahead.
    """

    before_rows: int
    ahead_rows: int


def open_input(job: Job, settings: RenderConfig) -> OpenedInput:
    """Read what the network, or a conversion, needs first. UserError where that fails."""
    emotions = read_emotions(job.sidecar) if job.sidecar else settings.emotions
    if job.is_take:
        take = load_take(job.source, job.subject)
        if not job.is_regenerated:
            own = GenerationConfig()
            return OpenedInput(job, own, take.rows, take=take, notices=take.notices)
        sound = _sound_of(take, job)
    else:
        sound = open_sound(job.source, settings.channel)
    wanted = settings.generation(
        emotions=emotions, voice_weights=NO_VOICE_WEIGHTS if job.sidecar else settings.voice_weights
    )
    wanted = with_estimated_emotion(wanted, sound)
    rows = rows_of(network_input_samples(sound))
    notices = getattr(sound, "notices", ())
    if rows > PIECE_ROWS:
        return OpenedInput(job, wanted, rows, sound, notices=notices)
    whole = SampledSound(np.concatenate([*pieces(sound)]), sound.rate_hz)
    piece = Piece(0, rows, 0, np.concatenate([*network_input(whole)]))
    return OpenedInput(job, wanted, rows, whole, piece, notices=notices)


def _sound_of(take: Take, job: Job) -> Sound:
    if take.sound is None:
        what = "the take has no sound of which its face could be generated again"
        raise UserError(Problem(job.where, what, "leave --regenerate out"))
    return take.sound


def cut_pieces(stream: Iterable[Samples], rows: int, reach: PieceContext) -> Iterator[Piece]:
    """Cut audio at 16 kHz into independent pieces, each with the audio that it depends on."""
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

    def __init__(self, opened: OpenedInput, reach: PieceContext, stop: threading.Event) -> None:
        self._opened = opened
        self._reach = reach
        self._stop = stop
        self._queue: queue.Queue[Piece | Exception | None] = queue.Queue(PIECES_AHEAD)

    def read(self) -> None:
        """Read all pieces, as fast as they are taken, or until `stop`. The reading thread's."""
        try:
            stream = network_input(self._source())
            for piece in cut_pieces(stream, self._opened.rows, self._reach):
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
        sound = self._opened.sound
        if isinstance(sound, FileSound):
            return sound.again()
        raise ValueError("a long recording without a file")

    def _put(self, piece: Piece | Exception | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(piece, timeout=STOP_POLL_S)
            except queue.Full:
                continue
            return True
        return False


if TYPE_CHECKING:
    Part = tuple[OpenedInput, Piece]
    Batch = list[Part]


WAITING_PASSES: Final = {"cpu": 12, "cuda": 1}
"""Passes of pieces that are gathered before they are batched: the more there are, the closer are
the lengths in a batch. A row takes 5 kB: 30 MB on a CPU, 240 MB on a GPU."""


def batches(parts: Iterable[Part], pass_rows: int, waiting_rows: int) -> Iterator[Batch]:
    """Yield all parts in batches that fill one pass of `pass_rows`; one that fills it goes alone.

    Up to `waiting_rows` rows of parts are gathered and sorted by their length.
    """
    waiting: Batch = []
    for part in parts:
        if part_rows(part) >= pass_rows:
            yield [part]
            continue
        waiting.append(part)
        if sum(map(part_rows, waiting)) >= waiting_rows:
            yield from _packed(waiting, pass_rows)
            waiting = []
    yield from _packed(waiting, pass_rows)


def part_rows(part: Part) -> int:
    """Return the rows which the network makes for a part, those before it included."""
    _, piece = part
    return piece.before + piece.rows


def _packed(parts: Sequence[Part], pass_rows: int) -> list[Batch]:
    """Return the parts by rising length; a batch counts each with the rows of its longest."""
    made: list[Batch] = []
    for part in sorted(parts, key=part_rows):
        if made and part_rows(part) * (1 + len(made[-1])) <= pass_rows:
            made[-1].append(part)
        else:
            made.append([part])
    return made


def generate_batch(
    generator: Generator, batch: Batch, lookahead_ms: float
) -> list[NDArray[np.float32]]:
    """Return the rows of each part of a batch, float32 [rows, channels]."""
    sounds = [piece.samples for _, piece in batch]
    # All as long as the longest: the weights of a batch are then constant if its emotions are.
    longest = -(-max(map(len, sounds)) // generator.hop_samples)
    weights = [piece.weights(opened.settings, longest) for opened, piece in batch]
    settings = [opened.settings for opened, _ in batch]
    made = generate_sounds(generator, sounds, weights, lookahead_ms, settings)
    return [
        rows[piece.before : piece.before + piece.rows]
        for rows, (_, piece) in zip(made, batch, strict=True)
    ]
