"""From the command line to an exit code: 0 done, 1 a fault of ours, 2 one the user can mend."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.cli.parser import make_parser
from bridge.errors import UserError
from bridge.standard_streams import open_standard_streams
from models.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DONE, FAULT, USER_ERROR = 0, 1, 2
INTERRUPTED = 130
"""What a shell reports for Ctrl-C: 128 + SIGINT."""

TRACEBACK_VARIABLE = "CSTALK_TRACEBACK"
"""Environment variable: set to 1, a fault of ours is shown with its traceback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments (by default the process's own) say and return the exit code.

    Messages go to standard error. Never raises, except SystemExit of argparse for its own messages.
    """
    open_standard_streams()
    options = make_parser().parse_args(arguments)
    return guarded(lambda: options.action(options))


def guarded(action: Callable[[], int]) -> int:
    """Return the exit code of an action, after a message where it raised."""
    try:
        code = action()
        sys.stdout.flush()
    except UserError as error:
        for problem in error.problems:
            _complain(str(problem))
        return USER_ERROR
    except WeightsError as error:
        _complain(str(error))
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python's own flush at exit must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        words = " ".join(str(error).split())
        _complain(f"{type(error).__name__}: {words}" if words else type(error).__name__)
        _complain(f"this is a fault of the program; {TRACEBACK_VARIABLE}=1 shows where it happened")
        return FAULT
    return code


def _complain(message: str) -> None:
    # Whoever would read it may be gone; the exit code tells it too.
    with suppress(OSError):
        print(f"cstalk-bridge: {message}", file=sys.stderr, flush=True)
