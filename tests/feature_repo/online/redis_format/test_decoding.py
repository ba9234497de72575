"""Decoding reads Feast's own messages and the bytes of our encoding."""

import numpy as np
import pyarrow as pa
import pytest
from feast import ValueType
from feast.protos.feast.types.Value_pb2 import FloatList, Int64List, StringList, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.online.redis_format import decoding
from feature_repo.online.redis_format.encoding import encode
from feature_repo.schema import DType
from feature_repo.slate import column_array

FLOATS = st.lists(st.none() | st.floats(width=32, allow_nan=False), max_size=20)
INT64 = st.integers(-(2**52), 2**52)
NOTHING = st.sampled_from([None, b""])


def stored(column: pa.Array, kind: ValueType) -> list[bytes]:
    return encode(column, kind).to_pylist()


@given(FLOATS)
def test_floats_are_decoded_bit_for_bit(values):
    column = stored(pa.array(values, pa.float32()), ValueType.FLOAT)
    np.testing.assert_array_equal(decoding.floats(column), column_array(values, DType.FLOAT32))


@given(st.lists(st.none() | INT64, max_size=20))
def test_integers_are_decoded_as_float64_also_if_negative(values):
    column = stored(pa.array(values, pa.int64()), ValueType.INT64)
    np.testing.assert_array_equal(decoding.timestamps(column), column_array(values, DType.INT64))


@given(st.lists(st.none() | st.text(max_size=200), max_size=10))
def test_texts_are_decoded_also_if_empty(values):
    column = stored(pa.array(values, pa.string()), ValueType.STRING)
    assert decoding.texts(column).tolist() == values


@given(st.lists(st.none() | st.lists(st.text(max_size=5), max_size=4), max_size=5))
def test_lists_are_decoded_and_an_empty_list_is_not_null(values):
    column = stored(pa.array(values, pa.list_(pa.string())), ValueType.STRING_LIST)
    assert decoding.array(column, DType.STRING_LIST).tolist() == [
        None if each is None else tuple(each) for each in values
    ]
    assert [decoding.value(cell, DType.STRING_LIST) for cell in column] == values


@given(NOTHING, st.sampled_from([DType.FLOAT32, DType.INT64, DType.STRING, DType.INT64_LIST]))
def test_a_value_that_was_never_stored_is_null(nothing, dtype):
    (found,) = decoding.array([nothing], dtype)
    assert found is None or np.isnan(found)


def test_a_value_of_an_unexpected_type_is_still_decoded():
    double, text = Value(double_val=1.5).SerializeToString(), Value(int32_val=7).SerializeToString()
    assert decoding.floats([double, Value(float_val=2.0).SerializeToString()]).tolist() == [1.5, 2.0]
    assert decoding.timestamps([text, Value(int64_val=8).SerializeToString()]).tolist() == [7, 8]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Value(), None),
        (Value(null_val=0), None),
        (Value(string_val=""), ""),
        (Value(int64_list_val=Int64List(val=[3, -1])), [3, -1]),
        (Value(string_list_val=StringList(val=[])), []),
    ],
)
def test_any_value_is_decoded_as_by_feast(value, expected):
    assert decoding.value_of(value.SerializeToString()) == expected


VALUES = st.one_of(
    st.just(Value()),
    st.just(Value(null_val=0)),
    st.builds(lambda x: Value(float_val=x), st.floats(width=32)),
    st.builds(lambda x: Value(double_val=x), st.floats()),
    st.builds(lambda x: Value(int64_val=x), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda x: Value(string_val=x), st.text(max_size=200)),
    st.builds(lambda x: Value(string_list_val=StringList(val=x)), st.lists(st.text(max_size=4), max_size=5)),
    st.builds(lambda x: Value(int64_list_val=Int64List(val=x)), st.lists(INT64, max_size=5)),
    st.builds(lambda x: Value(float_list_val=FloatList(val=x)), st.lists(st.floats(width=32), max_size=5)),
)


@given(VALUES, st.sampled_from(DType))
def test_the_fast_decoder_gives_the_same_value_as_the_general_one(value, dtype):
    stored = value.SerializeToString()
    assert repr(decoding.value(stored, dtype)) == repr(decoding.value_of(stored))
    assert decoding.value(None, dtype) is decoding.value(b"", dtype) is None


@given(st.lists(NOTHING | st.integers(1, 2**52), max_size=10))
def test_event_timestamps_are_microseconds_and_0_if_there_is_none(timestamps):
    column = [
        Timestamp(seconds=m // 1_000_000, nanos=m % 1_000_000 * 1_000).SerializeToString() if isinstance(m, int) else m
        for m in timestamps
    ]
    assert decoding.event_us(column).tolist() == [m if isinstance(m, int) else 0 for m in timestamps]
