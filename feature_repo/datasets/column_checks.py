"""What the values of a column must be, as SQL. The adapters and the gates check the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from feature_repo.schema import Column, DType
from infra.limits import EARLIEST, LATEST, MAX_MONEY, MAX_TEXT_LENGTH

TEXT = f"1 to {MAX_TEXT_LENGTH} characters, none of them NUL"
HORIZON = f"from {EARLIEST:%Y} until {LATEST:%Y}"
TIME_REMEDY = "a number since 1970 needs its unit: s, ms, us or ns"
MONEY_REMEDY = (
    f'"max_price" in dataset.json raises the bound, up to {MAX_MONEY:,.2f}; in a mapping, "scale" changes the unit'
)
MAP_REMEDY = "in a mapping, map names them, e.g. map: {purchase: order}"
LABEL_REMEDY = "grades of a rating are made by at_least in a mapping, e.g. at_least: {3: 1, 4: 2, 5: 3}"


@dataclass(frozen=True)
class ColumnCheck:
    """``text``: what the value must be. ``breaks``: SQL that is true for a value, not null, that is something else.

    ``remedy``: what a user may do about it, where that is not obvious.
    """

    text: str
    breaks: str
    remedy: str = ""


def column_checks(column: Column, value: str, *, nan_is_unknown: bool = False) -> Iterator[ColumnCheck]:
    """All checks of ``column`` but the one for null. ``value``: SQL of the value, of the column's type.

    ``nan_is_unknown``: whether NaN stands for null.
    """
    if column.dtype is DType.STRING and column.allowed is None:
        too_long = f"length({value}) > {MAX_TEXT_LENGTH}"
        yield ColumnCheck(TEXT, f"{too_long} OR {value} = '' OR contains({value}, chr(0))")
    if column.dtype is DType.TIMESTAMP:
        first, last = (f"TIMESTAMPTZ '{each.isoformat()}'" for each in (EARLIEST, LATEST))
        yield ColumnCheck(HORIZON, f"{value} < {first} OR {value} >= {last}", TIME_REMEDY)
    is_float = column.dtype in (DType.FLOAT32, DType.FLOAT64)
    if is_float:
        text, nan = ("not infinite", "") if nan_is_unknown else ("finite", f" OR isnan({value})")
        yield ColumnCheck(text, f"isinf({value}){nan}")
    if column.minimum is not None:
        yield ColumnCheck(f"at least {column.minimum:.12g}", f"{value} < {column.minimum!r}")
    if column.maximum is not None:
        known = f" AND NOT isnan({value})" if is_float else ""  # in DuckDB NaN is above all numbers
        yield ColumnCheck(f"at most {column.maximum:.12g}", f"{value} > {column.maximum!r}{known}", _remedy(column))
    if column.allowed is not None and column.dtype is DType.STRING:
        values = ", ".join("'" + each.replace("'", "''") + "'" for each in column.allowed)
        yield ColumnCheck(f"one of {', '.join(column.allowed)}", f"{value} NOT IN ({values})", MAP_REMEDY)


def _remedy(column: Column) -> str:
    if column.dtype is DType.MONEY:
        return MONEY_REMEDY
    return LABEL_REMEDY if column.name == "label" else ""
