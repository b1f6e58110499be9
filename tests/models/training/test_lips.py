"""Lips part by as much as was asked for, whoever parts them; effort opens them wider."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.training.effort import CLOSES, OPENS, opening, with_effort
from cstalk_bridge.models.training.lips import (
    GAP_MM,
    LOWER_SHARE,
    MOST_OWN,
    WIDTH_MM,
    gap_mm,
    opened,
    stretch_of,
)
from cstalk_bridge.models.training.mouth_loss import huber, mouth_loss, mouth_of
from cstalk_bridge.models.training.rules import GESTURES

SHARES = st.floats(0, 1)


def column(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float32)


@given(st.floats(0, 14), SHARES, st.floats(0.02, 1), st.floats(0, 0.6))
def test_lips_part_as_far_as_was_asked(
    gap: float, share: float, limit: float, funnel: float
) -> None:
    made = opened(column(gap), column(share), column(limit), column(funnel))
    assert made["jaw"][0] <= limit + 1e-6
    assert made["funnel"][0] <= funnel + 1e-6
    assert min(float(values[0]) for values in made.values()) >= 0.0
    reached = gap_mm(made | {"lips_together": column(0.0)})[0]
    own_mm = MOST_OWN * GAP_MM["lower_depress"] / LOWER_SHARE
    assert reached <= gap + 1e-3
    assert reached == pytest.approx(gap, abs=1e-3) or gap > own_mm


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
    told = {"jaw": 0.2, "upper_raise": 0.3, "lower_depress": 0.1, "funnel": 0.2}
    expected = gap_mm({n: column(v) for n, v in told.items()} | {"lips_together": column(0.0)})
    assert mouth_of(face(**told)).gap[0, 0].item() == pytest.approx(float(expected[0]), rel=1e-4)
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


def test_effort_is_heard_and_opens() -> None:
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
