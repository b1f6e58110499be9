"""Recognises the protocols of a datagram and decodes it into frames of streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.outputs.registry import OUTPUTS

if TYPE_CHECKING:
    from cstalk_bridge.outputs.stream_frame import StreamFrame


def recognise(datagram: bytes) -> list[StreamFrame]:
    """Return a frame for each stream that a datagram belongs to.

    ValueError, in words for the user, for an unknown protocol or a damaged datagram.
    """
    candidates = [each for each in OUTPUTS.values() if datagram.startswith(each.starts)]
    if not candidates:
        start = datagram[:4].hex(" ")
        what = f"{len(datagram)} bytes of another protocol, they begin with {start or '-'}"
        raise ValueError(what)
    return [frame for protocol in candidates for frame in protocol.recognise(datagram)]
