from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.articulation import joined, lips_at_phones, middles, mouth_at_phones
from models.training.phones import INDEX
from tests.models.evaluation.heads import GAP_MM, WIDTH_MM, PlainHead


def rows_of(*spoken: tuple[str, int]) -> np.ndarray:
    return np.concatenate([np.full(rows, INDEX[phone]) for phone, rows in spoken])


def test_a_bilabial_is_closed_by_its_narrowest_row_a_vowel_by_its_middle() -> None:
    phones = rows_of(("SIL", 4), ("B", 5), ("AA", 9), ("IY", 7), ("M", 3), ("AE", 2), ("SIL", 4))
    gap = np.full(len(phones), 6.0)
    gap[8] = 0.5  # in the last row of b
    gap[9 + 4] = 0.9  # in the middle of aa
    found = lips_at_phones(gap, phones)
    assert found["closed"] == [1.0, 0.0]
    assert found["narrowest"] == [0.5, 6.0]
    assert sorted(found["false"]) == [0.0, 1.0]  # ae is too short to count
    assert sorted(found["open"]) == [0.9, 6.0]
    assert found["close"] == [6.0]


def test_teeth_and_rounding_are_looked_at_in_the_middle() -> None:
    phones = rows_of(("S", 5), ("W", 5), ("IY", 5), ("F", 5))
    jaw = np.where(np.arange(20) < 5, 0.05, 0.3).astype(np.float32)
    pucker = np.zeros(20, np.float32)
    pucker[5:10] = 0.5
    mouth = PlainHead().geometry({"jawOpen": jaw, "mouthPucker": pucker})
    found = mouth_at_phones(mouth, WIDTH_MM, phones)
    assert found["teeth"] == [1.0]
    assert found["sibilant"] == pytest.approx([1.0])
    assert found["rounded"] == [1.0]
    assert found["misrounded"] == [0.0]
    assert found["tucked"] == [0.0]
    assert found["funnelled"] == []
    assert found["close"] == pytest.approx([0.3 * GAP_MM])


def test_clips_join_by_name() -> None:
    assert joined([{"a": [1.0], "b": []}, {"a": [2.0]}]) == {"a": [1.0, 2.0], "b": []}
    assert middles(rows_of(("SIL", 3), ("P", 4)), ("P", "M")).tolist() == [5]
