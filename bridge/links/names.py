"""Hosts by name: found at once, or looked for again and again, beside whoever waits for them."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

from bridge.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.links.target import Target

Found = tuple[socket.AddressFamily, tuple[Any, ...]]
"""How to reach a target: family and socket address."""

PACE_S = 5.0
"""How often a name is looked for. Machines of a stage are switched on one after another."""


def find(target: Target) -> Found:
    """Return where a target is; may wait. OSError or UnicodeError where its host is unknown.

    Names that have both an IPv4 and an IPv6 address get IPv4: Unreal listens on that alone, and
    `localhost` often means `::1`.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def unknown(target: Target, error: OSError | UnicodeError) -> Problem:
    """Say that the host of a target cannot be found."""
    reason = getattr(error, "strerror", None) or str(error)
    what = f"the host {target.host!r} cannot be found ({reason})"
    return Problem(str(target), what, "check the name, or give its IP address")


class Search:
    """A thread that looks for targets until each is found, or it is stopped.

    `found` is told of one at a time, from that thread.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        find: Callable[[Target], Found],
        found: Callable[[Target, Found], None],
        pace_s: float = PACE_S,
    ) -> None:
        self._missing = list(targets)
        self._find = find
        self._found = found
        self._pace_s = pace_s
        self._stopping = threading.Event()
        threading.Thread(target=self._run, name="names", daemon=True).start()

    def stop(self) -> None:
        """Look no more; an answer that is awaited is left behind."""
        self._stopping.set()

    def _run(self) -> None:
        while self._missing and not self._stopping.wait(self._pace_s):
            for target in tuple(self._missing):
                try:
                    found = self._find(target)
                    if self._stopping.is_set():
                        return
                    self._found(target, found)
                except (OSError, UnicodeError):
                    continue
                self._missing.remove(target)
