"""The doors at which inputs are tried: what a user's file or a stranger's bytes would go through.

A door is opened once for many inputs. It raises UserError, or nothing, for whatever is bad in an
input; everything else that it raises, or tells of, is a fault of the program.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Door = Callable[[bytes], None]


class FaultError(Exception):
    """A fault of the program that it told of, rather than raised."""


@contextmanager
def sound_door(folder: Path, suffix: str) -> Iterator[Door]:
    """Open, and read to the end, recordings."""
    from bridge.takes.sound import open_sound, pieces

    path = folder / f"fuzz{suffix}"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for piece in pieces(open_sound(path)):
            if piece.dtype != "float32" or piece.ndim != 1:
                raise FaultError(f"a piece of {piece.dtype} {piece.shape}")

    yield read


@contextmanager
def file_door(folder: Path, suffix: str, read: Callable[[Path], object]) -> Iterator[Door]:
    """Read files by a function."""
    path = folder / f"fuzz{suffix}"

    def read_file(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    yield read_file


@contextmanager
def take_door(folder: Path) -> Iterator[Door]:
    """Load takes, and read their sound."""
    from bridge.takes.file import load_take
    from bridge.takes.sound import pieces

    path = folder / "fuzz.take"

    def load(data: bytes) -> None:
        path.write_bytes(data)
        take = load_take(path)
        for _ in pieces(take.sound) if take.sound is not None else ():
            pass

    yield load


@contextmanager
def osc_door(folder: Path) -> Iterator[Door]:
    """Hear datagrams at the desk of a bridge that runs, and do what they ask."""
    from bridge.bench.fuzzing.bridge_thread import running_desk
    from bridge.clock.host import host_now
    from bridge.control.conversation import Conversation
    from bridge.control.phone import Phone
    from bridge.links.osc import decode_packet

    told: list[str] = []
    sender = ("127.0.0.1", 9)

    def unknown(host: str) -> str:
        raise UserError(Problem("control", f"{host[:80]!r} cannot be found"))

    with running_desk(folder) as desk:
        phone = Phone(
            desk,
            resolve=unknown,
            is_allowed=lambda host: host.startswith("127."),
            hand_over=lambda _address, _path: None,
        )
        door = Conversation(
            desk, phone, is_allowed=lambda _host: True, notice=told.append, now=host_now
        )

        def hear(data: bytes) -> None:
            told.clear()
            for answer in door.hear(data, sender):
                last = answer.work() if answer.work else answer
                for outgoing in (*answer.outgoing, *last.outgoing, *answer.left_out):
                    decode_packet(outgoing.datagram)
            if faults := [text for text in told if "fault of the program" in text]:
                raise FaultError(faults[0])

        yield hear
