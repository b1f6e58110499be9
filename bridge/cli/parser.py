"""The words of the command line. What a command needs is imported when it is called, not before."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.bench import add_bench
from bridge.cli.devices import add_devices
from bridge.cli.doctor import add_doctor
from bridge.cli.evaluate import add_evaluate
from bridge.cli.head import add_head
from bridge.cli.listen import add_listen
from bridge.cli.plot import add_plot
from bridge.cli.preview import add_preview
from bridge.cli.render import add_render
from bridge.cli.rigmap import add_rigmap
from bridge.cli.run import add_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


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
        from bridge.version import program_version

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
        description="A voice moves a MetaHuman, live: microphone in, Live Link and OSC out.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return parser
