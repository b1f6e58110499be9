"""Commands for live use: `run`, `doctor`, `devices`, `listen`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_command, add_config_arguments, config_file_of, config_of
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cstalk_bridge.audio.devices import AudioDevice
    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.config.schema import Config


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
    """Add the command's parser."""
    parser = add_command(
        commands,
        "run",
        "Animate faces from live sound and send them, until Ctrl-C or the end of the file.",
        RUN_EPILOG,
    )
    add_config_arguments(parser)
    parser.add_argument(
        "--no-ui", action="store_true", help="Print plain status lines instead of the dashboard."
    )
    parser.add_argument("--log-file", metavar="FILE", help="Log file; it is rotated as it grows.")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="Log details too; needs --log-file or --no-ui."
    )
    parser.set_defaults(action=run)


def run(options: argparse.Namespace) -> int:
    """Run the bridge until it is stopped; Ctrl-C is the ordinary way to stop it."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    file = config_file_of(options)
    config = file.read()
    log_file = Path(options.log_file) if options.log_file else config.log_file
    if options.verbose and log_file is None and config.dashboard and sys.stdout.isatty():
        what = "details would be printed into the dashboard"
        raise UserError(Problem("--verbose", what, "add --log-file FILE, or --no-ui"))
    try:
        # Here, so that a mistake is reported before anything heavy is loaded.
        _check(config, options)
        from cstalk_bridge import daemon
        from cstalk_bridge.monitor.logs import log_to

        with log_to(log_file, is_verbose=options.verbose):
            return daemon.run(config, file=file)
    except KeyboardInterrupt:
        return 0


SYNC_TEST_EPILOG = """\
Every two seconds a clap sounds on the passthrough device, and at the same instant the mouths open
on all links: half open is the instant. Watch and listen in OBS, or step through a recording; where
the sound comes first, raise passthrough.delay_ms until both agree (--passthrough-delay-ms, or
/cstalk/<subject>/passthrough_delay while it runs), and write the number into the config. With
--audio mic the mouths open at claps of your own. Rig maps, links, look-ahead and buffer are those
of `run`.

examples:
  cstalk-bridge sync-test --passthrough "CABLE Input"
  cstalk-bridge sync-test --passthrough cable --passthrough-delay-ms 45
"""


def add_sync_test(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands,
        "sync-test",
        "Clap and open the mouth at the same instant, to align sound and picture.",
        SYNC_TEST_EPILOG,
    )
    add_config_arguments(parser)
    parser.add_argument(
        "--no-ui", action="store_true", help="Print plain status lines instead of the dashboard."
    )
    parser.set_defaults(action=sync_test)


def sync_test(options: argparse.Namespace) -> int:
    """Run the bridge on claps until it is stopped."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    _check(config, options)
    from cstalk_bridge import daemon
    from cstalk_bridge.config.load import with_claps

    try:
        return daemon.run(
            with_claps(config, keeps_input=options.audio is not None), is_sync_test=True
        )
    except KeyboardInterrupt:
        return 0


def _check(config: Config, options: argparse.Namespace) -> None:
    """Check what can be without weights. UserError, after takes that broke off are finished."""
    from cstalk_bridge.config.check import check_run

    try:
        check_run(config, typed_input=options.audio)
    except UserError:
        from cstalk_bridge.takes.recording.recorder import report_recovery

        report_recovery(config.recording.folder)
        raise


DOCTOR_EPILOG = """\
The doctor reads the same config and flags as `run` and checks each part: audio input, weights, rig
maps, targets, ports, clock and speed. It sends no frame to the targets. At the end it prints how to
set up Unreal. The exit code is 1 where something is at fault.

examples:
  cstalk-bridge doctor
  cstalk-bridge doctor --audio "USB" --link livelink-face://10.0.0.5:11111
  cstalk-bridge doctor --json > report.json
"""


def add_doctor(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands,
        "doctor",
        "Find out why a face does not move, and what to set in Unreal.",
        DOCTOR_EPILOG,
    )
    add_config_arguments(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="Print one plain line for each finding.")
    form.add_argument("--json", action="store_true", help="Print one JSON document.")
    parser.set_defaults(action=doctor, no_ui=False)


