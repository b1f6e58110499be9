"""The whole command on a small data folder that holds FACEGOOD and a Kokoro voice, nothing else."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.candidates import candidate_names, open_candidates
from cstalk_bridge.models.evaluation.recordings import MissingDataError, sound_of
from cstalk_bridge.models.evaluation.report import plain
from cstalk_bridge.models.evaluation.request import (
    EvaluationRequest,
    EvaluationRequestError,
    add_arguments,
    parse_request,
)
from cstalk_bridge.models.evaluation.run import evaluate, measured
from cstalk_bridge.models.loading import save_network
from tests.models import tiny_wav2vec
from tests.models.baselines.test_transformers import described, made
from tests.models.evaluation.recorded import write_facegood, write_kokoro

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_facegood(folder)
    write_kokoro(folder, "bo bo")
    return folder


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cstalk_bridge.models.evaluation", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def test_what_is_there_is_measured_and_what_is_not_is_named(
    data: Path, small_weights: Path, tmp_path: Path
) -> None:
    arguments: list[str | Path] = [
        "--weights",
        small_weights,
        "--data",
        data,
        "--cache",
        tmp_path,
        "--baselines",
    ]
    files: list[str | Path] = ["--json", tmp_path / "x.json", "--page", tmp_path / "x.html"]
    suites = ["--suites", "grid,facegood,lips,silence", "--lookahead-ms", "20,80"]
    done = run(*arguments, *files, *suites)
    assert done.returncode == 0, done.stderr
    assert "grid: not measured: " in done.stdout
    assert "lips together during p b m [%]" in done.stdout
    found: dict[str, Any] = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert list(found["missing"]) == ["grid"]
    runs = {(run["maker"], run["lookahead_ms"]): run["findings"] for run in found["runs"]}
    predictors = [("small", 20), ("small", 80), ("loudness", None), ("phone rules", None)]
    assert [
        predictor for predictor in runs if predictor != ("pocketsphinx visemes", None)
    ] == predictors
    assert runs["loudness", None]["facegood.one_r"]["count"] == 1
    assert runs["phone rules", None]["lips.closures"]["value"] == 100.0
    assert runs["phone rules", None]["lips.closures"]["count"] == 2
    assert runs["phone rules", None]["lips.closures"]["met"] is True
    assert "facegood.one_r" not in runs["phone rules", None]
    page = (tmp_path / "x.html").read_text("utf-8")
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page


def parsed(weights: Path, data: Path, cache: Path, *arguments: str) -> EvaluationRequest:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    places = ["--weights", str(weights), "--data", str(data), "--cache", str(cache)]
    return parse_request(parser.parse_args([*places, *arguments]))


def test_both_ways_stand_side_by_side_and_find_the_same(data: Path, small_weights: Path) -> None:
    request = parsed(
        small_weights, data, data, "--suites", "lips", "--lookahead-ms", "60", "--way", "both"
    )
    results = measured(open_candidates(request), request)
    assert [run.title for run in results.runs] == ["small 60 ms", "small 60 ms streamed"]
    offline, streamed = ({k: one.value for k, one in run.findings.items()} for run in results.runs)
    assert offline == pytest.approx(streamed, abs=1e-3)
    assert "small: offline and streamed; trained on nothing" in plain(results)


def test_a_network_that_cannot_stream_is_measured_offline_or_refused(
    data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "emotalk.safetensors"
    save_network(path, made("emotalk-like"), described("emotalk-like"))
    (candidate,) = open_candidates(parsed(path, data, data, "--way", "both"))
    assert (candidate.way, candidate.kind) == ("offline", "emotalk-like")
    with pytest.raises(WeightsError, match="cannot stream"):
        open_candidates(parsed(path, data, data, "--way", "streamed"))


def test_a_checkpoint_that_no_network_uses_is_refused(
    small_weights: Path, data: Path, tmp_path: Path
) -> None:
    tiny_wav2vec.write_checkpoint(tmp_path)
    with pytest.raises(EvaluationRequestError, match="--wav2vec: none"):
        open_candidates(parsed(small_weights, data, data, "--wav2vec", str(tmp_path)))


def test_weights_of_one_name_are_distinguished_by_their_folders() -> None:
    paths = [Path("a/one/x.safetensors"), Path("a/two/x.safetensors"), Path("b/y.safetensors")]
    assert candidate_names(paths) == ["one/x", "two/x", "y"]


@pytest.mark.parametrize(
    ("suite", "file"),
    [
        ("facegood", "facegood/curves.npz"),
        ("facegood", "facegood/1114_2_05.flac"),
        ("lips", "kokoro/index.jsonl"),
        ("lips", "kokoro/am_puck__0.opus"),
        ("emotion", "ravdess/action_units_means.npz"),
        ("targets", "index.json"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"[1, 2", b"{}", b"PK\x03\x04 but no more"])
def test_a_damaged_recording_is_named_and_the_suite_left_out(
    data: Path, small_weights: Path, tmp_path: Path, suite: str, file: str, content: bytes
) -> None:
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    (broken / file).parent.mkdir(exist_ok=True)
    (broken / file).write_bytes(content)
    request = parsed(small_weights, broken, broken, "--suites", f"{suite},speed")
    (why,) = measured([], request).missing.values()
    assert Path(file).name in why
    assert "; " in why


def test_sound_of_another_rate_is_no_recording_of_the_set(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for samples, rate_hz in ((np.zeros(100), 8000), (np.zeros((9, 2)), 16_000), ([], 16_000)):
        soundfile.write(path, samples, rate_hz)
        with pytest.raises(MissingDataError, match=r"x\.wav holds .*mono at 16000 Hz"):
            sound_of(path)


def test_no_recordings_at_all_is_an_error_that_names_them(
    small_weights: Path, tmp_path: Path
) -> None:
    request = parsed(small_weights, tmp_path, tmp_path, "--suites", "grid,lips")
    with pytest.raises(EvaluationRequestError) as caught:
        evaluate(request)
    grid, lips = caught.value.lines
    assert grid.startswith("grid: ")
    assert lips.endswith("index.jsonl is missing; name the data folder with --data")
