from __future__ import annotations

import pytest
from feast import Field
from feast.types import Array, Bytes, Float32, String

from feature_repo.definitions.fields import UnknownType, column_of, field_of, flag, number, text, timestamps
from feature_repo.schema import Column, DType


@pytest.mark.parametrize("dtype", [each for each in DType if each is not DType.MONEY])  # a price is a Float32
def test_a_column_comes_back_from_its_field(dtype: DType) -> None:
    column = Column("stars", dtype, "mean stars", "stars", False, 0, 4.5)
    assert column_of(field_of(column)) == column


def test_the_allowed_values_come_back_from_a_field() -> None:
    column = Column("cuisine", DType.STRING, "kind of food", nullable=True, allowed=("thai", 'a "b", c'))
    assert column_of(field_of(column)) == column


def test_a_constructor_makes_a_plain_field() -> None:
    assert number("stars", "mean stars", "stars", 0, 5) == Field(
        name="stars", dtype=Float32, description="mean stars", tags={"unit": "stars", "min": "0", "max": "5"}
    )
    assert flag("is_open", "1 if open").tags == {"unit": "flag", "min": "0", "max": "1"}
    assert text("cuisine", "kind of food").dtype == String
    assert timestamps("visits", "of the user").tags == {"unit": "us since epoch"}


def test_a_plain_field_without_tags_is_a_column_without_bounds() -> None:
    assert column_of(Field(name="stars", dtype=Float32)) == Column("stars", DType.FLOAT32, "stars", nullable=True)
    assert column_of(Field(name="tags", dtype=Array(String))).dtype is DType.STRING_LIST


def test_a_type_that_no_reader_knows_is_named() -> None:
    with pytest.raises(UnknownType, match=r"photo is Bytes, and the types are .*Float32"):
        column_of(Field(name="photo", dtype=Bytes))


def test_a_tag_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match="stars: the tag 'max' is a number as text, not 'five'"):
        column_of(Field(name="stars", dtype=Float32, tags={"max": "five"}))
    with pytest.raises(ValueError, match="cuisine: the tag 'allowed' is a JSON list of strings, not 'thai, greek'"):
        column_of(Field(name="cuisine", dtype=String, tags={"allowed": "thai, greek"}))
