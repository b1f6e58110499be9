"""What a training command needs and does not find, it names in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("align", "name the data folder with --data"),
        ("corpus", "run models.training.align first"),
        ("train", "run models.training.corpus first"),
        ("checks", "run models.training.corpus first"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    command: str, remedy: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", f"models.training.{command}", "--cache", str(tmp_path)]
    if command in ("align", "corpus"):
        words += ["--data", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"there is no such file; {remedy}")
