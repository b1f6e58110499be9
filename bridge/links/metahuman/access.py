"""Who may come to a device, and whether it can be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.allowed import is_within

if TYPE_CHECKING:
    from bridge.allowed import Network


@dataclass(frozen=True, slots=True)
class Access:
    """This machine and those of `allow` are let in: who gets in may record voices.

    Where it `is_discoverable` it answers those who look for one on the local network.
    """

    allow: tuple[Network, ...] = ()
    is_discoverable: bool = False

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may connect."""
        return is_within(host, self.allow)
