"""A log appears complete or not at all, and it replaces only another log."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.schema import Declaration, items_table
from tests.small_log import DECLARATION, at, event, impression, item, write_log

ROWS = {"items": [item("a")], "events": [event(1, at(1), "view", "a")], "impressions": [impression("s", 0, at(2), "a")]}
FILES = {"items.parquet", "events.parquet", "impressions.parquet", "dataset.json"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_log_has_three_tables_and_a_declaration(out):
    write_log(out, **ROWS)
    assert names(out) == FILES
    assert read_declaration(out) == DECLARATION
    assert names(out.parent) == {"log"}


def test_a_log_replaces_an_earlier_log(out):
    write_log(out, **ROWS)
    write_log(out, **{**ROWS, "items": [item("b")]})
    assert duckdb.sql(f"SELECT item_id FROM '{out}/items.parquet'").fetchall() == [("b",)]
    assert names(out.parent) == {"log"}


def test_a_failure_does_not_change_the_earlier_log(out):
    write_log(out, **ROWS)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(IsADirectoryError), LogWriter(out, DECLARATION) as log:
        log.extra(".").write_bytes(b"half")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert names(out.parent) == {"log"}


def test_the_error_names_a_table_that_was_not_written(out):
    with pytest.raises(DatasetError, match="table items was not written"), LogWriter(out, DECLARATION):
        pass
    assert not out.exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"items": [item("a"), item("a")]}, "table items: key .* occurs 2 times"),
        ({"events": [event(1, at(1), "view", "a", user_id=None)]}, "table events, column 'user_id': 1 rows are null"),
        ({"items": [item("a", price="dear")]}, "table items: .*dear"),
        (
            {"items": [item("a", valid_from_ts=datetime.fromtimestamp(1_709_294, UTC))]},
            "'1970-01-20 .*'; probably milliseconds read as microseconds, .*, and it would be of 2024-03-01",
        ),
    ],
)
def test_what_the_schema_forbids_is_refused(out, rows, message):
    with pytest.raises(DatasetError, match=message):
        write_log(out, **{**ROWS, **rows})
    assert not out.exists()


def test_a_folder_with_other_files_is_not_replaced(out):
    out.mkdir(parents=True)
    (out / "thesis.docx").write_text("years of work")
    with pytest.raises(DatasetError, match=r"thesis\.docx"):
        write_log(out, **ROWS)
    assert (out / "thesis.docx").read_text() == "years of work"


def test_a_folder_of_tables_without_declaration_is_not_replaced(out):
    out.mkdir(parents=True)
    (out / "items.parquet").touch()
    with pytest.raises(DatasetError, match="is not a log"):
        write_log(out, **ROWS)


def test_a_file_where_the_folder_should_be_is_refused(out):
    out.parent.mkdir(parents=True)
    out.touch()
    with pytest.raises(DatasetError, match="is not a folder"):
        write_log(out, **ROWS)


def test_an_extra_file_is_published_beside_the_tables(out):
    declaration = Declaration(name="tiny", title="x")
    connection = duckdb.connect()
    write_log(out, **ROWS)
    with LogWriter(out.with_name("second"), declaration) as log:
        log.extra("truth.parquet").write_bytes(b"whole")
        for name in ("items", "events", "impressions"):
            (log.partial / f"{name}.parquet").write_bytes((out / f"{name}.parquet").read_bytes())
        assert log.write(connection, items_table(declaration), f"SELECT * FROM '{out}/items.parquet'") == 1
    assert names(out.with_name("second")) == FILES | {"truth.parquet"}
