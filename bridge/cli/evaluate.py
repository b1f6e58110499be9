"""`cstalk-bridge evaluate`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from models.evaluation.options import add_arguments

if TYPE_CHECKING:
    from bridge.cli.parser import Commands

EPILOG = """\
Every measure is defined in models/evaluation; a suite whose recordings are not there is named and
left out. A value with ! misses its bar, one with * was measured on a source that trained it.

examples:
  cstalk-bridge evaluate --data recordings --suites lips,silence,speed
  cstalk-bridge evaluate --weights mine.safetensors --lookahead-ms 60,120 --page mine.html
  cstalk-bridge evaluate --sheets sheets --data recordings
  cstalk-bridge evaluate --way both --lookahead-ms 80 --most 20 --json live.json
"""


def add_evaluate(commands: Commands) -> None:
    """Add the command's own words."""
    parser = commands.add_parser(
        "evaluate",
        help="how good weights are: lips, lag, silence, emotions, speed",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.set_defaults(action=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Draw sheets, measure, print the table and write what is asked for.

    Raises UserError with all that is wrong about the command line, or where no recording is there,
    WeightsError with what is wrong about a weights file.
    """
    from bridge.errors import Problem, UserError
    from models.evaluation.options import RefusalError, request_of

    try:
        request = request_of(options)
        from bridge.process import limit_math_threads

        limit_math_threads()
        from bridge.evaluation.living import perform
        from bridge.evaluation.measured_head import HeadInMm
        from models.evaluation.run import evaluate as measure

        head = HeadInMm.open(request.head_file)
        request = replace(request, living=perform, head=head)
        if request.sheets:
            from bridge.evaluation.sheets.draw import draw_sheets

            draw_sheets(request, head, print)
        if request.suites:
            measure(request)
    except RefusalError as error:
        raise UserError.of(Problem("", line) for line in error.lines) from error
    return 0
