"""Items: catalogs, what events say, and items that nobody describes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles, OwnLog

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)  # of the only slate, which has item a
BEFORE = datetime(2024, 4, 30, tzinfo=UTC)  # a day before the log's first midnight
ROWS = "SELECT item_id, valid_from_ts, category_id FROM items ORDER BY ALL"
EVENTS = (
    "{user_id: {value: u}, item_id: {from: i}, event_ts: {from: t}, action: {value: view}, category_id: {from: c}, "
    "price: {from: p}}"
)


def catalog(own: OwnFiles, items: str, columns: str, mapping: str = "") -> OwnLog:
    entry = f"\n  - {{table: items, path: items.csv, columns: {columns}}}"
    return own.log({"items.csv": items, "slates.csv": SLATE}, f"files: {SLATES}{entry}\n{mapping}")


def test_catalog_rows_without_a_date_hold_from_a_day_before_the_log(own: OwnFiles) -> None:
    log = catalog(own, "i,c\na,x\nb,y\n", "{item_id: {from: i}, category_id: {from: c}}")
    assert log.query(ROWS) == [("a", BEFORE, "x"), ("b", BEFORE, "y")]
    assert [(note.table, note.count) for note in log.noted("dated before the log")] == [("items", 2)]


LATE = "i,c,since\na,x,2024-05-01T12:00:01Z\nb,y,2024-05-01T11:00:00Z\n"
DATED = "{item_id: {from: i}, category_id: {from: c}, valid_from_ts: {from: since}}"


def test_a_catalog_dated_after_the_first_use_is_said_and_what_comes_after_the_log_is_dropped(own: OwnFiles) -> None:
    log = catalog(own, LATE, DATED)
    assert log.query(ROWS) == [("a", NOON, None), ("b", NOON.replace(hour=11), "y")]
    [note] = log.noted("items of unknown attributes until their first row")
    assert (note.count, note.example) == (1, "a, 2024-05-01 12:00:01+00")
    assert "catalog: from_start" in note.why
    assert [note.why for note in log.noted("rows dropped")] == ["they are dated after the log's end"]


def test_a_catalog_dated_at_its_export_is_taken_from_the_start_by_an_option(own: OwnFiles) -> None:
    log = catalog(own, LATE, DATED, "catalog: from_start")
    assert log.query(ROWS) == [("a", BEFORE, "x"), ("b", NOON.replace(hour=11), "y")]
    assert [note.count for note in log.noted("items dated before the log")] == [1]


def test_a_used_item_that_the_catalog_lacks_has_a_row_of_nulls_from_its_first_use(own: OwnFiles) -> None:
    log = catalog(own, "i,c\nb,y\n", "{item_id: {from: i}, category_id: {from: c}}")
    assert log.query(ROWS) == [("a", NOON, None), ("b", BEFORE, "y")]
    assert [(note.count, note.example) for note in log.noted("items without attributes added")] == [(1, "a")]


def test_of_two_rows_of_one_item_and_time_one_is_kept_whatever_their_order(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, category_id: {from: c}}"
    kept = [catalog(own, f"i,c\n{rows}", columns) for rows in ("a,x\na,y\na,x\n", "a,y\na,x\na,x\n")]
    assert [log.query(ROWS) for log in kept] == [[("a", BEFORE, "x")]] * 2
    assert [note.count for note in kept[0].noted("rows dropped")] == [2]
    assert catalog(own, "i,c\na,x\na,x\n", columns).noted("rows dropped") == []


def test_a_catalog_row_without_an_item_is_refused(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"items\.csv, column 'item_id', row 2: null is not allowed"):
        catalog(own, "i,c\na,x\n,y\n", "{item_id: {from: i}, category_id: {from: c}}")


def test_without_a_catalog_items_are_what_events_say_and_rows_are_changes(own: OwnFiles) -> None:
    rows = [
        ("a", 1, "x", 5), ("a", 2, "x", 5), ("a", 3, "", 6), ("a", 4, "", ""), ("b", 2, "", ""),
    ]  # fmt: skip
    text = "".join(f"{i},2024-05-01T0{hour}:00:00Z,{c},{p}\n" for i, hour, c, p in rows)
    log = own.events(f"i,t,c,p\n{text}", EVENTS)
    found = log.query("SELECT item_id, hour(valid_from_ts), category_id, price::INTEGER FROM items ORDER BY ALL")
    assert found == [("a", 1, "x", 5), ("a", 3, "x", 6), ("b", 2, None, None)]
    assert [note.count for note in log.noted("items made")] == [2]


def test_what_one_entry_does_not_say_of_an_item_stays_as_another_said_it(own: OwnFiles) -> None:
    """A catalog has categories, and lists have prices of the day."""
    own.write({"items.csv": "i,c\na,x\n"}, "{}")
    entries = (
        "\n  - {table: items, path: items.csv, columns: {item_id: {from: i}, category_id: {from: c}}}"
        "\n  - {table: items, path: lists.csv, "
        "columns: {item_id: {from: i}, valid_from_ts: {from: t}, price: {from: p}}}"
    )
    files = {"lists.csv": "i,t,p\na,2024-05-01T08:00:00Z,5\na,2024-05-01T09:00:00Z,6\n", "slates.csv": SLATE}
    log = own.log(files, f"files: {SLATES}{entries}")
    found = log.query(
        "SELECT valid_from_ts < '2024-05-01', category_id, price::INTEGER FROM items ORDER BY valid_from_ts"
    )
    assert found == [(True, "x", None), (False, "x", 5), (False, "x", 6)]


def test_a_category_of_an_event_that_no_item_has_is_unknown(own: OwnFiles) -> None:
    own.write({"items.csv": "i,c\na,x\n"}, "{}")
    entry = "  - {table: items, path: items.csv, columns: {item_id: {from: i}, category_id: {from: c}}}\n"
    log = own.events("i,t,c,p\na,2024-05-01T08:00:00Z,x,\na,2024-05-01T09:00:00Z,z,\n", EVENTS, more=entry)
    assert log.query("SELECT hour(event_ts), category_id FROM events ORDER BY 1")[0] == (8, "x")
    assert [(note.count, note.example) for note in log.noted("categories made unknown")] == [(1, "z")]
