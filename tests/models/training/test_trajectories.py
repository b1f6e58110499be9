"""What the correlation network learns from: who may teach it, and what each source tells."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS
from cstalk_bridge.models.training.sources import SOURCES
from cstalk_bridge.models.training.trajectories import (
    KINDS,
    RESEARCH_KINDS,
    TrajectoryWindows,
    grid_trajectories,
    iphone_trajectories,
    ravdess_trajectories,
)
from tests.models.training.captured import ACTED, DEV_CLIP, TRAIN_CLIPS, write_captures

if TYPE_CHECKING:
    from pathlib import Path


ROWS = 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    write_captures(folder)
    return folder


@pytest.fixture(scope="module")
def courses(data: Path, corpus_folder: Path) -> TrajectoryWindows:
    return TrajectoryWindows(data, corpus_folder, "train")


def test_held_out_clips_do_not_train(data: Path) -> None:
    train, dev = grid_trajectories(data, "train"), grid_trajectories(data, "dev")
    assert [course.name for course in train] == [f"grid_s1/{clip}" for clip in TRAIN_CLIPS]
    assert [course.name for course in dev] == [f"grid_s1/{DEV_CLIP}"]


def test_the_parts_of_a_take_follow_each_other(data: Path) -> None:
    rows = {
        part: len(iphone_trajectories(data, part)[0].values) for part in ("train", "dev", "test")
    }
    assert rows == {"train": 800, "dev": 100, "test": 100}
    assert iphone_trajectories(data, "test")[0].values[1:].std(0).max() < 1e-5
    assert iphone_trajectories(data, "train")[0].values.std(0).max() > 0.1


def test_a_tracked_talker_tells_of_brow_and_mouth_only(courses: TrajectoryWindows) -> None:
    windows = courses.draw(ROWS, 6, 1, 0, "grid_s1")
    told = {AUDIO_DRIVEN[i] for i in torch.nonzero(windows.observed[0]).flatten().tolist()}
    assert {"CTRL_L_brow_down.ty", "CTRL_C_jaw.ty", "CTRL_R_mouth_purseU.ty"} <= told
    assert not any("eye_" in name or "nose" in name or "cornerPull" in name for name in told)
    assert windows.emotion[:, 1:].abs().max() == 0.0


def test_a_posed_range_of_motion_has_no_emotion(courses: TrajectoryWindows) -> None:
    windows = courses.draw(ROWS, 12, 1, 0, "iphone")
    assert not windows.emotion_known.any()
    assert windows.emotion[:, 1:].abs().max() == 0.0


def test_rules_show_the_emotion_that_is_asked_for(courses: TrajectoryWindows) -> None:
    windows = courses.draw(ROWS, 40, 1, 0, "rules")
    brow = windows.values[..., AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")].mean(1)
    angry = windows.emotion[:, 3] > 0.3
    whole = windows.observed.all(1)
    assert brow[angry & whole].min() > 0.1
    assert brow[(windows.emotion[:, 1:].sum(1) == 0) & whole].abs().max() == 0.0
    partly = ~whole
    assert partly.any()
    assert not windows.observed[partly][:, AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")].any()


def test_windows_depend_only_on_seed_and_number(courses: TrajectoryWindows) -> None:
    one, again, other = (courses.draw(ROWS, 8, 3, number) for number in (4, 4, 5))
    assert torch.equal(one.values, again.values)
    assert torch.equal(one.emotion_known, again.emotion_known)
    assert not torch.equal(one.values, other.values)


def test_a_source_of_another_licence_never_teaches(
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


def test_actors_faces_tell_what_their_units_tell_and_what_they_played(
    data: Path, tmp_path: Path
) -> None:
    """The third clip's actor is held out; calm, the second, is none of our emotions."""
    acted = [[c.name for c in ravdess_trajectories(data, part)] for part in ("train", "dev")]
    assert acted == [[f"ravdess/{ACTED[0]}"], [f"ravdess/{ACTED[2]}"]]
    windows = TrajectoryWindows(data, tmp_path, "train", RESEARCH_KINDS).draw(ROWS, 4, 1, 0)
    assert torch.equal(windows.observed, torch.from_numpy(OBSERVED_CHANNELS).expand(4, -1))
    assert windows.emotion[:, 1:].tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * 4
    assert windows.values.std() > 0.01
