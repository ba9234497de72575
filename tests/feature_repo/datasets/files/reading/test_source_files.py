"""The formats of the user's files, and that no row is lost or changed on the way."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles

COLUMNS = "{user_id: {from: u}, item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
ITEMS = "SELECT item_id FROM events ORDER BY event_ts, item_id"


def test_csv_and_its_gzip_give_the_same_log(own: OwnFiles) -> None:
    text = "u,i,t\n1,007,1714560000\n2,8,1714560001\n"
    plain = own.events(text, COLUMNS).query("SELECT * FROM events ORDER BY event_id")
    packed = own.events(gzip.compress(text.encode()), COLUMNS, name="events.csv.gz")
    assert packed.query("SELECT * FROM events ORDER BY event_id") == plain
    assert packed.column(ITEMS) == ["007", "8"]


def test_json_lines_keep_the_text_of_ids_and_take_a_missing_key_for_null(own: OwnFiles) -> None:
    lines = '{"u": 1, "i": "007", "t": 1714560000}\n{"i": 8, "t": 1714560001.5}'
    log = own.events(lines, COLUMNS, name="events.jsonl")
    assert log.query("SELECT item_id, user_id LIKE 'event-%', epoch_us(event_ts) FROM events ORDER BY event_ts") == [
        ("007", False, 1714560000_000000),
        ("8", True, 1714560001_500000),
    ]


def test_parquet_keeps_its_types_and_whole_floats_become_the_text_of_integers(own: OwnFiles) -> None:
    frame = pd.DataFrame({"u": [34.0, None], "i": [7, 8], "t": [1714560000, 1714560001]})
    log = own.events(frame, COLUMNS, name="events.parquet")
    assert log.query("SELECT user_id, item_id FROM events ORDER BY event_ts")[0] == ("34", "7")


def test_several_files_of_one_kind_are_one_table_and_a_column_that_one_lacks_is_null(own: OwnFiles) -> None:
    own.write({"day/2.csv": "u,i,t,q\n1,b,1714560001,2\n", "day/1.csv": "t,i,u\n1714560000,a,1\n"}, "{}")
    columns = COLUMNS.replace("view}}", "view}, quantity: {from: q}}")
    entry = f"{{table: events, path: 'day/*.csv', columns: {columns}}}"
    log = own.log({"slates.csv": SLATE}, f"files: {SLATES}\n  - {entry}\n")
    assert log.query("SELECT item_id, quantity FROM events ORDER BY item_id") == [("a", None), ("b", 2)]


def test_the_order_of_the_files_changes_nothing(own: OwnFiles) -> None:
    mapping = f"files: {SLATES}\n  - {{table: events, path: 'e*.csv', columns: {COLUMNS}}}\n"
    rows = ("1,a,1714560000\n1,a,1714560000\n", "2,b,1714560001\n,c,1714560002\n")
    logs = []
    for first, second in (rows, reversed(rows)):
        files = {"e1.csv": f"u,i,t\n{first}", "e2.csv": f"u,i,t\n{second}", "slates.csv": SLATE}
        log = own.log(files, mapping)
        logs.append([log.query(f"SELECT * FROM {table}") for table in ("items", "events", "impressions")])
    assert logs[0] == logs[1]
    assert len(logs[0][1]) == 4


def test_a_row_with_more_fields_than_the_header_is_refused_not_taken_for_the_header(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"events\.csv, row 2: .*Expected Number of Columns: 3 Found: 4.*quotes"):
        own.events("u,i,t\n1,a,1714560000\n1,a,1714560000,x\n", COLUMNS)


def test_a_missing_file_names_what_the_folder_holds(own: OwnFiles) -> None:
    own.write({"orders.csv": "u,i,t\n"}, f"files: [{{table: events, path: events.csv, columns: {COLUMNS}}}]")
    with pytest.raises(DatasetError, match=r"events\.csv: no such file; the folder holds orders\.csv"):
        own.log({}, f"files: [{{table: events, path: events.csv, columns: {COLUMNS}}}]")


def test_a_missing_column_names_those_of_the_file(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"events\.csv: has no column 'i'; it has u, item, t"):
        own.events("u,item,t\n1,a,1714560000\n", COLUMNS)


def test_a_format_that_is_not_known_is_refused_with_those_that_are(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"events\.xlsx: the format '\.xlsx' is not known; known are \.parquet"):
        own.events("x", COLUMNS, name="events.xlsx")


def test_faults_of_several_files_are_named_at_once(own: OwnFiles) -> None:
    files = {"a.csv": "", "b.csv": "u,i\n1,a\n", "slates.csv": SLATE}
    entries = "".join(f"\n  - {{table: events, path: {name}, columns: {COLUMNS}}}" for name in ("a.csv", "b.csv"))
    with pytest.raises(DatasetError) as refusal:
        own.log(files, f"files: {SLATES}{entries}")
    assert str(refusal.value).splitlines()[0] == "2 problems:"
    assert "a.csv: the file is empty" in str(refusal.value)
    assert "b.csv: has no column 't'; it has u, i" in str(refusal.value)
