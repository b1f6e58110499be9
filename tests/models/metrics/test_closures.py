from __future__ import annotations

import math

import numpy as np
import pytest

from cstalk_bridge.models.metrics.closures import (
    SHUT,
    Closures,
    closing_time,
    closures,
    resting,
)
from cstalk_bridge.models.training.alignment import speech_span

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


def falling(last_open_s: float, rows: int = 100) -> np.ndarray:
    """An opening that falls linearly by 1 a second and crosses `SHUT` at `last_open_s`."""
    times_s = np.arange(rows) / 50
    return np.clip(SHUT + last_open_s - times_s, 0.0, 1.0).astype(np.float32)


def test_the_closing_time_lies_between_rows() -> None:
    assert closing_time(falling(0.73), 0.6) == pytest.approx(0.13, abs=1e-4)
    assert closing_time(falling(0.61), 0.605) == pytest.approx(0.005, abs=1e-4)


def test_a_mouth_shut_in_time_takes_none_and_one_that_stays_open_the_whole_rest() -> None:
    assert closing_time(falling(0.5), 0.6) == 0.0
    assert closing_time(np.ones(100, dtype=np.float32), 0.98) == pytest.approx(1.0)


def test_a_mouth_that_opens_again_is_not_shut() -> None:
    opening = falling(0.5)
    opening[50:55] = 0.5
    assert 0.48 < closing_time(opening, 0.6) <= 0.5


def test_rest_is_what_is_far_from_speech() -> None:
    opening = np.arange(100, dtype=np.float32)
    assert resting(opening, 0.5, 1.0).tolist() == [*range(10), *range(66, 100)]


def test_speech_is_found_by_its_level() -> None:
    sound = np.zeros(16_000, dtype=np.float32)
    sound[3200:9600] = 0.1
    sound[9600:12_800] = 0.0005  # 46 dB under it
    assert speech_span(sound) == pytest.approx((0.2, 0.6))
    assert speech_span(np.zeros(16_000, dtype=np.float32)) == (0.0, 0.0)
