"""`cstalk-bridge bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from bridge.cli.parser import Commands


def add_bench(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser("bench", help="measure this machine; without SECTION, everything")
    words.add_argument("sections", metavar="SECTION", nargs="*", help="what to measure")
    words.add_argument("--list", action="store_true", help="list the sections and exit")
    words.add_argument("--seconds", metavar="N", type=float, default=60.0, help="of packets (60)")
    words.add_argument("--trials", metavar="N", type=int, default=60, help="of latency (60)")
    words.add_argument(
        "--minutes", metavar="N", type=float, default=30.0, help="of soak and churn (30)"
    )
    words.add_argument("--cases", metavar="N", type=int, default=300, help="of each kind (300)")
    words.add_argument("--seed", metavar="N", type=int, default=0, help="of fuzz: other inputs (0)")
    words.add_argument("--kinds", metavar="A,B", default="", help="of fuzz: these alone")
    words.add_argument("--data", metavar="FOLDER", help="recordings, for alive")
    words.set_defaults(action=bench)


def bench(options: argparse.Namespace) -> int:
    """Measure the named sections, all of them without names, or list what there is.

    Returns 1 when a limit was missed. Raises UserError for a name that is none.
    """
    from bridge.bench.options import Options
    from bridge.bench.sections import SECTIONS, run_bench

    if options.list:
        width = max(map(len, SECTIONS))
        for name, section in SECTIONS.items():
            print(f"{name.ljust(width)}  {section.summary}")
        return 0
    asked = Options(
        seconds=options.seconds,
        trials=options.trials,
        minutes=options.minutes,
        data=Path(options.data) if options.data else None,
        cases=options.cases,
        seed=options.seed,
        kinds=tuple(filter(None, options.kinds.split(","))),
    )
    return run_bench(options.sections, asked)
