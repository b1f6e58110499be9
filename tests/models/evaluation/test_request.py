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


def asked(*words: str) -> EvaluationRequest:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parse_request(parser.parse_args(words))


def test_what_is_not_said_is_the_shipped_network_on_everything() -> None:
    request = asked()
    assert request.weights == ()
    assert request.suites == tuple(SUITES)
    assert request.lookaheads_ms == (20, 60, 80, 120)
    assert request.ways == ("offline",)


def test_words_are_understood() -> None:
    request = asked("--weights", "a", "b", "--lookahead-ms", "0, 240,0", "--suites", "speed,grid")
    assert request.weights == (Path("a"), Path("b"))
    assert request.lookaheads_ms == (0, 240)
    assert request.suites == ("grid", "speed")
    assert asked("--way", "both", "--wav2vec", "ears").ways == ("offline", "streamed")


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    words = ["--lookahead-ms", "30,x", "--suites", "grid,hair", "--most", "0", "--page", "x.pdf"]
    with pytest.raises(EvaluationRequestError) as refused:
        asked(*words, "--json", str(tmp_path / "no" / "x.json"))
    starts = [line.partition(":")[0] for line in refused.value.lines]
    assert starts == ["--lookahead-ms"] * 2 + ["--suites", "--most", "--page", "--json"]
