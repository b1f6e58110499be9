"""`cstalk-bridge run`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.life import CHANNEL_HELP, add_life
from bridge.clock.rate import SPAN
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from bridge.cli.parser import Commands
    from bridge.config.schema import Config

EPILOG = """\
--audio, --channel, --link, --emotion, --emotions, --mouth-guard, --transition-ms, --alive,
--no-alive and --seed are about one subject: the one which --subject names, where the config has
it; else the first, which --subject then renames. --link replaces its links.
Without --config, config.yaml in this folder is read when there is one.

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
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings(words)
    words.add_argument("--no-ui", action="store_true", help="plain lines instead of the dashboard")
    words.add_argument(
        "--log-file", metavar="FILE", help="write what happens to a log file, which is rotated"
    )
    words.add_argument(
        "-v", "--verbose", action="store_true", help="log details too; needs --log-file or --no-ui"
    )
    words.set_defaults(action=run)


def add_settings(words: argparse.ArgumentParser) -> None:
    """Add what says which config counts, and what goes over it; `config_of` reads them."""
    words.add_argument("--config", metavar="FILE", help="config file (default: config.yaml)")
    words.add_argument("--audio", metavar="mic|NAME|FILE", help="microphone, device, file or test")
    words.add_argument("--channel", metavar="N|all", help=CHANNEL_HELP)
    words.add_argument(
        "--link", metavar="URL", action="append", default=[], help="where to send; repeat for more"
    )
    words.add_argument("--subject", metavar="NAME", help="subject which is meant, or its new name")
    words.add_argument("--fps", metavar="N", help=f"{SPAN}, 29.97df and 59.94df for drop-frame")
    words.add_argument("--lookahead-ms", metavar="N", help="0 to 240 in steps of 20")
    words.add_argument("--emotion", metavar="NAME:WEIGHT", help="as happy:0.7; auto: the voice's")
    words.add_argument(
        "--emotions", metavar="FILE", help="emotions over time, as beside takes (YAML or CSV)"
    )
    words.add_argument(
        "--mouth-guard", metavar="N", help="share of its mouth that speech pushes aside, 0 to 1"
    )
    words.add_argument("--transition-ms", metavar="N", help="time a changed emotion takes (400)")
    add_life(words)
    words.add_argument("--device", metavar="auto|cpu|cuda", help="where the generator runs")
    words.add_argument("--weights", metavar="FILE", help="weights of the generator (.safetensors)")
    _add_reach(words)


def _add_reach(words: argparse.ArgumentParser) -> None:
    """Add where the bridge can be seen and told what to do."""
    words.add_argument(
        "--preview",
        metavar="HOST:PORT",
        nargs="?",
        const="",
        help="show the faces in a browser, at 127.0.0.1:8520 where nothing else is said",
    )
    words.add_argument(
        "--osc-control",
        metavar="HOST:PORT",
        nargs="?",
        const="",
        help="take remote control over OSC, at 127.0.0.1:8000 where nothing else is said",
    )
    words.add_argument(
        "--osc-allow",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="another machine or network that may control; repeat for more",
    )


def run(options: argparse.Namespace) -> int:
    """Run the bridge until it is stopped; Ctrl-C is the ordinary way to stop it."""
    from bridge.process import limit_math_threads

    limit_math_threads()
    config = config_of(options)
    log_file = Path(options.log_file) if options.log_file else None
    if options.verbose and log_file is None and config.dashboard and sys.stdout.isatty():
        what = "details would be written into the dashboard"
        raise UserError(Problem("--verbose", what, "name a --log-file, or add --no-ui"))
    try:
        # Here, so that a mistake in the config is told before anything heavy is loaded.
        from bridge import daemon
        from bridge.monitor.logs import log_to

        with log_to(log_file, is_verbose=options.verbose):
            return daemon.run(config)
    except KeyboardInterrupt:
        return 0


def config_of(options: argparse.Namespace) -> Config:
    """Return the config with the flags over it. Raises UserError."""
    from bridge.config.load import Flags, load_config

    flags = Flags(
        audio=options.audio,
        channel=options.channel,
        links=tuple(options.link),
        subject=options.subject,
        fps=options.fps,
        lookahead_ms=options.lookahead_ms,
        emotion=options.emotion,
        emotions=options.emotions,
        mouth_guard=options.mouth_guard,
        transition_ms=options.transition_ms,
        alive=options.alive,
        no_alive=options.no_alive,
        seed=options.seed,
        device=options.device,
        weights=options.weights,
        preview=options.preview,
        osc_control=options.osc_control,
        osc_allow=tuple(options.osc_allow),
        no_ui=options.no_ui,
    )
    return load_config(Path(options.config) if options.config else None, flags)
