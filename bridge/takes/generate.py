"""From a recording to a take, in pieces, so that hours need little memory."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.clock.rate import FRAME_RATES
from bridge.face.alive.levels import AS_GENERATED
from bridge.face.alive.life import Life, seed_of
from bridge.face.emotion import AS_CHOSEN
from bridge.takes.felt import felt_course
from bridge.takes.hearing import heard, heard_samples
from bridge.takes.living import enliven
from bridge.takes.take import Take, still_head
from bridge.version import program_version
from models.timing import ROW_RATE_HZ, rows_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bridge.takes.settings import Settings
    from bridge.takes.sound import Sound
    from models.generator import Generator
    from models.passes import Passes

GENERATED_RATE = FRAME_RATES[f"{ROW_RATE_HZ:g}"]
"""Frame rate of a generated take: one frame a hop."""


class StoppedError(Exception):
    """A generation was stopped before its end."""


def with_mood(settings: Settings, sound: Sound) -> Settings:
    """Return settings whose emotions have that of the voice in them, as far as they ask for it.

    UserError where the sound, or the network of moods, is damaged.
    """
    from bridge.network import open_feeling

    feeling = open_feeling(settings.shares)
    if feeling is None:
        return settings
    emotions = felt_course(settings.emotions, settings.shares, heard(sound), feeling)
    return replace(settings, emotions=emotions, shares=AS_CHOSEN)


def generate_take(
    generator: Generator,
    sound: Sound,
    settings: Settings,
    *,
    slate: str,
    progress: Callable[[float], None] | None = None,
    stop: threading.Event | None = None,
) -> Take:
    """Return the take of a whole recording.

    `progress` is told the share that is done, 0 to 1. StoppedError soon after `stop` was set,
    UserError where the sound is damaged, ValueError for a look-ahead out of range and a mouth guard
    that the generator cannot heed.
    """
    settings = with_mood(settings, sound)
    rows = rows_of(heard_samples(sound))
    board = np.zeros((rows, len(generator.channels)), dtype=np.float32)
    if rows:
        passes = generator.passes(
            settings.weights(rows)[None], settings.lookahead_ms, settings.mouth_guard
        )
        done = 0
        for face in _faces(passes, sound):
            board[done : done + face.shape[1]] = face[0]
            done += face.shape[1]
            if stop is not None and stop.is_set():
                raise StoppedError
            if progress is not None:
                progress(done / rows)
    return assemble_take(generator, board, sound, settings, slate=slate, stop=stop)


def assemble_take(
    generator: Generator,
    board: NDArray[np.float32],
    sound: Sound,
    settings: Settings,
    *,
    slate: str,
    stop: threading.Event | None = None,
) -> Take:
    """Return the take of rows that a generator made of a recording, [time, channels], alive.

    Raises as `generate_take`.
    """
    seed = seed_of(slate) if settings.seed is None else settings.seed
    channels, head = generator.channels, still_head(len(board))
    if settings.levels != AS_GENERATED:
        channels, board, head = enliven(
            board,
            channels,
            _until(stop, heard(sound)),
            settings.weights(len(board)),
            life=Life(seed, settings.levels),
            lookahead_hops=generator.delay_hops(settings.lookahead_ms),
        )
    return Take(
        slate=slate,
        rate=GENERATED_RATE,
        channels=channels,
        board=board,
        head=head,
        sound=sound,
        emotions=settings.emotions,
        making=_making(generator, settings, seed),
    )


def _making(generator: Generator, settings: Settings, seed: int) -> dict[str, str | int | float]:
    making: dict[str, str | int | float] = {
        "weights": str(generator.card.get("training_hash", ""))[:12],
        "lookahead_ms": settings.lookahead_ms,
        "program": f"cstalk-bridge {program_version()}",
        "seed": seed,
        **{f"level_{name}": level for name, level in asdict(settings.levels).items()},
    }
    if generator.knows_guard:
        making["mouth_guard"] = settings.mouth_guard
    return making


def _faces(passes: Passes[Any], sound: Sound) -> Iterator[NDArray[np.float32]]:
    for piece in heard(sound):
        yield from passes.hear(piece[None])
    yield from passes.finish()


def _until(
    stop: threading.Event | None, sound: Iterator[NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    for piece in sound:
        if stop is not None and stop.is_set():
            raise StoppedError
        yield piece
