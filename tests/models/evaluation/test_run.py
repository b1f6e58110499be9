"""The whole command on a small data folder that holds FACEGOOD and a Kokoro voice, nothing else."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.options import RefusalError, Request, add_arguments, request_of
from models.evaluation.run import entrants_of, evaluate, measured
from tests.models.evaluation.recorded import write_facegood, write_kokoro

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_facegood(folder)
    write_kokoro(folder, "bo bo")
    return folder


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models.evaluation", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def test_what_is_there_is_measured_and_what_is_not_is_named(
    data: Path, small_weights: Path, tmp_path: Path
) -> None:
    words = ["--weights", small_weights, "--data", data, "--cache", tmp_path, "--baselines"]
    files = ["--json", tmp_path / "x.json", "--page", tmp_path / "x.html"]
    suites = ["--suites", "grid,facegood,lips,silence", "--lookahead-ms", "20,80"]
    done = run(*words, *files, *suites)
    assert done.returncode == 0, done.stderr
    assert "grid: not measured: " in done.stdout
    assert "lips together during p b m [%]" in done.stdout
    found: dict[str, Any] = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert list(found["missing"]) == ["grid"]
    runs = {(run["maker"], run["lookahead_ms"]): run["findings"] for run in found["runs"]}
    assert list(runs) == [("small", 20), ("small", 80), ("loudness", None), ("phone rules", None)]
    assert runs["loudness", None]["facegood.one_r"]["count"] == 1
    assert runs["phone rules", None]["lips.closures"]["value"] == 100.0
    assert runs["phone rules", None]["lips.closures"]["count"] == 2
    assert runs["phone rules", None]["lips.closures"]["met"] is True
    assert "facegood.one_r" not in runs["phone rules", None]
    page = (tmp_path / "x.html").read_text("utf-8")
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page


def asked(weights: Path, data: Path, cache: Path, *words: str) -> Request:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    places = ["--weights", str(weights), "--data", str(data), "--cache", str(cache)]
    return request_of(parser.parse_args([*places, *words]))


def test_streamed_and_offline_find_the_same(data: Path, small_weights: Path) -> None:
    found = []
    for extra in ((), ("--streaming",)):
        words = ("--suites", "lips", "--lookahead-ms", "60", *extra)
        request = asked(small_weights, data, data, *words)
        (column,) = measured(entrants_of(request), request).runs
        found.append({key: one.value for key, one in column.findings.items()})
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_no_recordings_at_all_is_an_error_that_names_them(
    small_weights: Path, tmp_path: Path
) -> None:
    request = asked(small_weights, tmp_path, tmp_path, "--suites", "grid,lips")
    with pytest.raises(RefusalError) as refused:
        evaluate(request)
    grid, lips = refused.value.lines
    assert grid.startswith("grid: ")
    assert lips.endswith("index.jsonl is not there; name the data folder with --data")
