"""Files of takes on their way to whoever asked for them."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from bridge.control.transport import MAX_BYTES, hand_over
from bridge.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_001])
def test_the_size_comes_before_the_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "curves.csv"
    path.write_bytes(bytes(number % 251 for number in range(size)))
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            accepted, _ = listening.accept()
            with accepted, accepted.makefile("rb") as stream:
                taken.append(stream.read())

        thread = threading.Thread(target=take)
        thread.start()
        hand_over(listening.getsockname(), path)
        thread.join(5)
    assert taken == [struct.pack(">i", size) + path.read_bytes()]


def test_nobody_there_and_nobody_reading_are_told(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(bytes(20_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with pytest.raises(UserError, match=r"sound\.wav could not be handed over: timed out"):
            hand_over(address, path, patience_s=0.2)
    with pytest.raises(UserError, match="could not be handed over: Connection refused"):
        hand_over(address, path)


def test_what_the_size_cannot_tell_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UserError, match=f"more than {MAX_BYTES} can be told of"):
        hand_over(("127.0.0.1", 9), path)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        hand_over(("127.0.0.1", 9), tmp_path / "gone.csv")
