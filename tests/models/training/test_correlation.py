"""What the correlation network learns from: permitted sources, and what each observes."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS, REGIONS
from cstalk_bridge.models.cstalk.correlation import (
    CorrelationSizes,
    RegionCorrelation,
    Windows,
    load_correlation,
    save_correlation,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.training import correlation as trainer
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS
from cstalk_bridge.models.training.correlation import (
    KINDS,
    RESEARCH_KINDS,
    TrajectoryWindows,
    grid_trajectories,
    iphone_trajectories,
    linear_start,
    mask_windows,
    masked_error,
    ravdess_trajectories,
    region_errors,
)
from cstalk_bridge.models.training.rules import REGION_CHANNELS
from cstalk_bridge.models.training.run import Run, TrainingConfig
from cstalk_bridge.models.training.sources import SOURCES
from tests.models.training.captured import ACTED, DEV_CLIP, TRAIN_CLIPS, write_captures

ROWS = 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    write_captures(folder)
    return folder


@pytest.fixture(scope="module")
def trajectories(data: Path, corpus_folder: Path) -> TrajectoryWindows:
    return TrajectoryWindows(data, corpus_folder, "train")


def test_held_out_clips_do_not_train(data: Path) -> None:
    train, dev = grid_trajectories(data, "train"), grid_trajectories(data, "dev")
    assert [trajectory.name for trajectory in train] == [f"grid_s1/{clip}" for clip in TRAIN_CLIPS]
    assert [trajectory.name for trajectory in dev] == [f"grid_s1/{DEV_CLIP}"]


def test_the_parts_of_a_take_follow_each_other(data: Path) -> None:
    rows = {
        part: len(iphone_trajectories(data, part)[0].values) for part in ("train", "dev", "test")
    }
    assert rows == {"train": 800, "dev": 100, "test": 100}
    assert iphone_trajectories(data, "test")[0].values[1:].std(0).max() < 1e-5
    assert iphone_trajectories(data, "train")[0].values.std(0).max() > 0.1


def test_a_tracked_talker_shows_brow_and_mouth_only(trajectories: TrajectoryWindows) -> None:
    windows = trajectories.draw(ROWS, 6, 1, 0, "grid_s1")
    shown = {AUDIO_DRIVEN[i] for i in torch.nonzero(windows.observed[0]).flatten().tolist()}
    assert {"CTRL_L_brow_down.ty", "CTRL_C_jaw.ty", "CTRL_R_mouth_purseU.ty"} <= shown
    assert not any("eye_" in name or "nose" in name or "cornerPull" in name for name in shown)
    assert windows.emotion[:, 1:].abs().max() == 0.0


def test_a_posed_range_of_motion_has_no_emotion(trajectories: TrajectoryWindows) -> None:
    windows = trajectories.draw(ROWS, 12, 1, 0, "iphone")
    assert not windows.emotion_known.any()
    assert windows.emotion[:, 1:].abs().max() == 0.0


def test_rules_show_the_emotion_that_is_asked_for(trajectories: TrajectoryWindows) -> None:
    windows = trajectories.draw(ROWS, 40, 1, 0, "rules")
    brow = windows.values[..., AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")].mean(1)
    angry = windows.emotion[:, 3] > 0.3
    whole = windows.observed.all(1)
    assert brow[angry & whole].min() > 0.1
    assert brow[(windows.emotion[:, 1:].sum(1) == 0) & whole].abs().max() == 0.0
    partly = ~whole
    assert partly.any()
    assert not windows.observed[partly][:, AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")].any()


def test_windows_depend_only_on_seed_and_number(trajectories: TrajectoryWindows) -> None:
    one, again, other = (trajectories.draw(ROWS, 8, 3, number) for number in (4, 4, 5))
    assert torch.equal(one.values, again.values)
    assert torch.equal(one.emotion_known, again.emotion_known)
    assert not torch.equal(one.values, other.values)


def test_a_source_of_another_licence_is_never_trained_on(
    data: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    research = tmp_path / "research"
    shutil.copytree(corpus_folder, research)
    index = json.loads((research / "index.json").read_text("utf-8"))
    for clip in index:
        clip["name"] = clip["name"].replace("kathleen/", "ravdess/")
    (research / "index.json").write_text(json.dumps(index), encoding="utf-8")
    clean, mixed = (
        TrajectoryWindows(data, folder, "train") for folder in (corpus_folder, research)
    )
    assert mixed.ruled is not None
    assert clean.ruled is not None
    assert len(mixed.ruled.clips) == len(clean.ruled.clips) - 1
    assert all("ravdess" not in clip["name"] for clip in mixed.ruled.clips)
    assert np.isclose(mixed.minutes()["rules"], clean.minutes()["rules"] * 3 / 4, atol=0.1)


def test_no_kind_of_another_licence_supervises_the_default_weights() -> None:
    assert all(SOURCES[kind].default for kind in KINDS if kind in SOURCES)
    assert not all(SOURCES[kind].default for kind in RESEARCH_KINDS)


def test_actors_faces_have_their_units_and_the_acted_emotion(data: Path, tmp_path: Path) -> None:
    """The third clip's actor is held out; calm, the second, is none of our emotions."""
    acted = [[c.name for c in ravdess_trajectories(data, part)] for part in ("train", "dev")]
    assert acted == [[f"ravdess/{ACTED[0]}"], [f"ravdess/{ACTED[2]}"]]
    windows = TrajectoryWindows(data, tmp_path, "train", RESEARCH_KINDS).draw(ROWS, 4, 1, 0)
    assert torch.equal(windows.observed, torch.from_numpy(OBSERVED_CHANNELS).expand(4, -1))
    assert windows.emotion[:, 1:].tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * 4
    assert windows.values.std() > 0.01


