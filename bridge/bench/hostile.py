"""Datagrams as nobody well-meaning sends them, and a flood of them."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from bridge.control.commands import COMMANDS
from bridge.control.phone_messages import MESSAGES
from bridge.links.osc import encode_message

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = 1000
"""Different datagrams of a flood."""

HARMLESS = ("/AddLiveLinkAddress", "/RecordStart", "/Transport")
"""Messages that would do what they say, when their arguments happen to fit."""


def hostile_datagrams(seed: int = 0) -> list[bytes]:
    """Return noise, cut and changed messages, wrong arguments and unknown addresses."""
    chance = random.Random(seed)
    addresses = [*MESSAGES, *(c.address.replace("<subject>", "Bench") for c in COMMANDS.values())]
    known = [address for address in addresses if address not in HARMLESS]
    return [_one(chance, known) for _ in range(KINDS)]


def _one(chance: random.Random, known: Sequence[str]) -> bytes:
    wrong: list[str | int | float] = ["glad", "x" * chance.randrange(300), -1, 10**9, -5.5, 1e30]
    arguments = chance.choices(wrong, k=chance.randrange(4))
    message = bytearray(encode_message(chance.choice(known), *arguments))
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(1400))
        case 1:
            return bytes(message[: chance.randrange(len(message))])
        case 2:
            message[chance.randrange(len(message))] = chance.randrange(256)
            return bytes(message)
        case 3:
            return encode_message(f"/unknown/{chance.randrange(100)}", *arguments)
        case _:
            return b"#bundle\0" + bytes(8) + (len(message)).to_bytes(4, "big") + bytes(message)


def flood(address: tuple[str, int], number: int) -> None:
    """Send so many datagrams as fast as the system takes them."""
    datagrams = hostile_datagrams()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hostile:
        for index in range(number):
            hostile.sendto(datagrams[index % len(datagrams)], address)