def doctor(options: argparse.Namespace) -> int:
    """Examine what `run` would do with these settings; return 1 where something is at fault."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    from cstalk_bridge.diagnostics.doctor import examine

    form = "json" if options.json else "plain" if options.plain else "picture"
    return 0 if examine(config, form=form) else 1


def add_devices(commands: Commands) -> None:
    """Add the command's parser."""
    summary = "List the audio inputs that --audio and the outputs that --passthrough can name."
    parser = add_command(commands, "devices", summary)
    parser.set_defaults(action=print_devices)


def print_devices(_options: argparse.Namespace) -> int:
    """Print every device. Raises UserError where PortAudio is missing."""
    from cstalk_bridge.audio.devices import Direction, list_devices

    print(f"inputs\n{device_table(list_devices())}\n")
    outputs = list_devices(Direction.OUTPUT)
    print(f"outputs\n{_table(outputs) if outputs else 'No output device was found.'}")
    print(
        "\n* default. --audio and --passthrough take a number, a name, a port, or a part of them."
    )
    return 0


def device_table(devices: Sequence[AudioDevice]) -> str:
    """Return one line per device under a head; a star stands before the default one."""
    if not devices:
        return "No input device was found; `run` plays the bundled recording instead."
    return _table(devices)


def _table(devices: Sequence[AudioDevice]) -> str:
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
    return "\n".join(lines)


LISTEN_EPILOG = """\
The protocol of each packet is recognised by its content, at any port. Run this on the machine where
Unreal runs, with Unreal closed: what it shows has come through the network. Lost frames are counted
where the protocol numbers them. Jitter is the deviation of the time between two frames from that of
their numbers, or from its median.

examples:
  cstalk-bridge listen
  cstalk-bridge listen --port 11111 --seconds 10 --plain
"""


def add_listen(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands,
        "listen",
        "Show the face data that arrives here: subjects, rate, jitter, losses, timecode, curves.",
        LISTEN_EPILOG,
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=int,
        action="append",
        default=[],
        help="UDP port to listen at (default: the free ones of all protocols). Repeat it for more.",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="0.0.0.0",  # noqa: S104 - it only receives, and never replies
        help="Address of this machine to listen at (default: all).",
    )
    parser.add_argument("--seconds", metavar="N", type=float, help="Stop after so many seconds.")
    parser.add_argument(
        "--plain", action="store_true", help="Print plain lines instead of the picture."
    )
    parser.set_defaults(action=listen)


def listen(options: argparse.Namespace) -> int:
    """Listen until it is over. Raises UserError: no port, or nothing received in `--seconds`."""
    from cstalk_bridge.diagnostics import listen

    listen.listen(options.host, options.port, options.seconds, plain=options.plain)
    return 0


SERVICE_EPILOG = """\
The recipe starts `run --no-ui` in this folder, with the config that is named, after every start of
the machine or login, and again when it fails; a mistake in the config is not tried again on Linux.
Nothing is installed: the recipe is printed, and says how to install it.

examples:
  cstalk-bridge service systemd > ~/.config/systemd/user/cstalk-bridge.service
  cstalk-bridge service launchd > ~/Library/LaunchAgents/com.cstalk.bridge.plist
  cstalk-bridge service windows | Out-String | Invoke-Expression
"""


def add_service(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands,
        "service",
        "Print a recipe that starts the bridge with the machine.",
        SERVICE_EPILOG,
    )
    parser.add_argument("system", choices=("systemd", "launchd", "windows"), help="What starts it.")
    parser.add_argument(
        "--config", metavar="FILE", help="Config file (default: config.yaml in this folder)."
    )
    parser.set_defaults(action=print_service)


def print_service(options: argparse.Namespace) -> int:
    """Print the recipe. Raises UserError where the config has mistakes."""
    from cstalk_bridge.config.load import load_config
    from cstalk_bridge.system.services import RECIPES, Service, program

    config = Path(options.config).resolve() if options.config else None
    load_config(config)
    named = () if config is None else ("--config", str(config))
    service = Service((*program(), "run", "--no-ui", *named), Path.cwd())
    print(RECIPES[options.system](service), end="")
    return 0
