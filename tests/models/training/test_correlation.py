"""The correlation network's training resumes where it stopped and names what it lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.correlation import Sizes, load, save
from models.training import correlation as script
from models.training.run import Settings
from tests.models.training.captured import write_captures

ROOT = Path(__file__).parents[3]
SMALL = Sizes(window_rows=10, width=8, layers=1, heads=1)
SHORT = Settings(steps=4, batch=3, warm_up_steps=1, check_every=100, save_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    write_captures(folder)
    return folder


class Stopped(Exception):  # noqa: N818 - an interruption
    pass


def test_an_interrupted_run_ends_with_the_same_weights(
    data: Path, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, card = script.train(data, corpus_folder, tmp_path / "straight", SHORT, SMALL)
    kept = script.Run.save

    def save_then_stop(run: script.Run[script.RegionCorrelation]) -> None:
        kept(run)
        raise Stopped

    monkeypatch.setattr(script.Run, "save", save_then_stop)
    with pytest.raises(Stopped):
        script.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    monkeypatch.setattr(script.Run, "save", kept)
    resumed, _ = script.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    save(tmp_path / "c.safetensors", straight, card)
    _, read = load(tmp_path / "c.safetensors", torch.device("cpu"))
    assert set(read) == {"licence", "data", "minutes", "settings", "figures"}
    assert read["figures"]["grid_s1 brow"]["network"] > 0


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "models.training.correlation", "--cache", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("make the training set first")
