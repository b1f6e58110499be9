from random import Random

import numpy as np

from bridge.face.alive.brows import Brows
from bridge.face.alive.cues import Moment

TICK_S = 1 / 60


def test_brows_accent_some_of_the_strong_stresses_and_none_of_the_weak() -> None:
    accents = 0
    for seed in range(200):
        brows = Brows(Random(seed))
        raised = [brows.step(Moment(TICK_S, stressed=0.9))]
        raised += [brows.step(Moment(TICK_S)) for _ in range(90)]
        accents += max(raised) > 0.05
        assert max(raised) < 0.4
        assert raised[-1] < 0.01
        assert np.abs(np.diff(raised)).max() < 0.06
    assert 0.5 < accents / 200 < 0.7
    brows = Brows(Random(1))
    assert not any(brows.step(Moment(TICK_S, stressed=0.5)) for _ in range(100))


def test_brows_do_not_dance_on_every_syllable() -> None:
    brows = Brows(Random(2))
    course = np.array([brows.step(Moment(TICK_S, stressed=1.0)) for _ in range(3600)])
    peaks = np.flatnonzero((course[1:-1] > course[:-2]) & (course[1:-1] >= course[2:]))
    assert 20 < len(peaks) < 100
    assert course.max() < 0.5
