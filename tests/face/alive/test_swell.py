from random import Random

import numpy as np
import pytest

from bridge.face.alive.swell import SWELL_SD, Swell

TICK_S = 1 / 60


def course(seconds: float, idle: float = 1.0) -> np.ndarray:
    swell = Swell(Random(3))
    return np.array([swell.step(TICK_S, idle) for _ in range(round(seconds / TICK_S))])


def test_what_is_held_swells_slowly_by_a_share() -> None:
    found = course(1800.0)
    assert found.std() == pytest.approx(SWELL_SD, rel=0.25)
    assert np.abs(np.diff(found)).max() < 0.01


def test_without_idle_nothing_swells() -> None:
    assert not course(10.0, idle=0.0).any()
