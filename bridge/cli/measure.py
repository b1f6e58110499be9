"""Commands that measure: `evaluate` weights, `bench` this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_command
from cstalk_bridge.models.evaluation.request import add_arguments

if TYPE_CHECKING:
    import argparse

    from cstalk_bridge.cli.arguments import Commands


EVALUATE_EPILOG = """\
Every measure is defined in models/evaluation; a suite whose recordings are not there is named and
left out. A value with ! misses its bar, one with * was measured on a source that trained it.

examples:
  cstalk-bridge evaluate --data recordings --suites lips,silence,speed
  cstalk-bridge evaluate --weights mine.safetensors --lookahead-ms 60,120 --page mine.html
  cstalk-bridge evaluate --sheets sheets --data recordings
  cstalk-bridge evaluate --way both --lookahead-ms 80 --most 20 --json live.json
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
    from cstalk_bridge.models.evaluation.run import evaluate as measure

    head = HeadInMm.open(request.head_file)
    request = replace(request, animation=animate, head=head)
    if request.sheets:
        from cstalk_bridge.evaluation.sheets.draw import draw_sheets

        draw_sheets(request, head, print)
    if request.suites:
        measure(request)
    return 0


BENCH_NUMBERS = (
    ("seconds", 60.0, "Seconds of the packet measurements"),
    ("trials", 60, "Trials of the latency measurement"),
    ("minutes", 30.0, "Minutes of soak and churn"),
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
    parser.add_argument("--data", metavar="FOLDER", help="Folder of recordings for alive.")
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
