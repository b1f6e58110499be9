"""Where the recordings of real devices are."""

import os
from pathlib import Path

DATA = Path(os.environ.get("CSTALK_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
"""The data folder: `CSTALK_DATA`, or `../shared/data` beside the checkout."""


def read_datagrams(path: Path) -> list[bytes]:
    """Return the datagrams of a capture file: each u16 big-endian length, then its bytes."""
    content = path.read_bytes()
    datagrams = []
    offset = 0
    while offset < len(content):
        size = int.from_bytes(content[offset : offset + 2], "big")
        datagrams.append(content[offset + 2 : offset + 2 + size])
        offset += 2 + size
    assert offset == len(content), f"{path} ends within a datagram"
    return datagrams
