"""Commands that check heads, rig maps, weights and the machine: `rigmap`, `head`, `evaluate`,
`bench`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_command
from cstalk_bridge.models.evaluation.request import add_arguments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.heads.reading import Shapes
    from cstalk_bridge.models.errors import Problem


def add_rigmap(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(commands, "rigmap", "Check and show rig maps.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add_command(actions, "check", "Report every error at file:line:column.")
    checking.add_argument(
        "files", metavar="FILE", nargs="+", help="Rig map files, or names of shipped ones."
    )
    checking.set_defaults(action=check_rigmaps)
    showing = add_command(actions, "show", "Print a rig map as a table.")
    showing.add_argument("name", metavar="NAME|FILE", help="Name of a shipped rig map, or a file.")
    showing.set_defaults(action=show_rigmap)


def check_rigmaps(options: argparse.Namespace) -> int:
    """Check every map; warnings do not fail. Raises UserError with the problems of all of them."""
    from cstalk_bridge.models.errors import UserError
    from cstalk_bridge.rig.load import check_files

    findings = check_files(options.files)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if findings.problems:
        raise UserError.of(findings.problems)
    print(f"{', '.join(map(str, options.files))}: no problems")
    return 0


def show_rigmap(options: argparse.Namespace) -> int:
    """Print a map as a table."""
    from cstalk_bridge.rig import load

    print(load.describe_rigmap(load.load_rigmap(options.name)))
    return 0


MAX_LISTED = 100
"""Names of one list; a file can hold thousands."""


def add_head(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(commands, "head", "Check heads for preview and export, and import them.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add_command(actions, "check", "List the ARKit shapes that a head has and lacks.")
    checking.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="Head files (.glb or .vrm)."
    )
    checking.set_defaults(action=lambda options: check_heads(options.files))
    importing = add_command(
        actions, "import", "Make a head from ICT-FaceKit or MakeHuman data of your own."
    )
    importing.add_argument(
        "sources",
        metavar="FOLDER|FILE",
        nargs="+",
        type=Path,
        help="Checkout of the data, or its files.",
    )
    importing.add_argument(
        "-o",
        "--output",
        metavar="FILE.glb",
        type=Path,
        default=Path("head.glb"),
        help="Head file to write (default: head.glb).",
    )
    importing.set_defaults(action=_import)


def _import(options: argparse.Namespace) -> int:
    return import_head(options.sources, options.output)


def check_heads(files: Sequence[Path]) -> int:
    """Print what each head has and lacks. Raises UserError for those that cannot be shown."""
    from cstalk_bridge.heads.reading import open_head, read_head
    from cstalk_bridge.models.errors import UserError

    problems: list[Problem] = []
    for file in files:
        try:
            shapes = open_head(file).shapes
            if shapes.found:
                read_head(file)
        except UserError as error:
            problems += error.problems
            continue
        print(f"{file}: {_shapes_summary(shapes)}")
    if problems:
        raise UserError.of(problems)
    return 0


def import_head(sources: Sequence[Path], output: Path) -> int:
    """Make a head file of a data set and print what was found, and the notice to keep with it.

    Raises UserError where there is no such data, it is damaged, or `output` already exists.
    """
    from cstalk_bridge.heads.glb import write_glb
    from cstalk_bridge.heads.importing import import_head
    from cstalk_bridge.heads.reading import open_arkit_head
    from cstalk_bridge.system.files import atomic_write

    head = import_head(sources)
    with atomic_write(output) as file:
        file.write(write_glb(head))
    print(f"{output}: {head.name}, {_shapes_summary(open_arkit_head(output).shapes)}")
    print("This notice is in the file and must stay with every copy:\n")
    print(head.licence)
    return 0


def _shapes_summary(shapes: Shapes) -> str:
    from cstalk_bridge.heads.mesh import arkit_names

    lines = [f"{len(shapes.found)} of {len(arkit_names())} ARKit shapes"]
    for title, names in (
        ("missing", shapes.missing if shapes.found else ()),
        ("not moved by any curve", shapes.unknown),
        ("VRM expressions", shapes.expressions),
    ):
        if names:
            more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
            lines.append(f"  {title}: {', '.join(names[:MAX_LISTED])}{more}")
    return "\n".join(lines)


EVALUATE_EPILOG = """\
Every measure is defined in models/evaluation; a suite whose recordings are not there is named and
left out. A value with ! misses its bar, one with * was measured on a source that trained it.

