"""Commands for live use: `run`, `doctor`, `devices`, `listen`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_config_arguments, config_of
from cstalk_bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.audio.devices import InputDevice
    from cstalk_bridge.cli.arguments import Commands


RUN_EPILOG = """\
Flags override the config: --config, else config.yaml in this folder, else the defaults. The
settings of one subject change the subject that --subject names. Where the config has no such
subject, they change the first one, which --subject then renames.

examples:
  cstalk-bridge run
  cstalk-bridge run --preview
  cstalk-bridge run --audio speech.wav --emotion happy:0.7
  cstalk-bridge run --link livelink-face://10.0.0.5:11111 --link osc://127.0.0.1:8000/face
"""


def add_run(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser(
        "run",
        help="listen, and send faces until Ctrl-C or the end of the file",
        epilog=RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_arguments(words)
    words.add_argument("--no-ui", action="store_true", help="plain lines instead of the dashboard")
    words.add_argument(
        "--log-file", metavar="FILE", help="write what happens to a log file, which is rotated"
    )
    words.add_argument(
        "-v", "--verbose", action="store_true", help="log details too; needs --log-file or --no-ui"
    )
    words.set_defaults(action=run)


def run(options: argparse.Namespace) -> int:
    """Run the bridge until it is stopped; Ctrl-C is the ordinary way to stop it."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    log_file = Path(options.log_file) if options.log_file else None
    if options.verbose and log_file is None and config.dashboard and sys.stdout.isatty():
        what = "details would be written into the dashboard"
        raise UserError(Problem("--verbose", what, "name a --log-file, or add --no-ui"))
    try:
        # Here, so that a mistake in the config is told before anything heavy is loaded.
        from cstalk_bridge import daemon
        from cstalk_bridge.monitor.logs import log_to

        with log_to(log_file, is_verbose=options.verbose):
            return daemon.run(config)
    except KeyboardInterrupt:
        return 0


DOCTOR_EPILOG = """\
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
        epilog=DOCTOR_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_arguments(words)
    form = words.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="a plain line for each finding")
    form.add_argument("--json", action="store_true", help="everything as one JSON document")
    words.set_defaults(action=doctor, no_ui=False)


def doctor(options: argparse.Namespace) -> int:
    """Examine what `run` would do with these settings; return 1 where something is at fault."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    from cstalk_bridge.diagnostics.doctor import examine

    form = "json" if options.json else "plain" if options.plain else "picture"
    return 0 if examine(config, form=form) else 1


def add_devices(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser("devices", help="list the microphones --audio can name")
    words.set_defaults(action=print_devices)


def print_devices(_options: argparse.Namespace) -> int:
    """Print every input device. Raises UserError where PortAudio is missing."""
    from cstalk_bridge.audio.devices import list_devices

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


LISTEN_EPILOG = """\
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
        epilog=LISTEN_EPILOG,
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
    from cstalk_bridge.diagnostics import listen

    listen.listen(options.host, options.port, options.seconds, plain=options.plain)
    return 0
