"""A Feast Field in one line. Each function returns a plain ``feast.Field``; a ``Field(...)`` of your own does as well.

What Feast has no place for stands in the field's tags, all of them optional:

    unit      of a number, for people
    min, max  bounds, inclusive; a value outside fails the gate of the features
    allowed   the full set of values of a string, as a JSON list
    required  "true" where a null fails the gate
    similar_to, similarity   of a list: which other one it is compared with, and how (feature_repo/derived/typed.py)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from feast import Field
from feast.types import Array, Bool, FeastType, Float32, Float64, Int32, Int64, String, UnixTimestamp

from feature_repo.definitions.view import SimilarColumn
from feature_repo.schema import Column, DType

TIME_UNIT = "us since epoch"

_FEAST_TYPE: dict[DType, FeastType] = {
    DType.STRING: String,
    DType.TIMESTAMP: UnixTimestamp,
    DType.FLOAT32: Float32,
    DType.FLOAT64: Float64,
    DType.BOOL: Bool,
    DType.INT32: Int32,
    DType.INT64: Int64,
    DType.STRING_LIST: Array(String),
    DType.INT64_LIST: Array(Int64),
    DType.FLOAT32_LIST: Array(Float32),
}
_DTYPE = {str(feast_type): dtype for dtype, feast_type in _FEAST_TYPE.items()}


class UnknownType(ValueError):
    """A field's type has no column type here."""


def number(name: str, description: str, unit: str, low: float | None = 0, high: float | None = None) -> Field:
    """A model input as it is. ``low`` and ``high``: inclusive."""
    return field_of(Column(name, DType.FLOAT32, description, unit, True, low, high))


def flag(name: str, description: str) -> Field:
    return number(name, description, "flag", 0, 1)


def text(name: str, description: str) -> Field:
    return field_of(Column(name, DType.STRING, description, nullable=True))


def timestamp(name: str, description: str) -> Field:
    """Microseconds since the epoch. No model input: derived features take its age at the request."""
    return field_of(Column(name, DType.INT64, description, TIME_UNIT, True, 0))


def texts(name: str, description: str) -> Field:
    """A list of strings, like the other lists an input of derived features."""
    return field_of(Column(name, DType.STRING_LIST, description, nullable=True))


def numbers(name: str, description: str, unit: str) -> Field:
    return field_of(Column(name, DType.FLOAT32_LIST, description, unit, True))


def integers(name: str, description: str, unit: str = "") -> Field:
    return field_of(Column(name, DType.INT64_LIST, description, unit, True))


def timestamps(name: str, description: str) -> Field:
    return integers(name, description, TIME_UNIT)


def field_of(column: Column) -> Field:
    bounds = {"min": column.minimum, "max": column.maximum}
    tags = {"unit": column.unit or "none"} | {name: repr(value) for name, value in bounds.items() if value is not None}
    if column.allowed is not None:
        tags["allowed"] = json.dumps(column.allowed)
    if not column.nullable:
        tags["required"] = "true"
    return Field(name=column.name, dtype=_FEAST_TYPE[column.dtype], description=column.description, tags=tags)


def column_of(field: Field) -> Column:
    """The reverse of :func:`field_of`. Raises UnknownType, or ValueError for a tag that cannot be read."""
    tags = field.tags
    dtype = _DTYPE.get(str(field.dtype))
    if dtype is None:
        raise UnknownType(f"{field.name} is {field.dtype}, and the types are {', '.join(sorted(_DTYPE))}")
    unit = tags.get("unit", "none")
    column = Column(
        field.name,
        dtype,
        field.description or field.name,
        "" if unit == "none" else unit,
        tags.get("required") != "true",
        _bound(field.name, tags, "min"),
        _bound(field.name, tags, "max"),
        _allowed(field.name, tags),
    )
    if "similar_to" not in tags:
        return column
    return SimilarColumn(**vars(column), similar_to=tags["similar_to"], similarity=tags.get("similarity", ""))


def feast_type(column: Column) -> FeastType:
    return _FEAST_TYPE[column.dtype]


def _bound(field: str, tags: dict[str, str], name: str) -> float | None:
    if name not in tags:
        return None
    try:
        value = float(tags[name])
    except ValueError as error:
        raise ValueError(f"{field}: the tag {name!r} is a number as text, not {tags[name]!r}") from error
    return int(value) if value.is_integer() else value


def _allowed(field: str, tags: dict[str, str]) -> tuple[str, ...] | None:
    if "allowed" not in tags:
        return None
    try:
        values: Sequence[object] = json.loads(tags["allowed"])
    except ValueError as error:
        raise ValueError(f"{field}: the tag 'allowed' is a JSON list of strings, not {tags['allowed']!r}") from error
    return tuple(str(value) for value in values)