ONES = torch.ones(len(AUDIO_DRIVEN))


def windows(values: torch.Tensor) -> Windows:
    batch = len(values)
    seen = torch.ones(batch, len(AUDIO_DRIVEN), dtype=torch.bool)
    known = torch.ones(batch, dtype=torch.bool)
    return Windows(values, seen, torch.zeros(batch, len(EMOTIONS)), known)


def test_something_is_hidden_and_something_observed_stays_in_sight() -> None:
    faces = windows(torch.zeros(200, 10, len(AUDIO_DRIVEN)))
    faces.observed[:, list(REGION_COLUMNS["nose"])] = False
    hidden = mask_windows(faces, np.random.default_rng(1))
    whole = hidden.all(1)
    assert hidden.any(1).any(1).all()
    assert not whole.all(1).any()
    assert 60 < int(whole.any(1).sum()) < 180
    shown = [row for row, region in enumerate(REGIONS) if region != "nose"]
    assert (~whole[:, shown]).sum(1).min() >= len(shown) - 2


def test_only_what_was_hidden_and_observed_counts() -> None:
    faces = windows(torch.zeros(1, 10, len(AUDIO_DRIVEN)))
    hidden = torch.zeros(1, 10, len(REGIONS), dtype=torch.bool)
    hidden[..., REGIONS.index("brow")] = True
    wrong_elsewhere = torch.ones(1, 10, len(AUDIO_DRIVEN)) * ~REGION_CHANNELS[REGIONS.index("brow")]
    assert masked_error(wrong_elsewhere, faces, hidden, ONES) == 0.0
    wrong = torch.ones_like(wrong_elsewhere)
    assert masked_error(wrong, faces, hidden, ONES) == pytest.approx(1.0)
    seen = faces.observed.clone()
    seen[:, REGION_COLUMNS["brow"][0]] = False
    wrong[..., REGION_COLUMNS["brow"][0]] = 9.0
    partly = dataclasses.replace(faces, observed=seen)
    assert masked_error(wrong, partly, hidden, ONES) == pytest.approx(1.0)


def test_a_regression_finds_what_is_linear_and_a_constant_does_not() -> None:
    rng = torch.Generator().manual_seed(1)

    def draw(count: int) -> Windows:
        values = torch.zeros(count, 12, len(AUDIO_DRIVEN))
        jaw = torch.rand(count, 12, generator=rng)
        values[..., REGION_COLUMNS["jaw_chin"][0]] = jaw
        values[..., REGION_COLUMNS["brow"][0]] = 0.5 * jaw
        return windows(values)

    network = RegionCorrelation(CorrelationSizes(12, 8, 1, 1), ONES, ONES.bool())
    found = region_errors(network, draw(40), draw(20), "brow")
    assert found["linear explains"] > 0.95
    assert found["linear"] < 0.2 * found["mean"]
    assert set(found) >= {"median", "network", "network explains"}
    assert region_errors(network, draw(4), draw(4), "nose") == {}


def test_the_shortcut_starts_at_what_is_linear_between_regions() -> None:
    rng = torch.Generator().manual_seed(1)
    values = torch.zeros(40, 12, len(AUDIO_DRIVEN))
    jaw, brow, nose = (REGION_COLUMNS[region][0] for region in ("jaw_chin", "brow", "nose"))
    values[..., jaw] = torch.rand(40, 12, generator=rng)
    values[..., brow] = 0.5 * values[..., jaw]
    values[..., nose] = 0.7
    faces = windows(values)
    faces.observed[:20, nose] = False
    start = linear_start(faces, 2 * ONES)
    assert start[brow, jaw] == pytest.approx(0.5, abs=0.05)
    for member in REGION_CHANNELS:
        own = member.repeat(2)
        assert start[member][:, own].abs().max() == 0.0
    sight = torch.cat((values[30:, :1] / 2 * (torch.arange(81) != nose), torch.ones(10, 1, 81)), -1)
    assert (sight @ start.T)[..., nose] * 2 == pytest.approx(0.7, abs=0.02)


ROOT = Path(__file__).parents[3]
SMALL = CorrelationSizes(window_rows=10, width=8, layers=1, heads=1)
SHORT = TrainingConfig(steps=4, batch=3, warm_up_steps=1, check_every=100, save_every=2)


class Stopped(Exception):  # noqa: N818 - an interruption
    pass


def test_an_interrupted_run_ends_with_the_same_weights(
    data: Path, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, card = trainer.train(data, corpus_folder, tmp_path / "straight", SHORT, SMALL)
    kept = Run.save

    def save_then_stop(run: Run[Any]) -> None:
        kept(run)
        raise Stopped

    monkeypatch.setattr(Run, "save", save_then_stop)
    with pytest.raises(Stopped):
        trainer.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    monkeypatch.setattr(Run, "save", kept)
    resumed, _ = trainer.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    save_correlation(tmp_path / "c.safetensors", straight, card)
    _, read = load_correlation(tmp_path / "c.safetensors", torch.device("cpu"))
    assert set(read) == {"licence", "data", "minutes", "settings", "figures"}
    assert read["figures"]["grid_s1 brow"]["network"] > 0


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.correlation",
        "--cache",
        str(tmp_path),
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("make the training set first")
