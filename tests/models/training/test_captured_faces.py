"""Lips part by the requested gap, whichever gestures part them; effort opens them wider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training import captured_faces
from cstalk_bridge.models.training.augmentation import CLOSES, OPENS, opening, with_effort
from cstalk_bridge.models.training.captured_faces import (
    ACTION_UNIT_GAINS,
    CAPTURED_SOURCES,
    CURVES,
    EYES_APART_CM,
    GAP_MM,
    LOWER_SHARE,
    MOST_OWN,
    OBSERVED_CHANNELS,
    PARTED_MM,
    PURSE_CLOSES_MM,
    SLIDERS,
    TRACKED_LIPS,
    WIDTH_MM,
    ActionUnits,
    CapturedClip,
    CapturedMouths,
    correlation,
    emotion_of,
    gap_mm,
    inputs_of,
    opened,
    stretch_of,
    train_articulation,
)
from cstalk_bridge.models.training.loss import huber, mouth_loss, mouth_of
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.sources import GRID_CURVES

if TYPE_CHECKING:
    from pathlib import Path


SHARES = st.floats(0, 1)


def column(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float32)


@given(st.floats(0, 14), SHARES, st.floats(0.02, 1), st.floats(0, 0.6))
def test_lips_part_as_far_as_was_asked(
    gap: float, purse: float, limit: float, funnel: float
) -> None:
    rounding = {"purse": column(purse), "funnel": column(funnel)}
    made = opened(column(gap), column(limit), rounding)
    assert made["jaw"][0] <= limit + 1e-6
    assert made["funnel"][0] <= funnel + 1e-6
    assert min(float(values[0]) for values in made.values()) >= 0.0
    reached = gap_mm(made | {"purse": column(purse), "lips_together": column(0.0)})[0]
    own_mm = MOST_OWN * GAP_MM["lower_depress"] / LOWER_SHARE - PURSE_CLOSES_MM * purse
    assert reached <= gap + 1e-3
    assert reached == pytest.approx(gap, abs=1e-3) or gap > own_mm or gap < PARTED_MM


def test_a_stretch_makes_up_for_what_narrows_a_mouth() -> None:
    still = {name: column(0.0) for name in GESTURES}
    assert stretch_of(column(7.0), still)[0] == pytest.approx(7.0 / WIDTH_MM["stretch"])
    pursed = still | {"purse": column(0.5)}
    assert stretch_of(column(7.0), pursed)[0] > 0.5
    assert stretch_of(column(-3.0), still)[0] == 0.0


def face(**gestures: float) -> torch.Tensor:
    made = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    for name, value in gestures.items():
        for channel in GESTURES[name].channels:
            made[..., AUDIO_DRIVEN.index(channel)] = value
    return made


def test_a_mouth_shows_what_the_gestures_open() -> None:
    gestures = {"jaw": 0.2, "upper_raise": 0.3, "lower_depress": 0.1, "funnel": 0.2}
    gestures["purse"] = 0.3
    expected = gap_mm({n: column(v) for n, v in gestures.items()} | {"lips_together": column(0.0)})
    assert mouth_of(face(**gestures)).gap[0, 0].item() == pytest.approx(
        float(expected[0]), rel=1e-4
    )
    assert mouth_of(face(jaw=0.2, lips_together=1.0)).gap.abs().max() < 1e-6
    assert mouth_of(face(stretch=0.5)).width[0, 0].item() == pytest.approx(7.0)


def test_parting_closed_lips_and_teeth_costs_more_than_the_other_way() -> None:
    seen = torch.ones(1, 5, dtype=torch.bool)
    closed, parted = face(jaw=0.04, lips_together=1.0), face(jaw=0.04)
    assert mouth_loss(parted, closed, seen) > 2 * mouth_loss(closed, parted, seen)
    lips = 0.1 * GAP_MM["jaw"] / GAP_MM["lower_depress"]
    together, apart = face(jaw=0.03, lower_depress=lips), face(jaw=0.13)
    assert mouth_loss(apart, together, seen) > mouth_loss(together, apart, seen)
    assert mouth_loss(parted, closed, ~seen) == 0.0


def test_huber_is_square_near_and_straight_far() -> None:
    errors = torch.tensor([0.0, 0.5, 1.0, 3.0])
    assert huber(errors, 1.0).tolist() == pytest.approx([0.0, 0.125, 0.5, 2.5])


def test_effort_is_audible_and_opens() -> None:
    random = np.random.default_rng(2)
    times_s = np.arange(16_000) / 16_000
    harmonics = np.arange(1, 30)[:, None]
    voice = (np.sin(2 * np.pi * 120 * harmonics * times_s) / harmonics).sum(axis=0)
    sound = (0.02 * voice).astype(np.float32)
    shout, murmur = (with_effort(sound, effort, random) for effort in (1.0, -1.0))
    assert np.square(shout).mean() > 4 * np.square(sound).mean() > 16 * np.square(murmur).mean()

    def bright(x: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(x)) ** 2
        return float(power[2000:].sum() / power.sum())

    assert bright(shout) > bright(sound) > bright(murmur)
    assert with_effort(sound, 0.0, random) is sound
    wider = opening(np.array([1.0, 0.0, -1.0], dtype=np.float32))
    assert wider.tolist() == pytest.approx([1 + OPENS, 1.0, 1 - CLOSES])


NAMES = [*(f"{unit}_r" for unit in ACTION_UNIT_GAINS), "AU45_r", "AU12_c"]
HAPPY, NEUTRAL = "03-01-03-02-01-01-04", "03-01-01-01-01-01-04"


def archive(happy: dict[str, float], rest: float = 0.5) -> dict[str, object]:
    neutral = np.full((60, len(NAMES)), rest, dtype=np.float16)
    smiling = neutral.copy()
    for name, value in happy.items():
        smiling[:, NAMES.index(name)] = value
    return {"names": np.array(NAMES), HAPPY: smiling, NEUTRAL: neutral}


def channel(board: np.ndarray, name: str) -> np.ndarray:
    return board[10:90, AUDIO_DRIVEN.index(name)]


def test_a_smile_pulls_both_corners_and_nothing_else() -> None:
    board = ActionUnits(archive({"AU12_r": 3.0, "AU45_r": 5.0})).channels(HAPPY, 100)
    assert board is not None
    assert channel(board, "CTRL_L_mouth_cornerPull.ty") == pytest.approx(0.5, abs=0.01)
    assert channel(board, "CTRL_R_mouth_cornerPull.ty") == pytest.approx(0.5, abs=0.01)
    others = [i for i, name in enumerate(AUDIO_DRIVEN) if "cornerPull" not in name]
    assert np.abs(board[:, others]).max() == 0.0


def test_units_of_one_slider_add_up_within_its_range() -> None:
    board = ActionUnits(archive({"AU25_r": 5.0, "AU26_r": 5.0, "AU05_r": 5.0}, 0.0)).channels(
        HAPPY, 100
    )
    assert board is not None
    assert channel(board, "CTRL_C_jaw.ty") == pytest.approx(1.0, abs=0.01)
    assert channel(board, "CTRL_L_eye_blink.ty") == pytest.approx(-1.0, abs=0.01)


def test_rest_is_a_still_face_and_an_untracked_clip_has_none() -> None:
    units = ActionUnits(archive({}))
    board = units.channels(NEUTRAL, 100)
    assert board is not None
    assert np.abs(board).max() == 0.0
    assert units.channels("03-01-03-02-01-01-09", 100) is None


def test_what_units_observe_is_masked_by_the_same_table() -> None:
    observed = {name for name, seen in zip(AUDIO_DRIVEN, OBSERVED_CHANNELS, strict=True) if seen}
    assert {"CTRL_C_jaw.ty", "CTRL_L_brow_down.ty", "CTRL_R_mouth_stretch.ty"} <= observed
    assert not any("tongue" in name or "lipsTogether" in name for name in observed)


@pytest.mark.parametrize(
    ("stem", "emotion"),
    [
        (HAPPY, {"happy": 1.0}),
        ("03-01-05-01-02-02-11", {"angry": 0.6}),
        (NEUTRAL, {"neutral": 1.0}),
        ("03-01-02-01-01-01-04", None),
    ],
)
def test_the_file_name_gives_the_acted_emotion(stem: str, emotion: dict[str, float] | None) -> None:
    assert emotion_of(stem) == emotion


@pytest.fixture
def mouths(tmp_path: Path) -> CapturedMouths:
    for source in ("grid_s1", "facegood"):
        (tmp_path / source).mkdir()
    talker = np.tile(np.array([0.1, 0.02, 0.0], np.float16), (30, 1))
    talker[10:20] = [0.5, 0.25, 0.2]
    names, seen = np.array(["jawOpen", "mouthClose", "mouthPucker"]), np.array(TRACKED_LIPS)
    lips = np.tile(np.array([0.01, 0.6], np.float16), (30, 1))
    lips[10:20] = [0.11, 0.65]
    np.savez(
        tmp_path / "grid_s1" / GRID_CURVES, names=names, lips_names=seen, a=talker, a__lips=lips
    )
    sliders = sorted({name for mix in SLIDERS.values() for name in mix})
    solved = np.zeros((30, len(sliders)), np.float16)
    solved[:, sliders.index("mouth_stretch_c")] = 0.4
    solved[:, sliders.index("mouth_oo_c")] = 0.5
    np.savez(tmp_path / "facegood/curves.npz", names=np.array(sliders), b=solved)
    return CapturedMouths({s: tmp_path / s for s in ("grid_s1", "facegood")})


def test_the_tracked_talker_is_taken_above_his_silence(mouths: CapturedMouths) -> None:
    phones = np.zeros(50, np.int64)
    phones[20:38] = 3
    curves = dict(zip(CURVES, mouths.grid("a", phones).T, strict=True))
    assert curves["gap"][28] == pytest.approx(0.1 * EYES_APART_CM, abs=5e-3)
    assert curves["width"][28] == pytest.approx(0.05 * EYES_APART_CM, abs=5e-3)
    assert abs(curves["gap"][:15]).max() < 1e-3
    assert abs(curves["width"][:15]).max() < 1e-3
    assert curves["pucker"][28] == pytest.approx(0.4, abs=1e-3)


def test_the_solved_talker_has_gap_and_purse(mouths: CapturedMouths) -> None:
    curves = mouths.facegood("b", 40)
    parted_mm = GAP_MM["jaw"] * 0.4 + GAP_MM["funnel"] * 0.15
    assert 10 * curves[:, 0] == pytest.approx(parted_mm, abs=1e-2)
    assert curves[:, 1] == pytest.approx(0.35, abs=1e-3)
    assert curves[:, 2].max() == 0.0


ROWS = 150
SIZES = {"grid_s1": 0.4, "facegood": 0.2}


def lesson(source: str, seed: int) -> CapturedClip:
    """A talker whose lips part in AA and purse in UW."""
    random = np.random.default_rng(seed)
    spoken = np.repeat(random.choice([0, PHONES.index("AA"), PHONES.index("UW")], ROWS // 10), 10)
    probabilities = np.eye(len(PHONES), dtype=np.float32)[spoken]
    captured = np.zeros((ROWS, len(CURVES)), dtype=np.float32)
    captured[:, CURVES.index("gap")] = SIZES[source] * (spoken == PHONES.index("AA"))
    captured[:, CURVES.index("pucker")] = SIZES[source] * (spoken == PHONES.index("UW"))
    loudness = (spoken > 0).astype(np.float32)
    return CapturedClip(source, inputs_of(probabilities, loudness), captured)


def test_it_learns_both_and_carries_in_the_first_ones_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_faces, "STEPS", 120)
    lessons = [lesson(source, seed) for source in CAPTURED_SOURCES for seed in range(4)]
    network = train_articulation(lessons, 1)
    fresh = [lesson("grid_s1", 9), lesson("facegood", 9)]
    gap, pucker, _ = correlation(network, fresh)
    assert gap > 0.9
    assert pucker > 0.9
    carried = network.predict_average(fresh[0].inputs)
    opened = fresh[0].captured[:, 0] > 0
    assert carried.shape == (ROWS, len(CURVES))
    assert carried[opened, 0].mean() == pytest.approx(SIZES["grid_s1"], rel=0.35)
    assert carried[:, :2].min() >= 0.0
