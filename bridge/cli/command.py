"""The command `cstalk-bridge`: its parser, and its exit code.

Each command imports the packages that it needs when it is called.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_help
from cstalk_bridge.cli.assets import add_bench, add_evaluate, add_head, add_rigmap
from cstalk_bridge.cli.live import (
    add_devices,
    add_doctor,
    add_listen,
    add_run,
    add_service,
    add_sync_test,
)
from cstalk_bridge.cli.recordings import add_plot, add_preview, add_render
from cstalk_bridge.system.process import guarded, open_standard_streams

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Version(argparse.Action):
    """Prints the version; the package's metadata is looked up only then."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        del namespace, values, option_string
        from cstalk_bridge.system.process import program_version

        print(f"cstalk-bridge {program_version()}")
        parser.exit()


COMMANDS = (
    add_run,
    add_preview,
    add_render,
    add_plot,
    add_devices,
    add_doctor,
    add_listen,
    add_sync_test,
    add_service,
    add_rigmap,
    add_head,
    add_evaluate,
    add_bench,
)
"""In the order in which `--help` lists them."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; its result has `action`, a function of the result that returns a code."""
    parser = argparse.ArgumentParser(
        prog="cstalk-bridge",
        description="Animate MetaHuman faces from a voice, live: sound in, Live Link and OSC out.",
        epilog="`cstalk-bridge COMMAND --help` describes a command.",
        add_help=False,
    )
    add_help(parser)
    parser.add_argument("--version", action=_Version, nargs=0, help="Print the version and exit.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the command in the arguments (by default the process's own); return the exit code.

    Messages go to standard error. Never raises, except SystemExit of argparse for its own messages.
    """
    open_standard_streams()
    options = make_parser().parse_args(arguments)
    return guarded(lambda: options.action(options))
