"""`cstalk-bridge listen`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.cli.parser import Commands

EPILOG = """\
Live Link Face, MetaHuman, OSC and VMC are told apart by what arrives, at any port. Run it on the
machine where Unreal runs, with Unreal closed: what is seen here has come through the network.
Frames are counted lost where the protocol numbers them (Live Link Face, MetaHuman); jitter is how
far the time between two frames is off what their numbers say, or off its median.

examples:
  cstalk-bridge listen
  cstalk-bridge listen --port 11111 --seconds 10 --plain
"""


def add_listen(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser(
        "listen",
        help="show what arrives here: subjects, rate, jitter, losses, timecode, curves",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument(
        "--port",
        metavar="N",
        type=int,
        action="append",
        default=[],
        help="UDP port; repeat for more (default: those of all protocols that are free)",
    )
    words.add_argument(
        "--host",
        metavar="ADDRESS",
        default="0.0.0.0",  # noqa: S104 - it takes what the network brings and never answers
        help="address of this machine (default: all)",
    )
    words.add_argument("--seconds", metavar="N", type=float, help="end by itself after so long")
    words.add_argument("--plain", action="store_true", help="plain lines instead of the picture")
    words.set_defaults(action=listen)


def listen(options: argparse.Namespace) -> int:
    """Listen until it is over. Raises UserError: no port, or nothing heard in `--seconds`."""
    from bridge.listen import listening

    listening.listen(options.host, options.port, options.seconds, plain=options.plain)
    return 0
