"""The USB ports at which sound cards are plugged in, as far as the system tells (Linux, ALSA)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

CARDS: Final = Path("/proc/asound/cards")

_CARD: Final = re.compile(r"^\s*(\d+) \[.*\n.* at (usb-[^\s,]+)", re.MULTILINE)
_NUMBER: Final = re.compile(r"\(hw:(\d+),\d+\)")


def usb_ports() -> dict[int, str]:
    """Return by the number of a card the port it is plugged in at, as `usb-0000:00:14.0-1`.

    The number changes when the machine starts anew, the port stays.
    """
    try:
        return ports_of(CARDS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}


def ports_of(cards: str) -> dict[int, str]:
    """Return the ports of the text of /proc/asound/cards, two lines for each card."""
    return {int(number): port for number, port in _CARD.findall(cards)}


def card_of(name: str) -> int | None:
    """Return the number of the card in the name of an ALSA device, None without one."""
    found = _NUMBER.search(name)
    return int(found[1]) if found else None
