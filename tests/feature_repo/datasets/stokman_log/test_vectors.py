"""The vectors: read without pickle, and given to the items that the mapping names."""

import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.stokman_log.vectors import read_vectors
from feature_repo.schema import ITEM_VECTORS
from tests.feature_repo.datasets.stokman_source import VIEW, action, at, product


def test_the_mapped_items_of_the_log_have_their_vectors(log_of, out):
    late = product("late", add_date=at(days=9).replace(tzinfo=None))
    query = log_of(
        actions=[action(VIEW, at(), ["a", "new"])],
        catalog=[product("b"), product("a"), product("c"), late],
        mapping=[("a", 2), ("b", 0), ("new", 1), ("elsewhere", 1), ("late", 1)],
        vectors=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]),
    )
    assert query("SELECT item_id, vector FROM item_vectors") == [
        ("a", [5.0, 6.5]),
        ("b", [1.0, 2.0]),
        ("new", [3.0, 4.0]),
    ]
    assert [(f.name, f.type) for f in pq.read_schema(out / "item_vectors.parquet")] == [
        (f.name, f.type) for f in ITEM_VECTORS.arrow
    ]


def test_without_a_mapped_item_the_table_is_empty(log_of):
    query = log_of(actions=[action(VIEW, at(), ["a"])], mapping=[("elsewhere", 0)])
    assert query("SELECT count(*) FROM item_vectors") == [(0,)]


def saved(tmp_path, **arrays):
    path = tmp_path / "vectors.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "uint32"])
def test_numbers_of_any_type_become_float32(tmp_path, dtype):
    found = read_vectors(saved(tmp_path, some_name=np.array([[1, 2]], dtype)))
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0, 2.0]]


def test_of_several_arrays_the_one_named_vectors_is_read(tmp_path):
    assert read_vectors(saved(tmp_path, ids=np.arange(3), vectors=np.ones((2, 4)))).shape == (2, 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": np.array([{"a": 1}], object)}, "needs pickle, which is not read"),
        ({"vectors": np.array([[1.0], [np.nan]])}, "column 'vectors', row 2: a number is not finite"),
        ({"vectors": np.array([[np.inf]])}, "row 1: a number is not finite"),
        ({"vectors": np.array([[1e300]])}, "row 1: a number is not finite"),
        ({"vectors": np.arange(3.0)}, r"the shape is \(3,\)"),
        ({"vectors": np.ones((0, 3))}, r"the shape is \(0, 3\)"),
        ({"vectors": np.array([["x"]])}, "the type <U1; it must be"),
        ({"indices": np.arange(2), "data": np.ones(2)}, "holds the arrays indices, data; it must hold one"),
        ({}, "holds the arrays none"),
    ],
)
def test_anything_else_is_refused(tmp_path, arrays, message):
    with pytest.raises(BadSource, match=message):
        read_vectors(saved(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    with pytest.raises(BadSource, match=r"vectors\.npz: "):
        read_vectors(path)


def test_a_single_array_that_is_not_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "vectors.npz"
    with path.open("wb") as file:
        np.save(file, np.ones((2, 2)))
    with pytest.raises(BadSource, match="is not an npz file"):
        read_vectors(path)


def test_a_vectors_type_is_a_list_of_float32():
    assert ITEM_VECTORS.column("vector").dtype.arrow == pa.list_(pa.float32())


HUGE = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }"
HUGE = HUGE.ljust(127) + b"\n"


@pytest.mark.parametrize("content", [HUGE, HUGE[:40], b"no array"], ids=["a huge shape", "half a header", "junk"])
def test_a_damaged_array_is_refused(tmp_path, content):
    with zipfile.ZipFile(tmp_path / "vectors.npz", "w") as file:
        file.writestr("vectors.npy", content)
    with pytest.raises(BadSource, match="it must be"):
        read_vectors(tmp_path / "vectors.npz")


@pytest.mark.parametrize("position", range(100, 200, 20))
def test_a_damaged_byte_of_a_compressed_file_is_found(tmp_path, position):
    path = tmp_path / "vectors.npz"
    np.savez_compressed(path, vectors=np.random.default_rng(1).normal(size=(50, 8)))
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BadSource, match=str(path)):
        read_vectors(path)
