"""Landmarks of real heads: the bundled one, and that of the data set where it is installed."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.evaluation.adapters import HeadInMm, animate, find_landmarks
from cstalk_bridge.heads.mesh import arkit_names
from cstalk_bridge.heads.reading import OWN_HEAD, read_head
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.evaluation.candidates import LoudnessFace
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.lips import AnimatedLips, change_percent
from cstalk_bridge.models.timing import rows_of
from tests.conformance.captures import DATA
from tests.heads.small import small_head
from tests.models.evaluation.recorded import write_kokoro
from tests.models.speech_emotion.conftest import voice

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MultimodalClip
    from cstalk_bridge.models.metrics.geometry import Geometry

    Floats = NDArray[np.float32]


SHARED = DATA.parent / "heads"
OTHERS = [SHARED / name for name in ("ict-head.glb", "mh-head.glb")]
THERE = [path for path in OTHERS if path.exists()]
HEADS = {path.stem: HeadInMm(read_head(path)) for path in (OWN_HEAD, *THERE)}
SIDES = {"left": "right", "right": "left"}


def shown(head: HeadInMm, **weights: float) -> Geometry:
    return head.geometry({name: np.array([value], np.float32) for name, value in weights.items()})


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> HeadInMm:
    return HEADS[request.param]


def test_the_jaw_opens_lips_and_teeth_in_proportion(head: HeadInMm) -> None:
    small, whole = shown(head, jawOpen=0.2), shown(head, jawOpen=1.0)
    assert 5.0 < small.gap[0] < 7.0
    assert whole.gap[0] == pytest.approx(5 * small.gap[0], rel=0.05)
    assert whole.teeth[0] == pytest.approx(5 * small.teeth[0], rel=0.05)
    assert (small.gaps[0, [1, 3]] < small.gap[0] + 1e-3).all()
    assert (small.gaps[0, [0, 4]] < small.gaps[0, [1, 3]]).all()


@pytest.mark.skipif(SHARED / "ict-head.glb" not in THERE, reason="the ICT head is not there")
def test_a_fifth_of_the_jaw_is_six_and_a_half_millimetres_on_the_ict_head() -> None:
    assert shown(HEADS["ict-head"], jawOpen=0.2).gap[0] == pytest.approx(6.6, abs=0.15)


def test_closed_lips_stay_closed_whatever_the_jaw_does(head: HeadInMm) -> None:
    found = shown(head, jawOpen=0.3, mouthClose=0.3)
    assert found.gap[0] < 1.0
    assert found.teeth[0] > 5.0
    assert shown(head, jawOpen=0.0).gaps.max() == 0.0


def test_rounding_narrows_the_mouth_and_brings_lips_forward(head: HeadInMm) -> None:
    rest, round_ = shown(head, jawOpen=0.0), shown(head, mouthPucker=1.0)
    assert 30 < rest.width[0] < 60
    assert round_.width[0] < rest.width[0] - 5
    assert round_.protrusion[0] > 5
    wide = shown(head, mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert wide.width[0] > rest.width[0] + 5


@given(left=st.floats(0, 1, width=32), name=st.sampled_from(arkit_names()))
def test_mirrored_curves_are_measured_mirrored(left: float, name: str) -> None:
    head = HEADS["head"]
    other = next(
        (name.replace(a.title(), b.title()) for a, b in SIDES.items() if name.endswith(a.title())),
        name,
    )
    one, two = shown(head, **{name: left}), shown(head, **{other: left})
    assert one.gaps[0] == pytest.approx(two.gaps[0, ::-1], abs=0.4)
    assert one.width[0] == pytest.approx(two.width[0], abs=0.4)
    assert one.corner_left[0] == pytest.approx(two.corner_right[0], abs=0.4)
    assert one.brow[0, :2] == pytest.approx(two.brow[0, 2:], abs=0.6)


def test_a_raised_brow_rises_on_its_own_side(head: HeadInMm) -> None:
    inner, outer = shown(head, browInnerUp=1.0).brow[0], shown(head, browOuterUpLeft=1.0).brow[0]
    assert min(inner[0], inner[2]) > 3
    assert outer[1] > 3 > abs(outer[3])


def test_the_board_reaches_the_head_through_the_plain_rig_map() -> None:
    face = np.zeros((2, len(AUDIO_DRIVEN)), np.float32)
    face[1, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")] = 0.25
    scores = HEADS["head"].scores(face)
    assert list(scores) == list(arkit_names())
    assert scores["jawOpen"] == pytest.approx([0.0, 0.25])
    assert CHANNELS[CHANNEL_INDEX["CTRL_C_jaw.ty"]].maximum >= 0.25


def test_an_extended_tongue_passes_the_teeth() -> None:
    out, rest = shown(HEADS["head"], tongueOut=0.6), shown(HEADS["head"], tongueOut=0.0)
    assert rest.tongue[0] < 0 < out.tongue[0]


def test_a_head_without_measurable_parts_is_refused_with_their_names() -> None:
    own = read_head(OWN_HEAD)
    toothless = dataclasses.replace(
        own, parts=tuple(part for part in own.parts if "teeth" not in part.name)
    )
    with pytest.raises(UserError, match="no part whose name has `teeth`"):
        find_landmarks(toothless)
    with pytest.raises(UserError, match="small: cannot be measured: no part that all of jawOpen"):
        find_landmarks(small_head())


def test_procedural_animation_is_reproducible_by_seed() -> None:
    sound = voice(4.0)
    rows = rows_of(len(sound))
    face = np.zeros((rows, len(AUDIO_DRIVEN)), np.float32)
    emotions = np.zeros((rows, len(EMOTIONS)), np.float32)
    one, again, other = (animate(sound, emotions, face, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.head, again.head)
    np.testing.assert_array_equal(one.board, again.board)
    assert not np.array_equal(one.head, other.head)
    assert one.board.shape == (rows, len(CHANNELS))
    assert one.gaze_deg.shape == (rows, 2)


def test_procedural_animation_includes_the_given_face() -> None:
    sound = voice(2.0)
    rows = rows_of(len(sound))
    face = np.zeros((rows, len(AUDIO_DRIVEN)), np.float32)
    jaw = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")
    face[:, jaw] = 0.4
    board = animate(sound, np.zeros((rows, len(EMOTIONS)), np.float32), face, 1).board
    names = [channel.name for channel in CHANNELS]
    np.testing.assert_allclose(board[:, names.index("CTRL_C_jaw.ty")], 0.4, atol=1e-6)


def chewing(sound: Floats, emotions: Floats, face: Floats, seed: int) -> MultimodalClip:
    """Procedural animation that opens the jaw by half as much again."""
    animated = animate(sound, emotions, face, seed)
    animated.board[:, CHANNEL_INDEX["CTRL_C_jaw.ty"]] *= 1.5
    return animated


def test_procedural_animation_leaves_lips_alone(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo", "oo oo")
    suite = AnimatedLips(Folders(tmp_path, tmp_path), 10, animate)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found == {"alive.lips": 0.0, "alive.silence": 0.0}


def test_procedural_animation_that_moves_lips_is_detected(tmp_path: Path) -> None:
    write_kokoro(tmp_path, "bo bo")
    suite = AnimatedLips(Folders(tmp_path, tmp_path), 10, chewing)
    found = {one.key: one.value for one in suite.measure(LoudnessFace(), 80)}
    assert found["alive.lips"] > 3.0


def test_without_animation_or_recordings_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
        AnimatedLips(Folders(tmp_path, tmp_path), 10, None)
    with pytest.raises(MissingDataError, match="no recordings"):
        AnimatedLips(Folders(tmp_path, tmp_path), 10, animate)


def test_a_change_is_reported_in_percent_of_the_original() -> None:
    assert change_percent(2.0, 1.9) == pytest.approx(5.0)
    assert change_percent(0.0, 0.0) == change_percent(math.nan, math.nan) == 0.0
    assert change_percent(0.0, 0.1) == math.inf
