"""SQL of the text and of the number of a source's value.

Blanks around a text are no part of it. A blank text is null, and so are those by which programs write a null. Ids are
compared as text in all tables, so a whole float is the text of its integer: 34.0, which pandas makes of 34 where a
column has nulls, is "34".
"""

from __future__ import annotations

import re

from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.sql_text import literal

NULLS = ("", "null", "nan", "none", "n/a", "na", "nat", "\\n", "<na>")  # in small letters
WHOLE = r"-?[0-9]+(\.0+)?"
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_EXACT = 2**53  # floats of whole numbers up to here are what they were written as


def is_integer(kind: str) -> bool:
    return _INTEGERS.fullmatch(kind) is not None


def is_number(kind: str) -> bool:
    return is_integer(kind) or kind in ("FLOAT", "DOUBLE", "BOOLEAN") or kind.startswith("DECIMAL")


def is_null(text: str) -> str:
    """SQL of whether a text stands for nothing; null for null."""
    return f"lower(trim({text})) IN ({', '.join(map(literal, NULLS))})"


def text_of(column: SourceColumn, whole: bool = False) -> str:
    """``whole``: the column is text of whole floats, which loses its ``.0``."""
    value = column.sql
    if column.type == "VARCHAR":
        known = rf"regexp_replace(trim({value}), '\.0+$', '')" if whole else f"trim({value})"
        return f"CASE WHEN NOT {is_null(value)} THEN {known} END"
    if column.type in ("FLOAT", "DOUBLE") or column.type.startswith("DECIMAL"):
        number = f"{value}::DOUBLE"
        integer = f"{number} = trunc({number}) AND abs({number}) <= {_EXACT}"
        text = f"CASE WHEN {integer} THEN {value}::BIGINT::VARCHAR ELSE {value}::VARCHAR END"
        return f"CASE WHEN NOT isnan({number}) THEN {text} END"
    return f"{value}::VARCHAR"


def number_of(column: SourceColumn) -> str:
    """Of a column that is no text, as DOUBLE. A timestamp is no number, however DuckDB may count it."""
    return f"TRY_CAST({column.sql} AS DOUBLE)" if is_number(column.type) else "NULL::DOUBLE"


def number_in(text: str, decimal: str) -> str:
    """The number that a text is, 1 or 0 for true and false."""
    words = f"CASE lower(trim({text})) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0"
    return f"{words} ELSE {digits_in(text, decimal)} END"


def digits_in(text: str, decimal: str) -> str:
    """``decimal`` is the point or the comma; the other one groups thousands. A currency's sign may stand beside it."""
    text = rf"regexp_replace(trim({text}), '^\p{{Sc}}\s*|\s*\p{{Sc}}$', '')"
    other = "," if decimal == "." else "."
    grouped = rf"'[+-]?[0-9]{{1,3}}(\{other}[0-9]{{3}})+(\{decimal}[0-9]*)?'"
    plain = text if decimal == "." else f"replace({text}, ',', '.')"
    without = f"replace(replace({text}, '{other}', ''), ',', '.')"
    return f"TRY_CAST(CASE WHEN regexp_full_match({text}, {grouped}) THEN {without} ELSE {plain} END AS DOUBLE)"
