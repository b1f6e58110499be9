"""The words about what moves a face besides its voice, for every command that makes faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from bridge.audio.channel import Channel
    from bridge.takes.settings import Settings

CHANNEL_HELP = "Use channel N of the sound, or the mean of all (default: mix, unless that cancels)."


def add_life(words: ArgumentParser) -> None:
    """Add `--alive`, `--no-alive` and `--seed`; `config.load.Flags` understands them."""
    alive = words.add_mutually_exclusive_group()
    alive.add_argument(
        "--alive",
        metavar="NAME:LEVEL,...",
        help="how much of gaze, head, blink, brows, idle, mouth, upper_face (0 to 2; 1), symmetry",
    )
    alive.add_argument(
        "--no-alive",
        action="store_true",
        help="the generated face alone: no gaze, blinks and head of its own",
    )
    words.add_argument("--seed", metavar="N", help="of what moves by itself (from the name)")


def add_face(words: ArgumentParser) -> None:
    """Add the words about the faces of recordings; `face_of` reads them."""
    words.add_argument("--channel", metavar="N|all", help=CHANNEL_HELP)
    words.add_argument("--emotion", metavar="NAME:WEIGHT", help="of recordings; or auto")
    add_life(words)


def face_of(options: Namespace) -> Settings:
    """Return how the faces of recordings are to be made. UserError with every problem."""
    from bridge.config.load import Flags, subject_of
    from bridge.takes.settings import Settings

    flags = Flags(
        emotion=options.emotion, alive=options.alive, no_alive=options.no_alive, seed=options.seed
    )
    asked = subject_of(flags)
    return Settings(levels=asked.alive, seed=asked.seed).feeling(asked.emotion)


def channel_of(options: Namespace) -> Channel:
    """Return which channel of recordings to use. UserError where that is none."""
    from bridge.config.load import Flags, subject_of

    return subject_of(Flags(channel=options.channel)).audio.channel
