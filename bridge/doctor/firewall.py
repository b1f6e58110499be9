"""What lets packets into a machine, in the words of its system."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.doctor.owners import Transport

GUIDE = "docs/unreal.md has the commands for other systems"


def opening(transport: Transport, port: int, platform: str = sys.platform) -> str:
    """Return how to let a port into this machine."""
    if platform == "win32":
        return (
            "as administrator: netsh advfirewall firewall add rule name=CSTalk dir=in "
            f"action=allow protocol={transport.upper()} localport={port}"
        )
    if platform == "darwin":
        return "System Settings > Network > Firewall > Options: allow incoming connections"
    return f"sudo ufw allow {port}/{transport}, or firewall-cmd --add-port={port}/{transport}"


def opening_there(transport: Transport, port: int) -> str:
    """Return how to let a port into another machine, which as a rule is the engine's: Windows."""
    windows = opening(transport, port, "win32")
    return f"let {transport.upper()} port {port} in at that machine, {windows} ({GUIDE})"
