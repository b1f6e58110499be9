import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.heads.gltf import MAX_DECODED_BYTES, Accessors, parse_gltf, refuse_compression
from cstalk_bridge.models.errors import UserError
from tests.heads.small import COMPONENTS, Written


def opened(file: Written) -> Accessors:
    file.content()
    return Accessors(parse_gltf(file.document), file.binary)


@given(st.sampled_from(sorted(COMPONENTS)), st.booleans(), st.integers(0, 8), st.integers(0, 2**32))
def test_every_type_is_read(dtype: str, normalized: bool, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    raw = random.integers(0, 256, count * 3 * np.dtype(dtype).itemsize, np.uint8)
    values = raw.view(dtype).reshape(count, 3)
    if dtype == "<f4":
        values = random.normal(size=(count, 3)).astype(np.float32)
    file = Written()
    index = file.accessor(values, dtype, normalized=normalized)
    expected = values.astype(np.float64)
    if normalized and dtype != "<f4":
        expected = np.maximum(expected / np.iinfo(dtype).max, -1.0)
    read = opened(file).floats(index, 3)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, rtol=1e-6)


def test_interleaved_elements_are_read() -> None:
    file = Written()
    rows = np.arange(24, dtype=np.float32).reshape(4, 6)
    view = file.view(rows.astype("<f4").tobytes(), byteStride=24)
    for offset in (0, 12):
        entry = {"bufferView": view, "byteOffset": offset, "componentType": 5126}
        file.add("accessors", {**entry, "count": 4, "type": "VEC3"})
    accessors = opened(file)
    np.testing.assert_array_equal(accessors.floats(0, 3), rows[:, :3])
    np.testing.assert_array_equal(accessors.floats(1, 3), rows[:, 3:])


@pytest.mark.parametrize("kind", ["u1", "<u2", "<u4"])
@pytest.mark.parametrize("on", ["zeros", "values"])
def test_sparse_elements_replace_others(kind: str, on: str) -> None:
    base = np.arange(15).reshape(5, 3) if on == "values" else np.zeros((5, 3))
    file = Written()
    sparse = {
        "count": 2,
        "indices": {
            "bufferView": file.view(np.array([1, 4]).astype(kind).tobytes()),
            "componentType": COMPONENTS[kind],
        },
        "values": {"bufferView": file.view(np.full((2, 3), -7, "<i2").tobytes())},
    }
    if on == "values":
        index = file.accessor(base, "<i2", sparse=sparse)
    else:
        entry = {"componentType": 5122, "count": 5, "type": "VEC3", "sparse": sparse}
        index = file.add("accessors", entry)
    expected = base.copy()
    expected[[1, 4]] = -7
    np.testing.assert_array_equal(opened(file).floats(index, 3), expected)


VIEW = {"bufferView": 0, "componentType": 5126, "count": 1, "type": "VEC3"}
SPARSE = {
    "count": 1,
    "indices": {"bufferView": 0, "componentType": 5121},
    "values": {"bufferView": 0},
}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**VIEW, "bufferView": 9}, "buffer view 9 does not exist, there are 1"),
        ({**VIEW, "count": 2}, "2 elements end at byte 24 of 12"),
        ({**VIEW, "byteOffset": 4}, "1 elements end at byte 16 of 12"),
        ({**VIEW, "componentType": 5130}, "component type 5130 is unknown"),
        ({**VIEW, "type": "MAT4"}, "'MAT4' have not 3 numbers"),
        ({**VIEW, "count": 2**31, "bufferView": None}, f"more than {MAX_DECODED_BYTES >> 20} MB"),
        ({**VIEW, "sparse": {**SPARSE, "count": 2}}, "2 sparse elements of 1"),
        ({**VIEW, "sparse": SPARSE}, "a sparse index is 7, there are 1"),
        (
            {**VIEW, "sparse": {**SPARSE, "indices": {"bufferView": 0, "componentType": 5126}}},
            "not unsigned",
        ),
    ],
)
def test_accessors_out_of_bounds_are_reported(entry: dict[str, object], message: str) -> None:
    file = Written()
    file.view(b"\7" + bytes(11))
    index = file.add("accessors", entry)
    with pytest.raises(ValueError, match=message):
        opened(file).floats(index, 3)


def test_other_errors_are_reported() -> None:
    file = Written()
    file.accessor(np.array([[np.inf, 0, 0]]))
    file.accessor(np.array([[0], [5]]), "<u2")
    file.accessor(np.array([[1.0]]))
    accessors = opened(file)
    with pytest.raises(ValueError, match="accessor 0 holds a value that is not finite"):
        accessors.floats(0, 3)
    with pytest.raises(ValueError, match="accessor 1 points to 5, there are 5"):
        accessors.indices(1, 5)
    with pytest.raises(ValueError, match="accessor 2 holds no indices but float32"):
        accessors.indices(2, 5)
    with pytest.raises(ValueError, match="accessor 7 does not exist"):
        accessors.floats(7, 3)
    file.document["bufferViews"][0]["byteLength"] = 4000
    with pytest.raises(ValueError, match="a buffer view ends at byte 4000 of 20"):
        opened(file).floats(0, 3)


@pytest.mark.parametrize(
    "extension",
    ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression"],
)
def test_compressed_meshes_are_refused_with_advice(extension: str) -> None:
    gltf = parse_gltf({"asset": {"version": "2.0"}, "extensionsRequired": [extension]})
    with pytest.raises(UserError, match=f"{extension}.*export it again without mesh compression"):
        refuse_compression(gltf, "head.glb")
