"""Values as texts."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.live.items.change import text_of, value_of
from feature_repo.schema import DType


def bits(value: float) -> bytes:
    return struct.pack("<f", value)


def in_sql(text: str, dtype: DType) -> Any:
    """As the build reads it: by the log's type, then by the view's."""
    view = DType.FLOAT32 if dtype is DType.MONEY else dtype
    return duckdb.execute(f"SELECT CAST(CAST($1 AS {duckdb_type(dtype)}) AS {duckdb_type(view)})", [text]).fetchall()[
        0
    ][0]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_the_same_bits_in_redis_and_in_the_build(value: float) -> None:
    text = text_of(value, DType.FLOAT32)
    assert text is not None
    assert bits(value_of(text, DType.FLOAT32)) == bits(in_sql(text, DType.FLOAT32)) == bits(value)


@given(st.integers(0, 10_000_000))
def test_money_is_the_same_bits_in_redis_and_in_the_build_and_is_read_back_from_the_store(cents: int) -> None:
    text = text_of(Decimal(cents) / 100, DType.MONEY)
    assert text == f"{cents // 100}.{cents % 100:02}"
    assert bits(value_of(text, DType.MONEY)) == bits(in_sql(text, DType.MONEY))
    assert text_of(float(np.float32(value_of(text, DType.MONEY))), DType.MONEY) == text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (None, DType.STRING, None),
        ("é", DType.STRING, "é"),
        (True, DType.INT64, "1"),
        (0, DType.INT64, "0"),
        (True, DType.FLOAT32, "1.0"),
        (3, DType.MONEY, "3.00"),
        (Decimal("-0"), DType.MONEY, "0.00"),
        (Decimal("1.005"), DType.MONEY, "1.00"),  # halves to even
        (0.1, DType.FLOAT32, "0.10000000149011612"),
    ],
)
def test_the_text_of_a_value(value: object, dtype: DType, text: str | None) -> None:
    assert text_of(value, dtype) == text


def test_a_text_that_is_not_of_the_type_has_no_value() -> None:
    assert value_of(None, DType.INT64) is None
    assert math.isinf(value_of("inf", DType.FLOAT32))
    for text, dtype in (("x", DType.MONEY), ("1.5", DType.INT64), ("", DType.FLOAT32)):
        with pytest.raises(ValueError, match=r"could not|invalid literal"):
            value_of(text, dtype)
