"""`cstalk-bridge devices`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bridge.audio.devices import InputDevice
    from bridge.cli.parser import Commands


def add_devices(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser("devices", help="list the microphones --audio can name")
    words.set_defaults(action=print_devices)


def print_devices(_options: argparse.Namespace) -> int:
    """Print every input device. Raises UserError where PortAudio is missing."""
    from bridge.audio.devices import list_devices

    print(device_table(list_devices()))
    return 0


def device_table(devices: Sequence[InputDevice]) -> str:
    """Return one line per device under a head; a star stands before the default one."""
    if not devices:
        return "No input device was found; `run` plays the bundled recording instead."
    head = ("", "number", "name", "channels", "rate", "system")
    rows = [
        (
            "*" if device.is_default else "",
            str(device.index),
            device.name + (f" #{device.twin}" if device.twin else ""),
            str(device.channels),
            f"{device.default_rate_hz} Hz",
            ", ".join(filter(None, (device.host_api, device.port))),
        )
        for device in devices
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(
        [*lines, "", "* default. --audio takes a number, a name, a port, or a part of them."]
    )
