"""`python -m models.evaluation`: measure weights files."""

from __future__ import annotations

import argparse

from models.errors import WeightsError
from models.evaluation.options import RefusalError, add_arguments, request_of


def main() -> None:
    """Measure, print the table, write the files; end with code 2 where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    try:
        request = request_of(options)
        if request.sheets:
            parser.error("--sheets: the program draws them; use cstalk-bridge evaluate")
        from models.evaluation.run import evaluate

        evaluate(request)
    except (RefusalError, WeightsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
