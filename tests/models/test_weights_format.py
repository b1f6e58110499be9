"""Described files: what is written comes back, from NumPy and from torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from pathlib import Path


FORMAT = "test-1"
DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_]
TENSORS = st.dictionaries(
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=12),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            arrays.array_shapes(min_dims=0, max_dims=3, max_side=4),
            elements={"allow_nan": False, "allow_infinity": False}
            if np.issubdtype(dtype, np.floating)
            else None,
        )
    ),
    max_size=4,
).filter(lambda tensors: "__metadata__" not in tensors)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("described") / "a.safetensors"


@pytest.mark.parametrize("is_torch", [False, True])
@given(tensors=TENSORS)
def test_tensors_come_back_as_they_were(
    path: Path, tensors: dict[str, np.ndarray], *, is_torch: bool
) -> None:
    given_ones = (
        {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
        if is_torch
        else tensors
    )
    write_tensors(path, given_ones, FORMAT, {"a": 1, "b": [1.5, None, "ö"]})
    found, description = read_tensors(path, FORMAT)
    assert description == {"a": 1, "b": [1.5, None, "ö"]}
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert not list(path.parent.glob("*.partial"))


def test_a_view_is_written_as_it_reads(path: Path) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {
        "turned": base.T,
        "strided": base[::2, 1::2],
        "reversed": base[::-1],
        "spread": np.broadcast_to(base[0], (3, 6)),
    }
    for tensors in (views, {k: torch.from_numpy(base)[:, :2].T for k in ("turned",)}):
        write_tensors(path, tensors, FORMAT, {})
        for name, array in read_tensors(path, FORMAT)[0].items():
            np.testing.assert_array_equal(array, np.asarray(tensors[name]))


def test_values_that_are_not_finite_are_refused(path: Path) -> None:
    write_tensors(path, {"a": np.array([1.0, np.nan])}, FORMAT, {})
    with pytest.raises(WeightsError, match="not finite"):
        read_tensors(path, FORMAT)


def test_what_cannot_be_written_leaves_the_file_as_it_was(path: Path) -> None:
    write_tensors(path, {"a": np.ones(2)}, FORMAT, {"version": 1})
    with pytest.raises((TypeError, ValueError)):
        write_tensors(path, {"a": np.ones(2)}, FORMAT, {"version": {1, 2}})
    found, description = read_tensors(path, FORMAT)
    assert description == {"version": 1}
    assert found["a"].tolist() == [1.0, 1.0]
