"""Results of several evaluations become the tables of models/README.md."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cstalk_bridge.models.evaluation.comparison import (
    COMPARISON,
    comparison_tables,
    markers,
    with_block,
    write_comparison,
)
from cstalk_bridge.models.evaluation.measures import Measurement
from cstalk_bridge.models.evaluation.request import EvaluationRequestError
from cstalk_bridge.models.evaluation.results import EvaluationRun, Results, read_columns

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = markers(COMPARISON)
SOURCES = {
    "ravdess": "ravdess",
    "grid": "",
    "facegood": "facegood",
    "targets": "",
    "lips": "",
    "mood": "",
}


def run(
    predictor: str, kind: str, waits_ms: int | None, weights: str = "", **values: float
) -> EvaluationRun:
    """One column; `values` by key with `__` for the dot."""
    keys = {key.replace("__", "."): value for key, value in values.items()}
    findings = {key: Measurement(key, value, 5) for key, value in keys.items()}
    way = "streamed" if predictor.endswith("~") else "offline"
    return EvaluationRun(
        predictor.rstrip("~"), kind, way, waits_ms, ("facegood",), findings, weights
    )


def written(folder: Path, name: str, *runs: EvaluationRun) -> Path:
    path = folder / name
    path.write_text(json.dumps(Results(runs, {}, {}, SOURCES).document()), encoding="utf-8")
    return path


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row of the tables by the first."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_each_bar_is_asked_at_its_own_look_ahead(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.json",
        run("ours", "cstalk", 20, grid__jaw_r=0.91, lips__closures=90.0),
        run("ours", "cstalk", 60, grid__jaw_r=0.92, lips__closures=96.0, mood__kathleen=0.0),
        run("loudness", "rule", None, grid__jaw_r=0.6),
    )
    found = rows(comparison_tables(read_columns([path])))
    assert found["measure"] == ["bar", "ours", "loudness"]
    title = "grid: jaw r to jawOpen, within 1 frame, median"
    assert found[f"{title}, 20 ms"] == [">= 0.9", "0.910", "0.600!"]
    assert found[title] == [">= 0.93", "0.920!", "0.600!"]
    assert found["lips: lips together during p b m [%]"] == [">= 95", "96.0", "-"]
    assert not any(name.startswith(("speed", "mood")) for name in found)


def test_what_trained_a_network_marks_its_figure(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", run("ours", "cstalk", 60, facegood__all_r=0.8))
    (cells,) = [
        c
        for name, c in rows(comparison_tables(read_columns([path]))).items()
        if "2_01-2_05" in name
    ]
    assert cells == [">= 0.85", "0.800!\\*"]


def test_distances_are_held_against_each_other_network(tmp_path: Path) -> None:
    ours = run("ours", "cstalk", 60, targets__lve=0.9, targets__eve=0.09)
    plain = run("plain", "faceformer-like", 60, targets__lve=0.8, targets__eve=0.1)
    other = run("emo", "emotalk-like", 60, targets__lve=1.2, targets__eve=0.0)
    late = run("late", "faceformer-like", 120, targets__lve=1.2)
    files = [
        written(tmp_path, f"{i}.json", one) for i, one in enumerate((ours, plain, other, late))
    ]
    found = rows(comparison_tables(read_columns(files)))
    assert found["ours, lower by"] == ["targets: LVE: mouth", "targets: EVE: upper face"]
    assert found["than plain"] == ["-12 %! (bar 0 %)", "10 % (bar 0 %)"]
    assert found["than emo"] == ["25 % (bar 0 %)", "-"]
    assert found["than late"] == ["-", "-"]


def test_distances_on_unseen_actors_have_the_same_bars(tmp_path: Path) -> None:
    keys = ("ravdess__eve", "ravdess__unseen_eve", "ravdess__unseen_region_distance")
    figures: dict[str, Any] = dict.fromkeys(keys, 0.9)
    ours = run("ours", "cstalk", 60, **figures)
    figures = dict.fromkeys(keys, 1.0)
    plain = run("plain", "faceformer-like", 60, **figures)
    files = [written(tmp_path, f"{one.predictor}.json", one) for one in (ours, plain)]
    found = rows(comparison_tables(read_columns(files)))
    assert found["than plain"] == ["10 % (bar 0 %)"] * 2 + ["10 %"]


def test_files_on_the_same_weights_join_and_offline_counts(tmp_path: Path) -> None:
    one = written(
        tmp_path,
        "a.json",
        run("x", "cstalk", 60, "aa", lips__closures=91.0),
        run("x~", "cstalk", 60, "aa", lips__closures=92.0),
    )
    two = written(tmp_path, "b.json", run("x", "cstalk", 60, "aa", grid__pucker_r=0.7))
    (column,) = read_columns([one, two])
    assert {key: cell.value for (key, _), cell in column.cells.items()} == {
        "lips.closures": 91.0,
        "grid.pucker_r": 0.7,
    }
    other = written(tmp_path, "c.json", run("x", "cstalk", 60, "bb" * 32, lips__closures=1.0))
    assert [column.name for column in read_columns([one, other])] == ["x aa", "x bbbbbbbb"]


def test_the_block_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"ä before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    results = written(tmp_path, "a.json", run("ours", "cstalk", 60, lips__closures=96.0))
    for _ in range(2):
        block = write_comparison([results], readme)
        assert readme.read_text("utf-8") == f"ä before\n{BEGIN}\n\n{block}\n\n{END}\nafter\n"
    assert "96.0" in block


def test_other_tables_keep_to_marks_of_their_own(tmp_path: Path) -> None:
    readme, (begin, end) = tmp_path / "README.md", markers("other")
    readme.write_text(f"{BEGIN}\nold\n{END}\n{begin}\n{end}\n", encoding="utf-8")
    results = written(tmp_path, "a.json", run("ours", "cstalk", 60, lips__closures=96.0))
    block = write_comparison([results], readme, "other")
    assert readme.read_text("utf-8") == f"{BEGIN}\nold\n{END}\n{begin}\n\n{block}\n\n{end}\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="needs one line"):
        with_block(text, "x")


DAMAGED: dict[str, Any] = {
    "no JSON": "{",
    "another format": json.dumps({"format": "x", "runs": []}),
    "no object": "[]",
    "no runs": json.dumps({"format": "cstalk-evaluation-1"}),
    "runs that are none": json.dumps({"format": "cstalk-evaluation-1", "runs": [3]}),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_every_file_that_is_no_result_is_named(tmp_path: Path, kind: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(DAMAGED[kind], encoding="utf-8")
    with pytest.raises(EvaluationRequestError) as caught:
        read_columns([bad, tmp_path / "none.json"])
    for line, name in zip(caught.value.lines, ("bad.json", "none.json"), strict=True):
        assert f"{name}: not results (" in line
        assert "; name a file that cstalk_bridge.models.evaluation wrote" in line


def test_the_command_reports_problems_without_a_traceback(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.evaluation.comparison",
        str(tmp_path / "none.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "none.json: not results" in done.stderr
