"""Nothing but finite float32 of the right shape leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bridge.links.values import checked, made_finite


@given(arrays(np.float64, st.integers(0, 70), elements=st.floats(allow_nan=True)))
def test_what_is_not_a_finite_float32_becomes_0_and_is_counted(values: np.ndarray) -> None:
    finite, replaced = made_finite(values)
    assert finite.dtype == np.float32
    assert np.isfinite(finite).all()
    with np.errstate(over="ignore"):
        expected = values.astype(np.float32)
    kept = np.isfinite(expected)
    assert replaced == np.count_nonzero(~kept)
    np.testing.assert_array_equal(finite[kept], expected[kept])
    assert not finite[~kept].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_checked_names_the_value_that_is_not_finite(bad: float) -> None:
    values = np.zeros(61)
    values[17] = bad
    with pytest.raises(ValueError, match="value 17 of 61 is"):
        checked(values, 61)


@pytest.mark.parametrize("shape", [(60,), (62,), (1, 61), ()])
def test_checked_refuses_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape .*, not \(61,\)"):
        checked(np.zeros(shape), 61)
