"""What a training command needs and does not find, it names in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.training import train

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("prepare", "name the data folder with --data"),
        ("train", "run models.training.prepare first"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    command: str, remedy: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", f"models.training.{command}", "--cache", str(tmp_path)]
    if command == "prepare":
        words += ["--data", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"there is no such file; {remedy}")


def test_the_default_weights_are_never_made_from_research_sources(tmp_path: Path) -> None:
    clip = {"name": "ravdess/a", "part": "train", "first": 0, "rows": 1}
    (tmp_path / "index.json").write_text(json.dumps([clip]), encoding="utf-8")
    words = [sys.executable, "-m", "models.training.train", "--cache", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "what it would learn from is for research only; name another file with --out"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--network", "teacher"], "needs --wav2vec FOLDER"),
        (["--wav2vec", "."], "needs --wav2vec FOLDER"),
        (["--network", "teacher", "--wav2vec", "."], "no such file"),
        (["--network", "cstalk-uncorrelated", "--correlation", "c"], "without --correlation"),
        (["--network", "wav2lip"], "invalid choice"),
    ],
)
def test_networks_that_do_not_fit_their_options_are_refused(
    tmp_path: Path,
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "index.json").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["train", "--cache", str(tmp_path), *words])
    with pytest.raises(SystemExit):
        train.main()
    assert told in capsys.readouterr().err
