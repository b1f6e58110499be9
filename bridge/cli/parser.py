"""The words of the command line. Commands are imported when they are called, not before."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name

RUN_EPILOG = """\
--audio, --link and --emotion are about one subject: the one which --subject names, where the
config has it; else the first, which --subject then renames. --link replaces its links.
Without --config, config.yaml in this folder is read when there is one.

examples:
  cstalk-bridge run
  cstalk-bridge run --audio speech.wav --emotion happy:0.7
  cstalk-bridge run --link livelink-face://10.0.0.5:11111 --link osc://127.0.0.1:8000/face
"""


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


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; its result has `action`, a function of the result that returns a code."""
    parser = argparse.ArgumentParser(
        prog="cstalk-bridge",
        description="A voice moves a MetaHuman, live: microphone in, Live Link and OSC out.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_devices(commands)
    _add_rigmap(commands)
    _add_bench(commands)
    return parser


def _add_run(commands: Commands) -> None:
    run = commands.add_parser(
        "run",
        help="listen, and send faces until Ctrl-C or the end of the file",
        epilog=RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--config", metavar="FILE", help="config file (default: config.yaml)")
    run.add_argument("--audio", metavar="mic|NAME|FILE", help="microphone, device, file or test")
    run.add_argument(
        "--link", metavar="URL", action="append", default=[], help="where to send; repeat for more"
    )
    run.add_argument("--subject", metavar="NAME", help="subject which is meant, or its new name")
    run.add_argument("--fps", metavar="N", help="24 to 60, 29.97df and 59.94df for drop-frame")
    run.add_argument("--lookahead-ms", metavar="N", help="0 to 240 in steps of 20")
    run.add_argument("--emotion", metavar="NAME:WEIGHT", help="as happy:0.7 or happy:0.7,sad:0.2")
    run.add_argument("--device", metavar="auto|cpu|cuda", help="where the generator runs")
    run.add_argument("--weights", metavar="FILE", help="weights of the generator (.safetensors)")
    run.add_argument("--no-ui", action="store_true", help="plain lines instead of the dashboard")
    run.set_defaults(action=_run)


def _add_devices(commands: Commands) -> None:
    devices = commands.add_parser("devices", help="list the microphones --audio can name")
    devices.set_defaults(action=_devices)


def _add_rigmap(commands: Commands) -> None:
    rigmap = commands.add_parser("rigmap", help="check and show rig maps")
    actions = rigmap.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="report every error at file:line:column")
    check.add_argument("files", metavar="FILE", nargs="+", help="rig map file, or a shipped name")
    check.set_defaults(action=_check_rigmaps)
    show = actions.add_parser("show", help="print a rig map as a table")
    show.add_argument("name", metavar="NAME|FILE", help="shipped name, or a rig map file")
    show.set_defaults(action=_show_rigmap)


def _add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="measure this machine; without SECTION, everything")
    bench.add_argument("sections", metavar="SECTION", nargs="*", help="what to measure")
    bench.add_argument("--list", action="store_true", help="list the sections and exit")
    bench.add_argument("--seconds", metavar="N", type=float, default=60.0, help="of packets (60)")
    bench.add_argument("--trials", metavar="N", type=int, default=60, help="of latency (60)")
    bench.add_argument("--minutes", metavar="N", type=float, default=30.0, help="of soak (30)")
    bench.set_defaults(action=_bench)


def _run(options: argparse.Namespace) -> int:
    from bridge.process import limit_math_threads

    limit_math_threads()
    from bridge.cli.run import run

    return run(options)


def _devices(_options: argparse.Namespace) -> int:
    from bridge.cli.devices import print_devices

    return print_devices()


def _check_rigmaps(options: argparse.Namespace) -> int:
    from bridge.cli.rigmap import check

    return check(options.files)


def _show_rigmap(options: argparse.Namespace) -> int:
    from bridge.cli.rigmap import show

    return show(options.name)


def _bench(options: argparse.Namespace) -> int:
    from bridge.cli.bench import bench

    return bench(options)
