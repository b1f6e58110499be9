"""`python -m cstalk_bridge.models.evaluation`: evaluates weights files."""

from __future__ import annotations

import argparse

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.request import (
    EvaluationRequestError,
    add_arguments,
    parse_request,
)


def main() -> None:
    """Evaluate, print the table and write the files; exit with 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m cstalk_bridge.models.evaluation",
        description="Evaluate weights files on held-out recordings.",
    )
    add_arguments(parser)
    options = parser.parse_args()
    try:
        request = parse_request(options)
        if request.sheets:
            parser.error("--sheets: only `cstalk-bridge evaluate` draws contact sheets")
        from cstalk_bridge.models.evaluation.run import evaluate

        evaluate(request)
    except (EvaluationRequestError, WeightsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
