from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bridge.export.decimals import LIMIT, PLACES, comma_separated, digits, text_of, two_digits

SMALL = st.floats(-LIMIT, LIMIT, width=32)
LARGE = st.floats(-1e6, 1e6, width=32)


def printed(values: list[float], decimals: int) -> str:
    texts = [f"{value:.{decimals}f}" for value in values]
    zero = f"{-0.0:.{decimals}f}"
    return "".join("," + (text[1:] if text == zero else text) for text in texts)


@pytest.mark.parametrize("decimals", PLACES)
@given(values=arrays.arrays(np.float32, st.integers(1, 40), elements=SMALL))
def test_the_digits_are_those_of_printf(values: np.ndarray, decimals: int) -> None:
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


@pytest.mark.parametrize("decimals", PLACES)
@given(values=arrays.arrays(np.float32, st.integers(1, 5), elements=LARGE))
def test_large_numbers_keep_their_digits(values: np.ndarray, decimals: int) -> None:
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


@pytest.mark.parametrize("decimals", PLACES)
def test_halves_and_zeros(decimals: int) -> None:
    values = np.array([0.0, -0.0, 0.5, -1e-12, 2.0**-11, -(2.0**-7), 99.0], dtype=np.float32)
    assert text_of(comma_separated(values, decimals)).decode() == printed(values.tolist(), decimals)


def test_a_table_keeps_its_rows() -> None:
    words = comma_separated(np.float32([[0.25, -1.0], [12.5, 0.0]]), 6)
    assert [text_of(row) for row in words] == [b",0.250000,-1.000000", b",12.500000,0.000000"]


def test_counting_numbers() -> None:
    assert two_digits(np.array([0, 7, 59])).tobytes() == b"000759"
    assert digits(np.array([0, 123, 9999])).tobytes() == b"000001239999"
