"""People whose faces are known, in small files of the real names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.models.board import AUDIO_DRIVEN, JAW, columns_of
from cstalk_bridge.models.evaluation.recordings import (
    EYES_APART_MM,
    LIPS,
    Folders,
    MissingDataError,
    strangers,
)
from cstalk_bridge.models.evaluation.suites.known_faces import (
    grid_people,
    strangers_people,
    unseen_strangers,
)
from cstalk_bridge.models.timing import rows_of
from cstalk_bridge.models.training.sources import GRID_CURVES, held_out
from tests.models.evaluation.heads import GAP_MM, PlainHead
from tests.models.evaluation.recorded import noise

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.evaluation.measures import Measurement


SPEAKERS = {"00001": 0, "00002": 0, "00003": 4, "00004": 4, "00005": 7, "00006": 7}
SIZES_MM = dict(zip(SPEAKERS, (10.0, 10.0, 20.0, 20.0, 5.0, 5.0), strict=True))
LATE_S = 0.06
UNSEEN = held_out()["test"]["strangers_people"]


def opened(times_s: np.ndarray, clip: str) -> np.ndarray:
    """How far the mouth of a clip is open, 0..1."""
    return 0.5 + 0.5 * np.sin(2 * np.pi * (2.2 * times_s + int(clip, 36) % 7 / 7))


class Follower:
    """Knows the faces by the length of their sound, and comes late; moves all by `size_mm`."""

    name = "follower"

    def __init__(self, clips: dict[int, str], size_mm: float, late_s: float = LATE_S) -> None:
        self._clips = clips
        self._size_mm = size_mm
        self._late_s = late_s

    def faces(self, sound: np.ndarray, emotions: np.ndarray, lookahead_ms: int) -> np.ndarray:
        del emotions, lookahead_ms
        face = np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), dtype=np.float32)
        curve = opened(np.arange(len(face)) / 50 - self._late_s, self._clips[len(sound)])
        face[:, JAW] = self._size_mm / GAP_MM * curve
        face[:, columns_of("mouth_purse")] = 0.4 * curve[:, None]
        return face


def write_people(folder: Path) -> Follower:
    (folder / "strangers/audio").mkdir(parents=True)
    arrays: dict[str, Any] = {}
    clips = {}
    for number, (stem, size_mm) in enumerate(SIZES_MM.items()):
        sound = noise(1.2 + 0.1 * number, number)
        path = folder / f"strangers/audio/{stem}.opus"
        soundfile.write(path, sound, 16_000, format="OGG", subtype="OPUS")
        clips[len(sound)] = stem
        times_s = 0.04 + np.arange(28) / 25
        curve = opened(times_s, stem)
        lips = np.zeros((28, len(LIPS)))
        lips[:, 0] = size_mm * curve / EYES_APART_MM
        lips[:, 1] = 0.6 - 0.1 * curve
        lips[3] = np.nan  # a frame in which the tracker lost the face
        arrays |= {
            stem: np.stack((curve, 0.2 * curve), 1),
            f"{stem}__lips": lips,
            f"{stem}__head": np.zeros((28, 6)),
            f"{stem}__t": times_s,
        }
    names = np.array(["jawOpen", "mouthPucker"])
    np.savez(
        folder / "strangers/curves.npz", names=names, lips_names=np.array(list(LIPS)), **arrays
    )
    known = json.dumps(SPEAKERS | {"99999": 1})
    (folder / "strangers/speakers.json").write_text(known, encoding="utf-8")
    return Follower(clips, 10.0)


def found(suite: object, predictor: object) -> dict[str, Measurement]:
    return {one.key: one for one in suite.measure(predictor, 60)}  # type: ignore[attr-defined]


def test_people_are_measured_separately_and_lost_frames_left_out(tmp_path: Path) -> None:
    write_people(tmp_path)
    people = strangers(Folders(tmp_path, tmp_path), 100)
    assert {person: len(clips) for person, clips in people.items()} == {"00": 2, "04": 2, "07": 2}
    clip = people["04"][0]
    assert len(clip.times_s) == len(clip.curves["gap_mm"]) == 27
    assert clip.times_s[0] == pytest.approx(0.04)
    assert clip.curves["gap_mm"].max() == pytest.approx(20.0, rel=0.02)


def test_a_late_follower_is_late_and_as_large_as_it_is(tmp_path: Path) -> None:
    follower = write_people(tmp_path)
    suite = strangers_people(Folders(tmp_path, tmp_path), 100, PlainHead())
    measured = found(suite, follower)
    assert measured["strangers.gap_lag_ms"].value == pytest.approx(1000 * LATE_S, abs=11)
    assert 0.3 < measured["strangers.gap_r"].value < 0.95
    assert measured["strangers.gap_r"].count == 3
    assert measured["strangers.gap_own_lag_r"].value > 0.95
    assert measured["strangers.gap_own_lag_r"].count == 3
    assert measured["strangers.gap_clips_r"].count == 6
    assert measured["strangers.gap_clips_r"].value == pytest.approx(
        measured["strangers.gap_r"].value
    )
    assert measured["strangers.gap_ratio"].value == pytest.approx(1.0, abs=0.05)
    assert measured["strangers.gap_within"].value == pytest.approx(100 / 3)
    assert measured["strangers.gap_size"].value == pytest.approx(9.0, rel=0.1)
    assert measured["strangers.gap_real_size"].value == pytest.approx(9 / 10 * 35 / 3, rel=0.1)
    assert abs(measured["strangers.gap_size_r"].value) <= 1
    assert measured["strangers.pucker_ratio"].value == pytest.approx(2.0, rel=0.05)


def test_people_whom_no_research_build_knows_are_measured_by_themselves(tmp_path: Path) -> None:
    follower = write_people(tmp_path)
    unseen = [person for person in (0, 4, 7) if f"{person:02}" in UNSEEN]
    assert unseen == [4]
    measured = found(unseen_strangers(Folders(tmp_path, tmp_path), 100, PlainHead()), follower)
    assert measured["unseen_strangers.gap_r"].count == 1
    assert measured["unseen_strangers.gap_real_size"].value == pytest.approx(18.0, rel=0.1)
    known = json.dumps(dict.fromkeys(SPEAKERS, 0))
    (tmp_path / "strangers/speakers.json").write_text(known, encoding="utf-8")
    with pytest.raises(MissingDataError, match="none of those"):
        unseen_strangers(Folders(tmp_path, tmp_path), 100, PlainHead())


def test_a_third_of_the_motion_is_seen_in_its_size_alone(tmp_path: Path) -> None:
    whole = write_people(tmp_path)
    third = Follower(whole._clips, 10.0 / 3)
    suite = strangers_people(Folders(tmp_path, tmp_path), 100, PlainHead())
    one, other = found(suite, whole), found(suite, third)
    assert one["strangers.gap_r"].value == pytest.approx(other["strangers.gap_r"].value, abs=1e-3)
    assert other["strangers.gap_ratio"].value == pytest.approx(
        one["strangers.gap_ratio"].value / 3, rel=1e-3
    )


def test_the_grid_talker_is_read_as_he_was_tracked(tmp_path: Path) -> None:
    stem = held_out()["test"]["grid_s1"][0]
    (tmp_path / "grid_s1/audio").mkdir(parents=True)
    sound = noise(3.0, 1)
    path = tmp_path / f"grid_s1/audio/{stem}.opus"
    soundfile.write(path, sound, 16_000, format="OGG", subtype="OPUS")
    curve = opened(np.arange(75) / 25, stem)
    lips = np.stack([10 * curve / EYES_APART_MM] + [0.5 + 0.1 * curve] * (len(LIPS) - 1), 1)
    arrays: dict[str, Any] = {stem: np.stack((curve, curve), 1), f"{stem}__lips": lips}
    np.savez(
        tmp_path / "grid_s1" / GRID_CURVES,
        names=np.array(["jawOpen", "mouthPucker"]),
        lips_names=np.array(list(LIPS)),
        **arrays,
    )
    suite = grid_people(Folders(tmp_path, tmp_path), 10, PlainHead())
    measured = found(suite, Follower({len(sound): stem}, 10.0, late_s=0.0))
    assert measured["grid_mm.gap_lag_ms"].value == 0.0
    assert measured["grid_mm.gap_r"].value > 0.99
    assert "grid_mm.gap_size_r" not in measured


def test_without_faces_or_a_head_the_suite_reports_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"strangers.curves\.npz is missing"):
        strangers_people(Folders(tmp_path, tmp_path), 1, PlainHead())
    write_people(tmp_path)
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        strangers_people(Folders(tmp_path, tmp_path), 1, None)
    (tmp_path / "strangers/speakers.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MissingDataError, match="holds no clip"):
        strangers_people(Folders(tmp_path, tmp_path), 1, PlainHead())
