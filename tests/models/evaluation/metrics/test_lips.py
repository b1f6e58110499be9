from __future__ import annotations

import math

import numpy as np

from models.evaluation.metrics.lips import Closures, closures, runs

P, AA, T = 1, 2, 3
PHONES = np.repeat([T, P, AA, P, AA], [5, 4, 10, 4, 3])


def test_one_of_two_bilabials_is_sealed_and_one_vowel_wrongly() -> None:
    together = np.zeros(len(PHONES), dtype=np.float32)
    together[4] = 0.9  # the row before the first p
    together[14] = 0.6  # the middle of the long vowel
    opening = np.linspace(0.5, 0.1, len(PHONES)).astype(np.float32)
    found = closures(together, opening, PHONES, [P], [AA])
    assert (found.sealed, found.closers, found.false, found.vowels) == (1, 2, 1, 1)
    assert (found.rate, found.false_rate) == (0.5, 1.0)
    assert found.gaps[1] == opening[23]


def test_the_edges_of_a_vowel_belong_to_its_neighbours() -> None:
    together = np.zeros(len(PHONES), dtype=np.float32)
    together[[9, 10, 17, 18]] = 1.0
    assert closures(together, together, PHONES, [P], [AA]).false == 0


def test_clips_add_up_and_none_have_no_rate() -> None:
    one, none = Closures(1, 2, 0, 4, (0.1, 0.2)), Closures(0, 0, 0, 0, ())
    assert one + one == Closures(2, 4, 0, 8, (0.1, 0.2, 0.1, 0.2))
    assert math.isnan(none.rate)
    assert math.isnan(none.false_rate)


def test_runs_reach_both_ends() -> None:
    flags = np.array([1, 1, 0, 1, 0, 1], dtype=np.bool_)
    assert list(runs(flags)) == [(0, 2), (3, 4), (5, 6)]
