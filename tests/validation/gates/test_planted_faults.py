"""Each planted fault is found and named by its gate."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.validation.canonical import Rows, at, good_rows, write
from tests.validation.gates.summaries import failed_rows, report
from validation.__main__ import main

Plant = Callable[[dict[str, Rows]], object]
INF, NAN = float("inf"), float("nan")


def set_value(table: str, column: str, value: object, row: int = 0) -> Plant:
    return lambda rows: rows[table][row].__setitem__(column, value)


def repeat(table: str) -> Plant:
    return lambda rows: rows[table].append(dict(rows[table][0]))


def drop_row(table: str, row: int) -> Plant:
    return lambda rows: rows[table].pop(row)


def move_row_to_end(table: str, row: int) -> Plant:
    return lambda rows: rows[table].append(rows[table].pop(row))


LATE = at(100)
SHORT = "as long as history_items"
SHARED = "the same in all rows of a slate"
POSITIONS = "different for all rows of a slate"
FAULTS: list[tuple[str, Plant, str, str, str]] = [
    ("log", set_value("items", "item_id", None), "items", "item_id", "not null"),
    ("log", set_value("events", "user_id", None), "events", "user_id", "not null"),
    ("log", repeat("events"), "events", "event_id", "unique"),
    ("log", repeat("items"), "items", "item_id, valid_from_ts", "unique"),
    ("log", set_value("items", "price", Decimal("100000.01")), "items", "price", "at most 100000"),
    ("log", set_value("items", "price", Decimal("-0.01")), "items", "price", "at least 0"),
    ("log", set_value("events", "quantity", -2), "events", "quantity", "at least 1"),
    ("log", set_value("events", "event_ts", LATE), "events", "event_ts", "not after the end of the log"),
    ("log", set_value("items", "valid_from_ts", LATE), "items", "valid_from_ts", "not after the end of the log"),
    ("log", set_value("events", "received_ts", at(100_000)), "events", "received_ts", "not in the future"),
    ("log", set_value("impressions", "shown_ts", at(100_000), 8), "impressions", "shown_ts", "not in the future"),
    ("log", set_value("events", "category_id", "nowhere"), "events", "category_id", "is the category of an item"),
    ("log", set_value("events", "item_id", "ghost"), "events", "item_id", "is in items"),
    ("log", set_value("impressions", "item_id", "ghost"), "impressions", "item_id", "is in items"),
    ("log", set_value("events", "action", "steal"), "events", "action", "one of impression, view, like"),
    ("log", set_value("impressions", "user_id", "other"), "impressions", "user_id", SHARED),
    ("log", set_value("impressions", "shown_ts", at(2)), "impressions", "shown_ts", SHARED),
    ("log", set_value("impressions", "store_id", None), "impressions", "store_id", SHARED),
    ("log", set_value("impressions", "input_position", 1), "impressions", "input_position", POSITIONS),
    ("log", set_value("impressions", "label", 5), "impressions", "label", "at most 4"),
    ("log", set_value("impressions", "label", 1, 1), "impressions", "relevant_total", "at least the slate's positives"),
    ("log", set_value("impressions", "is_recommended", NAN), "impressions", "is_recommended", "finite"),
    ("log", lambda rows: rows["impressions"].clear(), "impressions", "(rows)", "at least one"),
    ("features", set_value("item_windows", "item_id", None), "item_windows", "item_id", "not null"),
    ("features", repeat("session_state"), "session_state", "session_id, event_timestamp", "unique"),
    ("features", set_value("item_windows", "orders_7d", -1.0), "item_windows", "orders_7d", "at least 0"),
    ("features", set_value("user_windows", "user_spend_28d", INF), "user_windows", "user_spend_28d", "finite"),
    ("features", set_value("user_windows", "user_is_new", 2.0), "user_windows", "user_is_new", "at most 1"),
    ("features", set_value("user_history", "history_counts", [1]), "user_history", "history_counts", SHORT),
    ("features", set_value("user_history", "history_last_us", None), "user_history", "history_last_us", SHORT),
    ("features", set_value("session_state", "recent_us", []), "session_state", "recent_us", "as long as recent_items"),
    (
        "features",
        set_value("user_windows", "event_timestamp", at(5)),
        "user_windows",
        "event_timestamp",
        "not after the",
    ),
    (
        "features",
        set_value("user_windows", "event_timestamp", at(1, 1)),
        "user_windows",
        "event_timestamp",
        "a UTC mid",
    ),
    (
        "features",
        set_value("session_state", "event_timestamp", at(4, 33)),
        "session_state",
        "event_timestamp",
        "at most",
    ),
    (
        "features",
        set_value("item_windows", "created_timestamp", at()),
        "item_windows",
        "created_timestamp",
        "not before",
    ),
    ("features", set_value("item_windows", "item_id", "ghost"), "item_windows", "item_id", "is in items"),
    ("features", set_value("user_windows", "user_id", "ghost"), "user_windows", "user_id", "is in the log"),
    ("features", set_value("item_attributes", "category_id", "x"), "item_attributes", "category_id", "is the category"),
    ("training_set", set_value("training_set", "label", None), "training_set", "label", "not null"),
    ("training_set", repeat("training_set"), "training_set", "slate_id, item_id", "unique"),
    ("training_set", set_value("training_set", "bought_due", INF), "training_set", "bought_due", "not infinite"),
    ("training_set", set_value("training_set", "price", -1.0), "training_set", "price", "at least 0"),
    ("training_set", move_row_to_end("training_set", 0), "training_set", "slate_id", "rows of a slate are contiguous"),
    ("training_set", move_row_to_end("training_set", 6), "training_set", "position", "ascends in each slate"),
    ("training_set", set_value("training_set", "split", "test"), "training_set", "split", SHARED),
    ("training_set", set_value("training_set", "split", "holdout"), "training_set", "split", "one of train, valid"),
    (
        "training_set",
        drop_row("training_set", 8),
        "training_set",
        "slate_id, item_id",
        "has every impression of the log",
    ),
    (
        "training_set",
        set_value("training_set", "item_id", "x"),
        "training_set",
        "slate_id, item_id",
        "is an impression",
    ),
]


@pytest.mark.usefixtures("without_docs")
@pytest.mark.parametrize(
    ("gate", "plant", "table", "column", "text"),
    FAULTS,
    ids=[f"{number}-{fault[2]}-{fault[3]}-{fault[4]}"[:60] for number, fault in enumerate(FAULTS)],
)
def test_a_planted_fault_is_found_and_named(settings, capsys, gate, plant, table, column, text):
    rows = good_rows()
    plant(rows)
    write(settings, rows)
    assert main([gate]) == 1
    named = [line for line in failed_rows(report(settings, gate)) if line[:2] == [table, column]]
    named = [line for line in named if line[2].startswith(text)]
    assert len(named) == 1
    assert named[0][3] == "blocking"
    assert int(named[0][5]) >= 1
    assert named[0][6]
    assert f"blocking: {table}: {column}: {text}" in capsys.readouterr().err
