"""`cstalk-bridge doctor`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.run import add_settings, config_of

if TYPE_CHECKING:
    from bridge.cli.parser import Commands

EPILOG = """\
Takes the settings of `run`, from the same config file and flags, and examines every part of the
way: sound, weights, rig maps, targets, ports, clock, speed. It sends no frame to the targets; at
the end it tells what to click in Unreal. Exits with 1 when something is at fault.

examples:
  cstalk-bridge doctor
  cstalk-bridge doctor --audio "USB" --link livelink-face://10.0.0.5:11111
  cstalk-bridge doctor --json > report.json
"""


def add_doctor(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser(
        "doctor",
        help="find out why a face does not move, and what to click in Unreal",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings(words)
    form = words.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="a plain line for each finding")
    form.add_argument("--json", action="store_true", help="everything as one JSON document")
    words.set_defaults(action=doctor, no_ui=False)


def doctor(options: argparse.Namespace) -> int:
    """Examine what `run` would do with these settings; return 1 where something is at fault."""
    from bridge.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    from bridge.doctor.doctor import examine

    form = "json" if options.json else "plain" if options.plain else "picture"
    return 0 if examine(config, form=form) else 1