examples:
  cstalk-bridge evaluate --data recordings --suites lips,silence,speed
  cstalk-bridge evaluate --weights mine.safetensors --lookahead-ms 60,120 --page mine.html
  cstalk-bridge evaluate --sheets sheets --data recordings
  cstalk-bridge evaluate --way both --lookahead-ms 80 --max-clips 20 --json live.json
"""


def add_evaluate(commands: Commands) -> None:
    """Add the command's own parser."""
    parser = add_command(
        commands,
        "evaluate",
        "Measure how good weights are: lips, lag, silence, emotions, speed.",
        EVALUATE_EPILOG,
    )
    add_arguments(parser)
    parser.set_defaults(action=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Draw sheets, measure, print the table and write the results.

    Raises UserError with every fault of the arguments, where no recording is found, and for a
    weights file that cannot be used.
    """
    from cstalk_bridge.models.evaluation.request import parse_request

    request = parse_request(options)
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    from cstalk_bridge.evaluation.adapters import HeadInMm, animate
    from cstalk_bridge.models.evaluation import run

    head = HeadInMm.open(request.head_file)
    request = replace(request, animation=animate, head=head)
    if request.sheets:
        from cstalk_bridge.evaluation.sheets.draw import draw_sheets

        draw_sheets(request, head, print)
    if request.suites:
        run.evaluate(request)
    return 0


BENCH_NUMBERS = (
    ("seconds", 60.0, "Seconds of the packet measurements"),
    ("trials", 60, "Trials of the latency measurement"),
    ("minutes", 30.0, "Minutes of soak, churn and passthrough"),
    ("cases", 300, "Inputs of each kind of fuzz"),
    ("seed", 0, "Seed of the inputs of fuzz"),
)
"""Flags of `bench`: name, default and help."""


def add_bench(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(commands, "bench", "Measure this machine.")
    parser.add_argument(
        "sections", metavar="SECTION", nargs="*", help="Sections to measure (default: all)."
    )
    parser.add_argument("--list", action="store_true", help="List the sections and exit.")
    for name, default, text in BENCH_NUMBERS:
        parser.add_argument(
            f"--{name}",
            metavar="N",
            type=type(default),
            default=default,
            help=f"{text} (default: {default:g}).",
        )
    parser.add_argument(
        "--kinds", metavar="A,B", default="", help="Kinds of input of fuzz (default: all)."
    )
    parser.add_argument("--data", metavar="FOLDER", help="Folder of recordings for alive and gate.")
    parser.set_defaults(action=bench)


def bench(options: argparse.Namespace) -> int:
    """Measure the named sections, all of them without names, or list what there is.

    Returns 1 when a limit was missed. Raises UserError for a name that is none.
    """
    from cstalk_bridge.bench.report import BenchConfig
    from cstalk_bridge.bench.sections import SECTIONS, run_bench

    if options.list:
        width = max(map(len, SECTIONS))
        for name, section in SECTIONS.items():
            print(f"{name.ljust(width)}  {section.summary}")
        return 0
    config = BenchConfig(
        seconds=options.seconds,
        trials=options.trials,
        minutes=options.minutes,
        data=Path(options.data) if options.data else None,
        cases=options.cases,
        seed=options.seed,
        kinds=tuple(filter(None, options.kinds.split(","))),
    )
    return run_bench(options.sections, config)
