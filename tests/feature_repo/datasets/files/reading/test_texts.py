"""The text and the number of a value."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.texts import number_in, number_of, text_of
from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles

COLUMNS = "{user_id: {from: u}, item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"


def value(sql: str, of: str, kind: str) -> object:
    return duckdb.execute(f"SELECT {sql} FROM (SELECT {of}::{kind} AS c)").fetchall()[0][0]


@pytest.mark.parametrize(
    ("of", "kind", "text"),
    [
        ("'007'", "VARCHAR", "007"),
        ("'34.0'", "VARCHAR", "34.0"),
        ("' x y '", "VARCHAR", "x y"),
        ("''", "VARCHAR", None),
        ("'  '", "VARCHAR", None),
        ("'nan'", "VARCHAR", None),
        ("'None'", "VARCHAR", None),
        ("'N/A '", "VARCHAR", None),
        (r"'\N'", "VARCHAR", None),
        ("'Nancy'", "VARCHAR", "Nancy"),
        ("34", "BIGINT", "34"),
        ("34", "DOUBLE", "34"),
        ("-34", "FLOAT", "-34"),
        ("34.5", "DOUBLE", "34.5"),
        ("'nan'", "DOUBLE", None),
        ("34.00", "DECIMAL(9,2)", "34"),
        ("true", "BOOLEAN", "true"),
        ("NULL", "DOUBLE", None),
    ],
)
def test_the_text_of_a_value(of: str, kind: str, text: str | None) -> None:
    assert value(text_of(SourceColumn("c", kind)), of, kind) == text


def test_whole_floats_lose_their_point() -> None:
    assert value(text_of(SourceColumn("c", "VARCHAR"), whole=True), "'34.0'", "VARCHAR") == "34"
    assert value(text_of(SourceColumn("c", "VARCHAR"), whole=True), "'100'", "VARCHAR") == "100"


@pytest.mark.parametrize(
    ("of", "decimal", "number"),
    [
        ("1.5", ".", 1.5),
        ("-2", ".", -2.0),
        ("1,234.5", ".", 1234.5),
        ("1,5", ".", None),
        ("1,5", ",", 1.5),
        ("1.234,5", ",", 1234.5),
        ("1.234", ",", 1234.0),
        ("True", ".", 1.0),
        ("false", ".", 0.0),
        ("x", ".", None),
        ("1,299.00 €", ".", 1299.0),
        ("1.299,00€", ",", 1299.0),
        ("$ 12.50", ".", 12.5),
        ("$12.50 off", ".", None),
    ],
)
def test_the_number_of_a_text(of: str, decimal: str, number: float | None) -> None:
    assert value(number_in("c", decimal), f"'{of}'", "VARCHAR") == number


def test_the_number_of_a_column_with_a_type() -> None:
    assert value(number_of(SourceColumn("c", "BOOLEAN")), "true", "BOOLEAN") == 1.0
    assert value(number_of(SourceColumn("c", "TIMESTAMP")), "'2024-05-01'", "TIMESTAMP") is None


def test_an_id_is_the_same_in_all_tables_however_pandas_wrote_it(own: OwnFiles) -> None:
    """With nulls among them pandas makes integers floats: 34.0, as text or as a type."""
    entry = "\n  - {table: events, path: %s, columns: " + COLUMNS + "}"
    log = own.log(
        {
            "e.csv": "u,i,t\n34.0,7,1714560000\n,7,1714560001\n35.0,8,1714560002\n",
            "e.parquet": pd.DataFrame({"u": [34.0, None], "i": [7, 8], "t": [1714560003, 1714560004]}),
            "f.parquet": pd.DataFrame({"u": [34], "i": [7.0], "t": [1714560005]}),
            "slates.csv": SLATE.replace(",u,", ",34,"),
        },
        f"files: {SLATES}{entry % 'e.csv'}{entry % 'e.parquet'}{entry % 'f.parquet'}",
    )
    users = log.column("SELECT DISTINCT user_id FROM events WHERE user_id NOT LIKE 'event-%' ORDER BY 1")
    assert users == ["34", "35"]
    assert log.column("SELECT user_id FROM impressions") == ["34"]
    assert log.column("SELECT DISTINCT item_id FROM events ORDER BY 1") == ["7", "8"]
    assert [note.why for note in log.noted("columns of ids made whole")] == [
        "all values of u are whole floats, like 34.0"
    ]


def test_a_column_with_one_value_that_is_no_whole_float_stays_as_it_is(own: OwnFiles) -> None:
    log = own.events("u,i,t\n34.0,1.0,1714560000\n35.5,1.0,1714560001\n", COLUMNS)
    assert log.query("SELECT user_id, item_id FROM events ORDER BY event_ts") == [("34.0", "1"), ("35.5", "1")]
