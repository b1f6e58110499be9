"""OSC messages laid into bundles that fit a datagram, whose floats change with every frame.

Unreal tells floats from integers and fails on the wrong one, so all are `f`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from bridge.links.osc import BUNDLE, encode_message
from bridge.links.values import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_BUNDLE_BYTES = 1400
"""Largest datagram we send: an Ethernet frame carries 1472 bytes of UDP, VPNs take some of them."""

IMMEDIATELY = struct.pack(">Q", 1)
"""Unreal ignores time tags, so ours say this."""

HEADER = BUNDLE + IMMEDIATELY


class PatchedBundles:
    """Messages laid into bundles once, whose trailing floats are written anew for each frame.

    `messages` are encoded messages, each with how many floats at its end change. They keep their
    order and fill bundles of at most `MAX_BUNDLE_BYTES`. ValueError: no message, or one that no
    bundle can hold.
    """

    def __init__(self, messages: Sequence[tuple[bytes, int]]) -> None:
        if not messages:
            raise ValueError("a bundle needs at least one OSC message")
        content = bytearray()
        starts: list[int] = []
        places: list[int] = []
        for message, floats in messages:
            element = struct.pack(">i", len(message)) + message
            if len(HEADER) + len(element) > MAX_BUNDLE_BYTES:
                raise ValueError(
                    f"OSC message of {len(message)} bytes: no {MAX_BUNDLE_BYTES} B bundle"
                )
            if not starts or len(content) - starts[-1] + len(element) > MAX_BUNDLE_BYTES:
                starts.append(len(content))
                content += HEADER
            content += element
            places += range(len(content) // 4 - floats, len(content) // 4)
        self._words = np.frombuffer(bytes(content), dtype=">f4")
        self._places = np.array(places, dtype=np.intp)
        self._spans = tuple(zip(starts, [*starts[1:], len(content)], strict=True))

    def encode(self, values: NDArray[np.float32]) -> list[bytes]:
        """Return the datagrams that carry `values`, those of the first message first.

        ValueError before any byte is made: wrong shape, or a value that is not finite as float32.
        """
        words = self._words.copy()
        words[self._places] = checked(values, len(self._places))
        content = words.tobytes()
        return [content[start:end] for start, end in self._spans]


class BundleTemplate(PatchedBundles):
    """The bundles that carry one float for each address; `encode` takes values [addresses].

    ValueError: no address, one twice, one that is none or that no bundle can hold.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        if len(set(self.addresses)) != len(self.addresses):
            raise ValueError("an OSC address appears twice")
        super().__init__([(encode_message(address, 0.0), 1) for address in self.addresses])
