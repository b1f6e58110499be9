"""`cstalk-bridge bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


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
    lengths = Options(seconds=options.seconds, trials=options.trials, minutes=options.minutes)
    return run_bench(options.sections, lengths)
