"""The last steps of a user's own log: all repeated keys and all slates that do not hold together, at once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSources
from feature_repo.datasets.log_writer import LogWriter, duckdb_type
from feature_repo.datasets.own_log import completed, defaulted, write_tables
from feature_repo.schema import Declaration, events_table, impressions_table, log_tables

MINE = Declaration("mine", "mine")
ITEM = "'a', '2024-05-01'"
EVENT = "'e', 'u', 's', 'a', '2024-05-01', '2024-05-01', 'view'"
CANDIDATE = "'r', 'u', 's', 'a', '2024-05-01', 0, NULL, 1, 1"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """The three tables, empty."""
    connection = duckdb.connect()
    for table in log_tables(MINE):
        columns = ", ".join(f'"{column.name}" {duckdb_type(column.dtype)}' for column in table.columns)
        connection.execute(f"CREATE TABLE {table.name} ({columns}, {FILE} VARCHAR DEFAULT 'f.csv', {ROW} BIGINT)")
    return connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, *rows: str) -> None:
    width = rows[0].count(", ") + 1
    names = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()][:width]
    for number, row in enumerate(rows, start=1):
        connection.execute(f"INSERT INTO {table} ({', '.join(names)}, {ROW}) VALUES ({row}, {number})")


def test_a_log_is_written_in_its_order(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    insert(connection, "items", ITEM)
    insert(connection, "events", EVENT, EVENT.replace("'e'", "'d'"))
    insert(
        connection,
        "impressions",
        CANDIDATE.replace(", 0,", ", 7,"),
        CANDIDATE.replace("'a'", "'b'").replace(", 1, 1", ", 0, 1"),
    )
    with LogWriter(tmp_path / "log", MINE) as log:
        write_tables(connection, log, MINE, None)
    assert duckdb.sql(f"SELECT event_id FROM '{tmp_path}/log/events.parquet'").fetchall() == [("d",), ("e",)]
    rows = duckdb.sql(f"SELECT item_id, input_position FROM '{tmp_path}/log/impressions.parquet'").fetchall()
    assert rows == [("b", 0), ("a", 7)]


def test_all_repeated_keys_are_named(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    insert(connection, "items", ITEM, ITEM)
    insert(connection, "events", EVENT, EVENT.replace("view", "order"))
    insert(connection, "impressions", CANDIDATE)
    with pytest.raises(BadSources) as refusal, LogWriter(tmp_path / "log", MINE) as log:
        write_tables(connection, log, MINE, None)
    said = str(refusal.value).splitlines()
    assert said[1].startswith("  f.csv, column 'item_id, valid_from_ts', row 2: the key a, 2024-05-01")
    assert said[2] == "  f.csv, column 'event_id', row 2: the key e occurs twice"
    assert not (tmp_path / "log").exists()


def test_all_kinds_of_slates_that_do_not_hold_together_are_named(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    insert(connection, "impressions", CANDIDATE, CANDIDATE.replace("'a'", "'b'").replace("'u'", "'v'"))
    with pytest.raises(BadSources) as refusal, LogWriter(tmp_path / "log", MINE) as log:
        write_tables(connection, log, MINE, None)
    assert [line.partition("row ")[2] for line in str(refusal.value).splitlines()[1:]] == [
        "2: slate 'r': 'v' differs within its slate",
        "2: slate 'r': '0' occurs twice in its slate",
        "1: slate 'r': '1' is below the slate's positives",
    ]


def test_required_columns_with_a_default_may_be_missing() -> None:
    events, impressions = events_table(MINE), impressions_table(MINE)
    assert (defaulted(events), defaulted(impressions)) == ({"received_ts"}, {"relevant_total"})
    assert completed(events, events.column("received_ts"), present=False) == "event_ts"
    assert completed(events, events.column("received_ts"), present=True) == '"received_ts"'
    assert completed(events, events.column("price"), present=False) == "NULL::DECIMAL(12,2)"
