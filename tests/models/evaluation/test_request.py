from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cstalk_bridge.models.evaluation.catalog import SUITES
from cstalk_bridge.models.evaluation.request import (
    EvaluationRequest,
    EvaluationRequestError,
    add_arguments,
    parse_request,
)


def parsed(*arguments: str) -> EvaluationRequest:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parse_request(parser.parse_args(arguments))


def test_the_default_is_the_shipped_network_on_everything() -> None:
    request = parsed()
    assert request.weights == ()
    assert request.suites == tuple(SUITES)
    assert request.lookaheads_ms == (20, 60, 80, 120)
    assert request.ways == ("offline",)


def test_words_are_understood() -> None:
    request = parsed("--weights", "a", "b", "--lookahead-ms", "0, 240,0", "--suites", "speed,grid")
    assert request.weights == (Path("a"), Path("b"))
    assert request.lookaheads_ms == (0, 240)
    assert request.suites == ("grid", "speed")
    assert parsed("--way", "both", "--wav2vec", "ears").ways == ("offline", "streamed")


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    arguments = [
        "--lookahead-ms",
        "30,x",
        "--suites",
        "grid,hair",
        "--max-clips",
        "0",
        "--page",
        "x.pdf",
    ]
    with pytest.raises(EvaluationRequestError) as caught:
        parsed(*arguments, "--json", str(tmp_path / "no" / "x.json"))
    starts = [line.partition(":")[0] for line in caught.value.lines]
    assert starts == ["--lookahead-ms"] * 2 + ["--suites", "--max-clips", "--page", "--json"]
