"""The suites of acted emotions, on small data with an animation that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.board import AUDIO_DRIVEN, AUDIO_DRIVEN_COLUMNS, CHANNELS, columns_of
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.multimodal import UNITS, MultimodalClip
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.acting import (
    Acted,
    Acting,
    between,
    leading,
    real_changes,
    spreads,
    sway,
    tracked_units,
)
from tests.models.evaluation.heads import PlainHead
from tests.models.evaluation.suites.test_articulation import Actor, found, write_ravdess

if TYPE_CHECKING:
    from pathlib import Path

CORNERS = columns_of("mouth_cornerPull")


def unanimated(
    sound: np.ndarray, emotions: np.ndarray, face: np.ndarray, seed: int
) -> MultimodalClip:
    """Return the generated face alone."""
    del sound, emotions, seed
    board = np.zeros((len(face), len(CHANNELS)), np.float32)
    board[:, AUDIO_DRIVEN_COLUMNS] = face
    return MultimodalClip(board, np.zeros((len(face), 6), np.float32), face[:, :2])


def animated(
    sound: np.ndarray, emotions: np.ndarray, face: np.ndarray, seed: int
) -> MultimodalClip:
    """Return a face whose expression swings, whose left side is stronger, and that never rests."""
    swing = 1.0 + 0.6 * np.sin(0.3 * np.arange(len(face)))[:, None]
    moved = face * swing.astype(np.float32) + np.float32(0.01)
    moved[:, [AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")]] += 0.1
    return unanimated(sound, emotions, moved, seed)


def test_closures_likeness_and_effort_of_actors_are_measured_by_emotion(tmp_path: Path) -> None:
    write_ravdess(tmp_path, tmp_path)
    suite = Acted(Folders(tmp_path, tmp_path), 100, PlainHead())
    measured = found(suite, Actor())
    assert measured["acted.plain_closed"].value == 100.0
    assert measured["acted.plain_closed"].count == 2 * 12
    assert measured["acted.unseen_plain_closed"].count == 12  # of actor 17
    assert measured["acted.unseen_own_closed"].value == pytest.approx(100 * 2 / 3)
    assert measured["acted.own_closed_angry"].value == 0.0
    assert measured["acted.own_closed_happy"].value == 100.0
    assert measured["acted.like_happy"].value > 0.9
    assert measured["acted.like_angry"].value > 0.7
    assert 0 < measured["acted.like_size_happy"].value < 5
    assert measured["acted.effort_happy"].value == pytest.approx(100 * (2.0 / 1.6 - 1), abs=0.1)
    assert measured["acted.silent_happy"].value == pytest.approx(3.0, abs=1e-4)
    assert measured["acted.silent_neutral"].value == 0.0
    assert measured["acted.inner_brow_happy"].value == pytest.approx(0.9)
    assert measured["acted.outer_brow_happy"].value == measured["acted.corners_happy"].value == 0.0
    share = (
        measured["acted.brow_sides"].value / 0.2
    )  # of the time the jaw, and with it a brow, is up
    spread = 0.2 * np.sqrt(share * (1 - share))
    assert measured["acted.brow_sd"].value == pytest.approx((10 + 8) / 4 * spread, rel=1e-3)
    assert measured["acted.sway_happy"].value < 1.0 < measured["acted.real_sway_happy"].value


def test_the_units_that_an_emotion_raises_lead_it(tmp_path: Path) -> None:
    write_ravdess(tmp_path, tmp_path)
    changes = real_changes(tmp_path / "ravdess/action_units_means.npz")
    assert list(changes) == ["happy", "angry"]
    assert UNITS[leading(changes["happy"])[0]] == "AU12"
    still, moving = np.ones((50, 17)), 1 + np.sin(np.arange(50))[:, None] * np.ones(17)
    assert sway(still, np.array([0])) == 0.0
    assert sway(moving, np.array([0, 1])) > 30
    assert np.isnan(sway(0 * still, np.array([0])))


def test_a_still_face_and_one_that_acts_are_told_apart(tmp_path: Path) -> None:
    write_ravdess(tmp_path, tmp_path)
    folders = Folders(tmp_path, tmp_path)
    still = found(Acting(folders, 100, unanimated), Actor())
    acted = found(Acting(folders, 100, animated), Actor())
    assert still["acting.change_happy"].value < 1.0 < 30.0 < acted["acting.change_happy"].value
    assert still["acting.real_change_happy"].value > 30.0
    assert still["acting.at_zero"].value > 70.0
    assert acted["acting.at_zero"].value == 0.0
    assert 0 < still["acting.region_distance"].value <= 1
    assert acted["acting.region_distance"].value != still["acting.region_distance"].value


def test_without_data_or_an_animation_the_suite_says_so(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path)
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        Acting(folders, 10, None)
    with pytest.raises(MissingDataError, match="is missing"):
        Acting(folders, 10, unanimated)
    write_ravdess(tmp_path, tmp_path)
    for path in (tmp_path / "ravdess/audio").glob("*.opus"):
        path.unlink()
    with pytest.raises(MissingDataError, match="no recording of a tracked clip"):
        Acting(folders, 10, unanimated)


def test_clips_are_compared_actor_by_actor() -> None:
    units = np.ones((10, len(UNITS)), np.float32)
    clips = [("a-01", units), ("b-01", 3 * units), ("a-02", 100 * units), ("a-03", units)]
    assert between(clips, np.array([0, 1])) == pytest.approx([50.0])


def test_spread_is_a_share_of_the_real_one() -> None:
    wave = (np.sin(np.arange(100))[:, None] * np.ones(len(UNITS))).astype(np.float32)
    found = {
        one.key: one.value
        for one in spreads({"calm": [("a", np.float32(0.5) * wave)]}, {"neutral": [("b", wave)]})
    }
    assert found["acting.spread_brows"] == pytest.approx(50.0)
    assert len(found) == 5
    assert not list(spreads({}, {"neutral": [("b", wave)]}))


def test_tracked_clips_are_read_by_emotion(tmp_path: Path) -> None:
    write_ravdess(tmp_path, tmp_path)
    clips = tracked_units(tmp_path / "ravdess/action_units_frames.npz")
    assert set(clips) <= set(EMOTIONS) | {"calm"}
    ((stem, units),) = clips["happy"]
    assert stem.split("-")[2] == "03"
    assert units.shape == (90, len(UNITS))
