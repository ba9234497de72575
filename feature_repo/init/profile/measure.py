"""Measures the columns of a table's sample."""

from __future__ import annotations

import duckdb

from feature_repo.datasets.files.reading.sql_text import literal, quoted
from feature_repo.datasets.files.reading.texts import digits_in
from feature_repo.datasets.files.reading.times import ZONED_TYPES
from feature_repo.init.profile.column import Column, Kind, Lists, Numbers, Times
from feature_repo.init.profile.times import epoch_times, text_times
from feature_repo.init.reading.sample import SourceTable
from feature_repo.init.thresholds import FEW_VALUES, LIST_SHARE, TYPE_SHARE

TRUTHS = ("true", "false", "t", "f", "yes", "no", "y", "n")
SEPARATORS = ("|", ";", ",", "^", "~", " ")
EXAMPLES = 3
ID_PART = r"[\w-]*\d[\w.-]*"


def profile(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> tuple[Column, ...]:
    return tuple(_column(connection, table, name, dtype) for name, dtype in table.types.items())


def _column(connection: duckdb.DuckDBPyConnection, table: SourceTable, name: str, dtype: str) -> Column:
    column, of = quoted(name), table.sample
    number = digits_in(column, table.format.decimal)
    found = connection.execute(
        f"""
        SELECT count(*), count({column}), count(DISTINCT {column}), avg(length({column})), count({number}),
               min({number}), max({number}), count(*) FILTER ({number} < 0),
               count(*) FILTER ({number} = trunc({number})), sum({number}),
               count(*) FILTER (regexp_full_match({column}, '0\\d+')),
               count(*) FILTER (isinf({number}))
        FROM {of}
        """
    ).fetchone()
    assert found is not None
    rows, filled, distinct, length, numbers, low, high, negative, whole, total, zeros, infinite = found
    nulls = 1 - filled / rows if rows else 1.0
    if not filled:
        return Column(name, dtype, Kind.EMPTY, rows, nulls, 0)
    values = _values(connection, of, column) if distinct <= FEW_VALUES else ()
    examples = tuple(text for text, _ in values[:EXAMPLES]) or _examples(connection, of, column)
    measured = None
    if numbers >= TYPE_SHARE * filled and not zeros and not infinite:
        amounts = _values(connection, of, number) if values else ()
        few = tuple((float(amount), rows) for amount, rows in amounts)
        measured = Numbers(low, high, negative / filled, whole == numbers, total, few)
    times, lists = None, None
    if measured is not None:
        times = epoch_times(low, high)
        if times is None and measured.whole and low >= 19_000_101 and high <= 21_001_231:
            times = text_times(connection, of, name)
    else:
        times = text_times(connection, of, name)
        lists = None if times else _lists(connection, of, column, dtype)
    kind = _kind(dtype, measured, times, lists, tuple(text for text, _ in values), distinct)
    if dtype.startswith("TIMESTAMP") and times is not None:
        times = Times(times.first, times.last, zoned=dtype in ZONED_TYPES, native=True)
    return Column(name, dtype, kind, rows, nulls, distinct, values, examples, length, measured, times, lists)


def _kind(
    dtype: str, numbers: Numbers | None, times: Times | None, lists: Lists | None, texts: tuple[str, ...], distinct: int
) -> Kind:
    if dtype == "BOOLEAN" or (texts and distinct <= 2 and all(each.lower() in TRUTHS for each in texts)):
        return Kind.FLAG
    if numbers is not None:
        if texts and set(texts) <= {"0", "1", "0.0", "1.0"}:
            return Kind.FLAG
        return Kind.INTEGER if numbers.whole else Kind.NUMBER
    if times is not None:
        return Kind.TIME
    return Kind.LIST if lists is not None else Kind.TEXT


def _values(connection: duckdb.DuckDBPyConnection, of: str, value: str) -> tuple[tuple[str, int], ...]:
    sql = f"SELECT {value}, count(*) FROM {of} WHERE {value} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    return tuple((str(text), int(rows)) for text, rows in connection.execute(sql).fetchall())


def _examples(connection: duckdb.DuckDBPyConnection, of: str, column: str) -> tuple[str, ...]:
    some = f"SELECT {column} FROM {of} WHERE {column} IS NOT NULL LIMIT 100"
    sql = f"SELECT DISTINCT {column} FROM ({some}) LIMIT {EXAMPLES}"
    return tuple(sorted(str(row[0]) for row in connection.execute(sql).fetchall()))


def _lists(connection: duckdb.DuckDBPyConnection, of: str, column: str, dtype: str) -> Lists | None:
    """The first separator that enough cells hold and that does not stand between the words of a text."""
    if dtype.endswith("[]"):
        return _parts(connection, of, column, "|")[0]
    holding = ", ".join(f"avg(contains({column}, {literal(each)})::INT)" for each in SEPARATORS)
    shares = connection.execute(f"SELECT {holding} FROM {of} WHERE {column} IS NOT NULL").fetchone()
    assert shares is not None
    for separator, share in zip(SEPARATORS, shares, strict=True):
        if share >= LIST_SHARE:
            lists, are_ids, recur = _parts(connection, of, column, separator)
            if are_ids or (recur and separator != " "):
                return lists
    return None


def _parts(connection: duckdb.DuckDBPyConnection, of: str, column: str, separator: str) -> tuple[Lists, bool, bool]:
    """(the lists, whether their parts are ids, whether they recur in other cells).

    Blanks and commas separate the words of names, too: these recur less than cells do.
    """
    mark = literal(separator)
    parts = f"SELECT trim(unnest(string_split({column}, {mark}))) AS part FROM {of} WHERE {column} IS NOT NULL"
    found = connection.execute(
        f"""
        SELECT * FROM (SELECT avg(len(string_split({column}, {mark}))), count(DISTINCT {column}) FROM {of}
                       WHERE {column} IS NOT NULL),
                      (SELECT count(*), count(DISTINCT part), avg(regexp_full_match(part, '{ID_PART}')::INT),
                              avg((TRY_CAST(part AS DOUBLE) IS NOT NULL)::INT)
                       FROM ({parts}))
        """
    ).fetchone()
    assert found is not None
    length, cells, count, distinct, ids, numbers = found
    recur = distinct < (cells if separator in (" ", ",") else count / 2)
    return Lists(separator, float(length), int(distinct), numbers >= TYPE_SHARE), ids >= TYPE_SHARE, recur
